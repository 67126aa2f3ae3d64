"""Traefik's example against what the gate reads and says; Traefik itself is in no registry of ours.

``traefik.http`` is the request that v3's ForwardAuth makes of the example: the headers that are
listed there, then its own ``X-Forwarded-*`` (pkg/middlewares/auth/forward.go), in Go's spelling.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.core.address import Trust
from service.gate.question import Asking, Questions
from tests.bearers import connect
from tests.e2e.conftest import PASSWORD
from tests.e2e.gateways.conftest import World
from tests.e2e.gateways.gateways import EXAMPLES
from tests.e2e.gateways.test_claims import CLAIMS
from tests.e2e.gateways.test_gateways import IDENTITY, INVALID, NO_CREDENTIAL, PREFLIGHT
from tests.e2e.gateways.world import AGENT, ELSEWHERE, HOME
from tests.e2e.raw import Answer, parse

RECORDED = Path(__file__).with_name("traefik.http").read_text("ascii")
OWN_CLAIMS = {"x-forwarded-host", "x-forwarded-port", "x-forwarded-server", "x-real-ip"}
"""What Traefik says by itself to whom it asks for a client that is not in ``trustedIPs``."""
OWN = {"x-forwarded-for", "x-forwarded-method"}
"""What Traefik tells the gate by itself, over anything a client sends under these names."""


@pytest.fixture(scope="module")
def dynamic() -> dict[str, Any]:
    """The shipped dynamic configuration."""
    loaded: dict[str, Any] = yaml.safe_load((EXAMPLES / "traefik/tokenhouse.yml").read_text())
    return loaded["http"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def token(world: World) -> str:
    """A token that kate got at home, through Traefik: it names the client for the login too."""
    answer = world.node.http.post(
        "/api/v2/authtoken/",
        json={"username": "kate", "password": PASSWORD},
        headers={"x-forwarded-for": HOME, "user-agent": AGENT},
    )
    return str(answer.json()["token"])


Ask = Callable[..., Answer]


@pytest.fixture
def ask(world: World) -> Ask:
    """Send the recorded request with these values."""

    def ask(authorization: str, method: str = "GET", address: str = HOME, more: str = "") -> Answer:
        said = RECORDED.format(
            agent=AGENT, authorization=authorization, address=address, method=method
        )
        if not authorization:
            said = said.replace("Authorization: \n", "")
        raw = said.replace("\n\n", f"\n{more}\n").replace("\n", "\r\n").encode()
        with connect(world.node.url) as sock:
            sock.sendall(raw)
            answers = parse(sock.recv(65536))
        return answers[0]

    return ask


def test_traefik_hands_on_all_that_the_gate_reads(dynamic: dict[str, Any]) -> None:
    """Every header that a verdict may depend on, and none besides."""
    forward = dynamic["middlewares"]["tokenhouse"]["forwardAuth"]
    listed = {name.lower() for name in forward["authRequestHeaders"]}
    asking = Asking(trust=Trust([]), ip_header="x-forwarded-for", preflight=True)

    assert Questions(asking).wanted - {b"x-original-method"} == {
        name.encode() for name in listed | OWN
    }
    assert False is forward["trustForwardHeader"]
    assert "preserveRequestMethod" not in forward
    assert forward["address"].endswith("/authz/forward")


def test_traefik_takes_identity_from_the_gate_alone(dynamic: dict[str, Any]) -> None:
    """All that an allow says is copied, and dropped from what clients send, on every route."""
    forward = dynamic["middlewares"]["tokenhouse"]["forwardAuth"]
    dropped = dynamic["middlewares"]["client-copies"]["headers"]["customRequestHeaders"]

    assert set(IDENTITY) == {name.lower() for name in forward["authResponseHeaders"]}
    assert {""} == set(dropped.values())
    assert set() == {*IDENTITY, *CLAIMS} - OWN_CLAIMS - {name.lower() for name in dropped}
    routers = dynamic["routers"]
    assert {
        "tokens": (100, ["client-copies", "plain"]),
        "websocket": (50, ["client-copies", "websocket", "tokenhouse"]),
        "application": (1, ["client-copies", "plain", "tokenhouse"]),
    } == {name: (each["priority"], each["middlewares"]) for name, each in routers.items()}


def test_traefik_hands_on_no_upgrade_but_a_websocket(dynamic: dict[str, Any]) -> None:
    """What a client says of its connection is dropped, or replaced by what is let through."""
    changed = {
        name: dynamic["middlewares"][name]["headers"]["customRequestHeaders"]
        for name in ("plain", "websocket")
    }

    assert {
        "plain": {"Connection": "", "Upgrade": ""},
        "websocket": {"Connection": "Upgrade", "Upgrade": "websocket"},
    } == changed
    rule = dynamic["routers"]["websocket"]["rule"]
    assert "Method(`GET`) && HeaderRegexp(`Upgrade`, `(?i)^websocket$`)" == rule


def test_traefik_has_no_route_for_connect(dynamic: dict[str, Any]) -> None:
    """Every rule names its method, or leaves this one out."""
    rules = {name: each["rule"] for name, each in dynamic["routers"].items()}

    assert rules.pop("websocket").startswith("Method(`GET`) && ")
    assert not [name for name, rule in rules.items() if not rule.endswith(" && !Method(`CONNECT`)")]


def test_the_recorded_request_gets_a_whole_answer(ask: Ask, token: str) -> None:
    """200, no body, and all of the identity."""
    answer = ask(f"Bearer {token}")

    assert (200, b"") == (answer.status, answer.body)
    assert set(IDENTITY) <= set(answer.headers)
    assert "kate" == answer.headers["x-auth-user"]


@pytest.mark.parametrize(
    ("fate", "method", "status", "challenge"),
    [
        ("never ends", "POST", 200, None),
        ("read only", "GET", 200, None),
        ("read only", "POST", 403, 'error="insufficient_scope", scope="read write"'),
        ("revoked", "GET", 401, INVALID),
        ("expired", "GET", 401, INVALID),
        ("unknown", "GET", 401, INVALID),
        (None, "GET", 401, NO_CREDENTIAL),
    ],
)
def test_traefik_s_own_word_decides(
    world: World, ask: Ask, fate: str | None, method: str, status: int, challenge: str | None
) -> None:
    """The method that Traefik names, and the client that it names."""
    answer = ask(f"Bearer {world.fates[fate]}" if fate else "", method)

    assert status == answer.status
    assert challenge is None or answer.headers["www-authenticate"].endswith(challenge)


def test_a_token_of_another_place_is_refused(ask: Ask, token: str) -> None:
    """A token is held to the address that Traefik names."""
    assert 401 == ask(f"Bearer {token}", address=ELSEWHERE).status


def test_a_preflight_passes(ask: Ask) -> None:
    """Its two headers are handed on."""
    more = "".join(f"{name}: {value}\n" for name, value in PREFLIGHT.items())

    assert 200 == ask("", "OPTIONS", more=more).status
    assert 401 == ask("", "GET", more=more).status
