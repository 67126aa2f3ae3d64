"""What a client says of its connection and of itself gets no further than the real gateways."""

from __future__ import annotations

import contextlib
import json
import re
from contextlib import closing

import pytest

from tests.e2e.conftest import PASSWORD
from tests.e2e.gateways.conftest import Front
from tests.e2e.gateways.test_gateways import IDENTITY, PREFLIGHT, answer, connect_from_home
from tests.e2e.gateways.world import HOME

HTTP2_SETTINGS = "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"  # RFC 7540 §3.2.1
JSON = "Content-Type: application/json"
NOT_A_WEBSOCKET = [
    ("h2c",),
    ("H2C",),
    ("h2c, websocket",),
    ("websocket, h2c",),
    ("h2c", "websocket"),
    ("websocketx",),
    ("TLS/1.0",),
    ("foo",),
]
CLAIMS = (
    "forwarded",
    "http2-settings",
    "remote-user",
    "x-auth-reason",
    "x-client-ip",
    "x-forwarded-by",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-preferred-username",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-user",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
)
"""Headers that some application or other believes; no example may pass on a client's."""


def tell(front: Front, *lines: str, body: str = "") -> bytes:
    """The answer to a request from home that says nothing but these lines, and a host."""
    with closing(connect_from_home(front)) as sock:
        sock.sendall("\r\n".join((*lines, "Host: a", "", body)).encode("latin-1"))
        return answer(sock)


@pytest.mark.parametrize("upgrades", NOT_A_WEBSOCKET, ids=" and ".join)
@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "upgrade", "keep-alive"])
def test_nothing_but_a_websocket_makes_a_tunnel(
    front: Front, upgrades: tuple[str, ...], connection: str
) -> None:
    """The application agrees to any Upgrade; whoever talks to it by that is past the gateway."""
    wanted = [f"Upgrade: {value}" for value in upgrades]
    more = (*wanted, f"Connection: {connection}", HTTP2_SETTINGS)
    bearer = f"Authorization: Bearer {front.fate('read only')}"
    seen = front.world.application.upgrades
    seen.clear()
    got = tell(front, "GET /app HTTP/1.1", bearer, *more).lower()

    if b" 101 " in got[:20]:  # the one thing that may be let through of several
        assert "websocket" in ",".join(upgrades).replace(" ", "").split(",")
        assert ["websocket"] == seen
    assert {*seen} <= {"websocket"}
    assert b"http2-settings" not in got


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_nothing_but_a_get_makes_a_tunnel(front: Front, upgrade: str, method: str) -> None:
    """Least of all a preflight, which passes without a token."""
    more = [f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings", HTTP2_SETTINGS]
    if method == "OPTIONS":
        more += [f"{name}: {value}" for name, value in PREFLIGHT.items()]
    else:
        more += [f"Authorization: Bearer {front.fate('never ends')}", "Content-Length: 0"]
    seen = front.world.application.upgrades
    seen.clear()
    got = tell(front, f"{method} /app HTTP/1.1", *more)

    assert got[9:12] in (b"200", b"400", b"403"), got
    assert [] == seen


@pytest.mark.parametrize("target", ["a:80", "/app"])
def test_connect_makes_no_tunnel(front: Front, target: str) -> None:
    """The application says 200 to it; what comes behind that has to pass the gate as well."""
    connect = f"CONNECT {target} HTTP/1.1\r\nHost: a:80\r\nAuthorization: Bearer "
    behind = b"GET /app HTTP/1.1\r\nHost: a\r\nX-Auth-User: mallory\r\nConnection: close\r\n\r\n"
    raw = b""
    with closing(connect_from_home(front)) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(f"{connect}{front.fate('never ends')}\r\n\r\n".encode())
        raw = sock.recv(65536)
        sock.sendall(behind)
        while part := sock.recv(65536):
            raw += part

    assert raw.startswith(b"HTTP/1.1 ")
    assert b"mallory" not in raw


def test_what_a_client_s_connection_names_is_not_lost(front: Front) -> None:
    """The gateway's own words about who is asking are no headers of the client's connection."""
    for names in (", ".join(IDENTITY), "close, X-Auth-User", "X-Forwarded-For, authorization"):
        asked = front.home.ask(front.token, headers={"connection": names})
        if asked.status == 400:
            assert "envoy" == front.gateway.name, "Envoy alone refuses some of them"
            continue

        assert 200 == asked.status
        assert ["kate"] == asked.got("x-auth-user")
        assert not [name for name in IDENTITY if len(asked.got(name)) != 1]
        assert HOME in asked.got("x-forwarded-for")[0]
        assert "x-auth-user" not in "".join(asked.got("connection")).lower()


@pytest.mark.parametrize("name", [name.replace("-", "_") for name in IDENTITY] + ["x-auth_user"])
def test_a_name_that_an_application_may_take_for_ours_is_dropped(front: Front, name: str) -> None:
    """CGI and WSGI spell X-Auth-User and X_Auth_User alike."""
    for token, method in ((front.token, "GET"), ("", "OPTIONS")):
        headers = {name: "mallory", **({} if token else PREFLIGHT)}
        asked = front.home.ask(token, method=method, headers=headers)

        assert 200 == asked.status
        assert name not in asked.seen["headers"]


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_client_says_of_itself_does_not_reach_the_application(
    front: Front, name: str
) -> None:
    """Only what the gateway says by itself gets there."""
    asked = front.home.ask(front.token, headers={name: "evil.example"})

    assert 200 == asked.status
    assert "evil.example" not in "".join(asked.got(name))


def test_a_client_does_not_say_how_it_came(front: Front) -> None:
    """Each gateway names the scheme itself, and the address that it sees."""
    lies = {"x-forwarded-proto": "https", "x-forwarded-for": "9.9.9.9"}
    asked = front.home.ask(front.token, headers=lies)

    assert (["http"], [HOME]) == (asked.got("x-forwarded-proto"), asked.got("x-forwarded-for"))


def test_what_a_client_says_of_itself_does_not_reach_the_token_service(front: Front) -> None:
    """It names itself by the host that was asked for, and not by another that is claimed."""
    claims = {name: "evil.example" for name in CLAIMS}
    front.world.way.reset()
    metadata = front.home.http.get("/.well-known/oauth-authorization-server", headers=claims)

    assert 200 == metadata.status_code
    assert f"http://127.0.0.1:{front.gateway.port}" == metadata.json()["issuer"]
    assert b"evil.example" not in b"".join(front.world.way.heads)


@pytest.mark.parametrize("agent", ["", "User-Agent: caf\xc3\xa9\r\n", "User-Agent: caf\xe9\r\n"])
def test_a_client_of_a_rare_agent_keeps_its_token(front: Front, agent: str) -> None:
    """No gateway puts a name of its own where the client gave none, or changes the one there is."""
    body = json.dumps({"username": "kate", "password": PASSWORD})
    length = f"{agent}Content-Length: {len(body)}"
    login = tell(front, "POST /api/v2/authtoken/ HTTP/1.1", length, JSON, body=body)
    token = re.search(rb'"token": ?"([0-9a-f]{40})"', login)
    assert token, login
    bearer = f"{agent}Authorization: Bearer {token[1].decode()}"
    is_changed = "envoy" == front.gateway.name and agent.encode("latin-1").endswith(b"\xe9\r\n")

    got = tell(front, "GET /app HTTP/1.1", bearer)
    assert (b"401" if is_changed else b"200") == got[9:12], "Envoy wants UTF-8, as its page says"
