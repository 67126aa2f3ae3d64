"""Who the client is, at both gates and in the APIs alike, where a trusted proxy may not say it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import or_skip
from tests.makers import Rig
from tests.nodes import Node
from tests.servers import NEWEST, Server, wait_until

SETTINGS = {
    "TOKENHOUSE_SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
    "TOKENHOUSE_LOG__REFUSALS": "true",
}
CLAIM = {"x-forwarded-for": "192.0.2.7"}
UNUSABLE = {"x-forwarded-for": "unknown"}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis for this module alone, with the user alice."""
    made = or_skip(lambda: Server(NEWEST))

    async def prepare() -> None:
        async with Rig(made.url) as rig:
            await rig.users.add("alice", PASSWORD)

    asyncio.run(prepare())
    yield made
    made.discard()


@pytest.fixture(scope="module", params=["true", "false"], ids=["lane", "asgi"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Either gate."""
    return {**SETTINGS, "TOKENHOUSE_GATE__LANE": request.param}


@pytest.fixture(scope="module")
def strict(server: Server, settings: dict[str, str]) -> Iterator[Node]:
    """A node as it is by default."""
    made = Node(server.url, settings)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def node(server: Server, settings: dict[str, str]) -> Iterator[Node]:
    """A node where a proxy that names nobody stands for the client."""
    made = Node(server.url, {**settings, "TOKENHOUSE_SERVER__BIND_IP_FALLBACK": "peer"})
    yield made
    made.stop()


def login(node: Node, headers: dict[str, str]) -> httpx.Response:
    """What a login with these headers gets."""
    body = {"username": "alice", "password": PASSWORD}
    return node.http.post("/api/v2/authtoken/", json=body, headers=headers)


def uses(node: Node, token: str, headers: dict[str, str]) -> list[int]:
    """The statuses of two uses at the gate, the second of a known shape, and of one at an API."""
    sent = {"authorization": f"Token {token}", **headers}
    paths = ("/authz/ext/", "/authz/ext/", "/api/v2/me/")
    return [node.http.get(path, headers=sent).status_code for path in paths]


@pytest.mark.parametrize("silence", [{}, UNUSABLE], ids=["silent", "unusable"])
def test_a_proxy_may_stand_for_clients_that_it_does_not_name(
    node: Node, silence: dict[str, str]
) -> None:
    """A token of such a login passes for such uses, and for no client that is named."""
    token = login(node, silence).json()["token"]
    other = login(node, CLAIM).json()["token"]

    assert [200] * 3 == uses(node, token, silence)
    assert [401] * 3 == uses(node, token, CLAIM)
    assert [200] * 3 == uses(node, other, CLAIM)
    assert [401] * 3 == uses(node, other, silence)


@pytest.mark.parametrize("silence", [{}, UNUSABLE], ids=["silent", "unusable"])
def test_by_default_nobody_stands_for_a_client(
    node: Node, strict: Node, silence: dict[str, str]
) -> None:
    """No login, and no use of a bound token, whoever made it."""
    token = login(node, silence).json()["token"]

    assert 400 == login(strict, silence).status_code
    assert [401] * 3 == uses(strict, token, silence)


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("missing", {}),
        ("malformed", {"authorization": "Bearer a,b"}),
        ("malformed", {"authorization": "Bearer th_garbled"}),
        ("ambiguous", {"authorization": "Bearer a", "x-auth-token": "b"}),
        ("unknown", {"authorization": "Bearer " + "1" * 40}),
    ],
)
def test_a_refusal_names_the_client_that_the_proxy_names(
    node: Node, strict: Node, reason: str, sent: dict[str, str]
) -> None:
    """Not the proxy, unless it stands for him; and nobody who is not known."""
    for each, headers, who in (
        (strict, CLAIM, "192.0.2.7"),
        (strict, UNUSABLE, "-"),
        (node, CLAIM, "192.0.2.7"),
        (node, UNUSABLE, "127.0.0.1"),
    ):
        line, before = f'"refused: {reason} at /authz/ext from {who}"', each.log.count("refused: ")
        each.http.get("/authz/ext/", headers={**sent, **headers})
        wait_until(lambda e=each, b=before: e.log.count("refused: ") > b, line)  # type: ignore[misc]

        assert line in each.lines[-1]
