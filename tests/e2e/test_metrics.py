"""What Prometheus is told, read by its own parser, and what of refusals is written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.core.secret import digest_of
from service.store.keys import Keys
from tests.e2e.conftest import Pair, gate
from tests.nodes import Node, tokenhouse
from tests.servers import wait_until

ON = {"TOKENHOUSE_METRICS__ENABLED": "true", "TOKENHOUSE_LOG__REFUSALS": "true"}
AWAY = {"TOKENHOUSE_POLICY__TOWER__BIND_AGENT": "log"}


@pytest.fixture(params=["true", "false"])
def node(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node that tells, with the gate's lane and without."""
    made = Node(pair.server.url, {**ON, **AWAY, "TOKENHOUSE_GATE__LANE": request.param})
    yield made
    made.stop()


def told(node: Node) -> dict[tuple[str, ...], float]:
    """Every sample: by its name and the values of its labels."""
    answer = node.http.get("/metrics")
    assert 200 == answer.status_code
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_every_answer_is_counted_by_its_reason(pair: Pair, node: Node) -> None:
    """Those that asked Redis are in the histogram, and uses from elsewhere have a count."""
    token = pair.token(node)
    sent = [
        (token, {}),
        (token, {"user-agent": "another"}),
        ("0" * 40, {}),
        ("th_garbled", {}),
        ("a,b", {}),
    ]
    statuses = [gate(node, text, **headers).status_code for text, headers in sent]
    statuses.append(node.http.get("/authz/nginx").status_code)
    seen = told(node)

    assert [200, 200, 401, 401, 401, 401] == statuses
    requests = "tokenhouse_gate_requests_total"
    counted = {key[1]: value for key, value in seen.items() if key[0] == requests}
    assert {"ok": 2, "unknown": 1, "malformed": 2, "missing": 1} == counted
    assert 1 == seen["tokenhouse_mismatches_total", "tower", "agent"]
    buckets = [value for key, value in seen.items() if key[0].endswith("verify_seconds_bucket")]
    assert sorted(buckets) == buckets
    assert 3 == buckets[-1]
    assert seen["process_cpu_seconds_total",] > 0


def test_what_could_not_be_decided_is_counted(pair: Pair, node: Node) -> None:
    """By its reason, too: here two places that lead to each other and to no token."""
    text, keys = "0000" + "1" * 36, Keys(b"")
    here, there = bytes(2), b"\0\1"
    for shard, other in ((here, there), (there, here)):
        key = keys.token(shard, digest_of(text.encode()))
        pair.server.cli("HSET", key, "a", other)
    seen = [gate(node, text).status_code for _ in range(3)]

    assert [503] * 3 == seen
    assert 3 == told(node)["tokenhouse_gate_requests_total", "moved on"]


def test_refusals_are_written_without_the_token(pair: Pair, node: Node) -> None:
    """Reason, path and client; passes are not written."""
    token = pair.token(node)
    gate(node, token)
    gate(node, "1" * 40)
    node.http.get("/authz/forward")
    last = "refused: missing at /authz/forward from 127.0.0.1"
    wait_until(lambda: any(last in line for line in node.lines), last)

    lines = [line for line in node.lines if "refused: " in line]
    assert 2 == len(lines)
    assert "refused: unknown at /authz/ext from 127.0.0.1" in lines[0]
    assert not [line for line in node.lines if "1" * 40 in line or token in line]


def test_metrics_are_off_unless_asked_for(pair: Pair) -> None:
    """And need one process a node."""
    assert 404 == pair.a.http.get("/metrics").status_code
    settings = {**ON, "TOKENHOUSE_SERVER__WORKERS": "2"}
    done = tokenhouse("config", "check", store=pair.server.url, settings=settings)
    assert 2 == done.returncode
    assert "/metrics would tell of one process at a time" in done.stderr + done.stdout
