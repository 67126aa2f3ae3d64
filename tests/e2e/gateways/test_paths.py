"""Which of a client's paths are the token service's, as the real gateways see it."""

from __future__ import annotations

import pytest

from tests.e2e.gateways.conftest import Front
from tests.e2e.gateways.test_claims import tell

DETOURS = [
    "/authz/ext/../../oauth/x",
    "/authz/ext/%2e%2e/%2E%2e/oauth/x",
    "/authz/ext/..%2f..%2foauth/x",
    "/authz/ext//../../oauth/introspect",
    "/authz/ext/x/.././../../oauth",
    "/authz/ext/x#/../../../oauth",
    "/authz/ext/x%23/../../../oauth",
    "/authz/ext/x%3f/../../../oauth",
    "/authz/nginx/../../oauth",
    "/authz/forward/../../tower/",
    "/livez/../oauth",
    "/oauth/../authz/ext/x",
    "http://a/authz/ext/../../oauth/x",
]
"""Ways to the gate and the probes that may look like ways to the open routes."""


QUESTIONS = {"nginx": "/authz/nginx", "haproxy": "/authz/forward", "caddy": "/authz/forward"}
"""What a gateway asks; Envoy puts the path behind its own."""


@pytest.mark.parametrize("path", DETOURS)
@pytest.mark.parametrize("query", ["", "?q=1"])
def test_no_detour_leads_to_the_gate(front: Front, path: str, query: str) -> None:
    """A client reaches the open paths alone; the others are asked by the gateway itself."""
    way, bearer = front.world.way, f"Authorization: Bearer {front.fate('never ends')}"
    way.reset()
    got = [tell(front, f"GET {path}{query} HTTP/1.1", *more) for more in ((), (bearer,))]
    asked = [head.split(b" ", 2)[1].decode() for head in way.heads]
    started = path.removeprefix("http://a")[:4]
    own = QUESTIONS.get(front.gateway.name, f"/authz/ext{started}")

    assert b"200" != got[0][9:12]
    assert b"\nx-auth-" not in b"".join(got).lower()
    assert not [each for each in asked if not each.startswith((own, "/oauth", "/tower"))]


@pytest.mark.parametrize(
    "path", ["/netbox/api/users/tokens/a%20b%3Fc%25%C3%A9/?q=%20", "/oauth/x%0d%0ay"]
)
def test_an_open_path_arrives_as_it_was_sent(front: Front, path: str) -> None:
    """Encoded characters and the query stay what they are."""
    way = front.world.way
    way.reset()
    tell(front, f"GET {path} HTTP/1.1")
    (head,) = way.heads

    assert path.lower() == head.split(b" ", 2)[1].decode().lower()
