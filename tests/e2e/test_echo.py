"""What operators look with: ``/authz/echo`` behind trusted and other peers, and ``explain``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD, Pair, gate
from tests.nodes import Node, tokenhouse

TRUSTING = {"TOKENHOUSE_SERVER__TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture
def token(pair: Pair) -> str:
    """The token of somebody who may look."""
    words = ("user", "add", "gateway", "--grant", "gateway", "--password-stdin")
    assert 0 == tokenhouse(*words, store=pair.server.url, stdin=PASSWORD).returncode
    return tokenhouse("token", "issue", "--user", "gateway", store=pair.server.url).stdout.strip()


@pytest.fixture
def behind(pair: Pair) -> Iterator[Node]:
    """A node that trusts its peer."""
    node = Node(pair.server.url, TRUSTING)
    yield node
    node.stop()


def echo(node: Node, token: str, path: str = "", method: str = "GET", **headers: str) -> Any:
    """What the node saw."""
    sent = {"authorization": f"Bearer {token}", **headers}
    answer = node.http.request(method, f"/authz/echo{path}", headers=sent)
    assert 200 == answer.status_code, answer.status_code
    assert "no-store" == answer.headers["cache-control"]
    assert token not in answer.text
    return answer.json()


def test_who_the_client_is_and_why(pair: Pair, behind: Node, token: str) -> None:
    """A header counts from a trusted peer only, and the other way round is warned of."""
    forwarded = {"x-forwarded-for": "192.0.2.7", "cookie": "secret=value"}
    believed, ignored = echo(behind, token, **forwarded), echo(pair.a, token, **forwarded)
    silent, odd = echo(behind, token), echo(behind, token, **{"x-forwarded-for": "me"})

    assert ("ok", "192.0.2.7", []) == (
        believed["reason"],
        believed["client"]["address"],
        believed["warnings"],
    )
    assert ("127.0.0.1", "the peer") == (
        ignored["client"]["address"],
        ignored["client"]["read_from"],
    )
    assert "trusted_proxies" in ignored["warnings"][0]
    assert "(not known)" == silent["client"]["address"] == odd["client"]["address"]
    assert "sends no x-forwarded-for" in silent["warnings"][0]
    assert "cannot be read" in odd["warnings"][0]
    assert "secret" not in json.dumps(believed)
    assert ["authorization"] == believed["credentials_in"]


@pytest.mark.parametrize(
    ("path", "headers", "writes"),
    [
        ("/nginx", {"x-original-method": "GET"}, False),
        ("/nginx", {"x-original-method": "PUT"}, True),
        ("/nginx", {}, True),
        ("/forward", {"x-forwarded-method": "HEAD"}, False),
        ("/forward", {"x-original-method": "GET"}, True),
        ("/ext", {}, False),
        ("/ext/some/path", {}, False),
    ],
)
def test_how_the_method_was_read(
    behind: Node, token: str, path: str, headers: dict[str, str], writes: bool
) -> None:
    """By the one source of the path it stands for; a write that surprises is warned of."""
    seen = echo(behind, token, path, **headers, **{"x-forwarded-for": "192.0.2.7"})

    assert writes == seen["method"]["writes"]
    assert writes == bool(seen["warnings"])


def test_who_may_not_look_gets_the_gates_answer(pair: Pair, token: str) -> None:
    """401 and 403 without a word of what was seen; a path that is none is 404."""
    login = pair.token(pair.a)
    statuses = [
        pair.a.http.get("/authz/echo").status_code,
        gate(pair.a, login).status_code,
        pair.a.http.get("/authz/echo", headers={"authorization": f"Token {login}"}).status_code,
        pair.a.http.get(
            "/authz/echo/other", headers={"authorization": f"Bearer {token}"}
        ).status_code,
    ]

    assert [401, 200, 403, 404] == statuses


def explain(pair: Pair, *words: str, stdin: str = "") -> Any:
    """What the command says."""
    done = tokenhouse("explain", "--json", *words, store=pair.server.url, stdin=stdin)
    assert 0 == done.returncode, done.stderr
    assert not stdin or stdin not in done.stdout
    return json.loads(done.stdout)


def test_explain_says_which_rule_decides(pair: Pair) -> None:
    """By text and by number; and asking is no use."""
    token = pair.token(pair.a)
    agent = pair.a.http.headers["user-agent"]
    here = ("--address", "127.0.0.1", "--agent", agent)

    good = explain(pair, "--stdin", *here, stdin=token)
    number = str(good["id"])
    away = explain(pair, "--id", number, "--address", "192.0.2.1", "--agent", agent)
    tokenhouse("user", "disable", "alice", store=pair.server.url)
    inactive = explain(pair, "--id", number, *here)

    assert ("ok", "alice", "-") == (good["reason"], good["owner"], good["last_used"] or "-")
    assert "fits" in good["bound_to_address"]
    assert "mismatch" == away["reason"]
    assert "127.0.0.1/128 as IPv6 (does not fit)" == away["bound_to_address"]
    assert "(fits)" in away["bound_to_agent"]
    assert "inactive" == inactive["reason"]
    assert "unknown" == explain(pair, "--stdin", stdin="0" * 40)["reason"]
    assert "malformed" == explain(pair, "--stdin", stdin="th_garbled")["reason"]
    assert "malformed" == explain(pair, "--stdin", stdin="a b")["reason"]


def test_explain_tells_a_write_from_a_read(pair: Pair) -> None:
    """A read-only token and the method, which is written as the gate wants it."""
    words = ("token", "issue", "--user", "alice", "--read-only")
    token = tokenhouse(*words, store=pair.server.url).stdout.strip()

    reasons = [
        explain(pair, "--stdin", "--method", method, stdin=token)["reason"]
        for method in ("GET", "get", "DELETE")
    ]
    assert ["ok", "read_only", "read_only"] == reasons
