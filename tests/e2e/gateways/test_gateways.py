"""Real, unmodified gateways with the examples we ship, in front of a small application."""

from __future__ import annotations

import re
import signal
import socket
import time
from contextlib import closing

import pytest

from tests.e2e.conftest import PASSWORD
from tests.e2e.gateways.conftest import Front
from tests.e2e.gateways.gateways import PLANS
from tests.e2e.gateways.world import AGENT, HOME, Client
from tests.servers import wait_until

IDENTITY = ("x-auth-user", "x-auth-token-id", "x-auth-policy", "x-auth-scopes", "x-auth-expires-in")
FORGED = {name: "mallory" for name in IDENTITY}
ADDRESSES = ("x-forwarded-for", "x-real-ip", "x-client-ip", "x-envoy-external-address")
METHODS = ("x-original-method", "x-forwarded-method", "x-http-method-override", "x-method-override")
PREFLIGHT = {
    "origin": "https://app.example",
    "access-control-request-method": "PUT",
    "access-control-request-headers": "authorization",
}
NO_CREDENTIAL = 'Bearer realm="tokenhouse"'
INVALID = NO_CREDENTIAL + ', error="invalid_token"'
GATE_GONE = {"nginx": 503, "haproxy": 503, "caddy": 502, "envoy": 503}
"""What clients get when nobody listens where the gate should (each README says so)."""
GATE_HANGS = {**GATE_GONE, "caddy": 504}
PLAIN = {"nginx": 200, "haproxy": 200, "caddy": 200, "envoy": 426}
"""What a client of HTTP/1.0 gets; Envoy wants HTTP/1.1."""


def test_a_good_token_passes_with_its_owner(front: Front) -> None:
    """200 from the application, which learns whose token it was and what it may do."""
    asked = front.home.ask(front.token)

    assert 200 == asked.status, front.gateway.log
    assert "/app/x?q=1" == asked.seen["path"]
    assert ["kate"] == asked.got("x-auth-user")
    assert ["tower"] == asked.got("x-auth-policy")
    assert ["read write"] == asked.got("x-auth-scopes")
    assert re.fullmatch("[1-9][0-9]*", asked.got("x-auth-token-id")[0])
    assert 1700 < int(asked.got("x-auth-expires-in")[0]) <= 1800


def test_a_name_that_is_no_header_value_arrives_encoded(front: Front) -> None:
    """Blanks, signs and separators of a name cannot make a second header."""
    asked = front.home.ask(front.fate("odd name"))

    assert ["zo%C3%AB%20%25s%E2%80%A8%3D%3B%2C%20x"] == asked.got("x-auth-user")


def test_identity_that_a_client_brings_is_dropped(front: Front) -> None:
    """Only the gate says who is asking, with a token that passes and on the open routes."""
    asked = front.home.ask(front.token, headers=FORGED)

    assert ["kate"] == asked.got("x-auth-user")
    assert not [name for name in IDENTITY if asked.got(name) in ([], ["mallory"])]
    assert not [value for values in asked.seen["headers"].values() for value in values
                if "mallory" in value]  # fmt: skip


@pytest.mark.parametrize(
    ("fate", "status", "challenge"),
    [
        (None, 401, NO_CREDENTIAL),
        ("unknown", 401, INVALID),
        ("word", 401, INVALID),
        ("revoked", 401, INVALID),
        ("expired", 401, INVALID),
        ("marked", 401, INVALID),
        ("inactive", 401, INVALID),
        ("bound to home", 401, INVALID),
        ("fenced in", 403, NO_CREDENTIAL + ', error="insufficient_scope"'),
    ],
)
def test_a_refusal_says_what_it_is(
    front: Front, fate: str | None, status: int, challenge: str
) -> None:
    """Status and challenge come through, identity does not, and the application is not asked."""
    before = front.world.application.requests
    asked = front.home.ask(front.fate(fate) if fate else "")

    assert status == asked.status
    assert challenge == asked.headers["www-authenticate"]
    assert not [name for name in asked.headers if name.startswith("x-auth-")]
    assert before == front.world.application.requests


def test_a_token_of_another_place_is_refused(front: Front) -> None:
    """What was issued at one address is worth nothing at another, or with another agent."""
    assert 401 == front.elsewhere.ask(front.token).status
    assert 401 == front.home.ask(front.token, headers={"user-agent": "other"}).status
    assert 200 == front.home.ask(front.token).status


@pytest.mark.parametrize("name", [*ADDRESSES, "forwarded"])
@pytest.mark.parametrize("shape", ["{0}", "{0}, 127.0.0.1", "127.0.0.1, {0}"])
def test_an_address_that_a_client_claims_is_not_believed(
    front: Front, name: str, shape: str
) -> None:
    """Neither does it open a token of another place, nor shut out who is at the right one."""
    address = f"for={HOME}" if name == "forwarded" else HOME
    lie = {name: shape.format(address)}

    assert 401 == front.elsewhere.ask(front.token, headers=lie).status
    assert 200 == front.home.ask(front.token, headers={name: shape.format("9.9.9.9")}).status


def test_a_claimed_address_does_not_bind_a_login(front: Front) -> None:
    """The token service behind the gateway sees the same client as the gate does."""
    lie = {name: "9.9.9.9" for name in ADDRESSES}
    answer = front.elsewhere.http.post(
        "/api/v2/authtoken/", json={"username": "kate", "password": PASSWORD}, headers=lie
    )
    token = answer.json()["token"]

    assert token != front.token
    assert 200 == front.elsewhere.ask(token).status
    assert 401 == front.home.ask(token).status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_read_only_token_cannot_write(front: Front, method: str) -> None:
    """Whatever the client says its method was."""
    token, before = front.fate("read only"), front.world.application.requests
    for lie in (None, *METHODS):
        headers = {lie: "GET"} if lie else {}
        asked = front.home.ask(token, method=method, headers=headers)

        assert (403, lie) == (asked.status, lie)
        assert 'error="insufficient_scope"' in asked.headers["www-authenticate"]
    assert before == front.world.application.requests


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_only_token_can_read(front: Front, method: str) -> None:
    """And says so to the application."""
    asked = front.home.ask(front.fate("read only"), method=method)

    assert 200 == asked.status
    assert method == "HEAD" or ["read"] == asked.got("x-auth-scopes")


@pytest.mark.parametrize("name", ["Authorization", "X-Auth-Token", "X-Authentication"])
def test_of_two_tokens_none_gets_through_unasked(front: Front, name: str) -> None:
    """They are refused, or the application gets the one alone that was asked about."""
    scheme = "Bearer " if name == "Authorization" else ""
    good, other = f"{scheme}{front.fate('never ends')}", f"{scheme}other"
    for values in ([good, other], [other, good]):
        headers = [(name, value) for value in values]
        answer = front.home.http.request("GET", "/app", headers=headers)
        if answer.status_code == 200:
            assert [good] == answer.json()["headers"][name.lower()]
        else:
            assert answer.status_code in (400, 401)


def test_every_method_gets_through_with_its_body(front: Front) -> None:
    """The gate is asked without the body, the application gets all of it: one megabyte."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        asked = front.home.ask(front.token, method=method, content=b"x" * (1 << 20))

        assert (200, method, 1 << 20) == (asked.status, asked.seen["method"], asked.seen["body"])


def test_a_large_body_without_a_token_is_refused(front: Front) -> None:
    """No matter how much follows."""
    assert 401 == front.home.ask(method="POST", content=b"x" * (1 << 20)).status


@pytest.mark.parametrize("path", ["/app/x%2Fy//z/?q=1&token=a%20b", "/", "/authz/ext/", "/livez"])
def test_the_path_arrives_as_it_was_sent(front: Front, path: str) -> None:
    """The gate and the probes are not to be had from outside: every other path is the app's."""
    asked = front.home.ask(front.token, path=path)

    assert (200, path) == (asked.status, asked.seen["path"])
    assert 401 == front.home.ask(path=path).status


def test_a_preflight_passes_and_is_nobody(front: Front) -> None:
    """A browser asks without a credential; what is no preflight stays refused."""
    asked = front.home.ask(method="OPTIONS", headers={**PREFLIGHT, **FORGED})

    assert 200 == asked.status
    assert {"-"} == {value for name in IDENTITY for value in asked.got(name)}
    for less in ("origin", "access-control-request-method"):
        some = {name: value for name, value in PREFLIGHT.items() if name != less}
        assert 401 == front.home.ask(method="OPTIONS", headers=some).status
    for lie in METHODS:
        headers = {**PREFLIGHT, lie: "OPTIONS"}
        assert 401 == front.home.ask(method="DELETE", headers=headers).status
    assert 401 == front.home.ask("wrong", method="OPTIONS", headers=PREFLIGHT).status


def test_a_websocket_is_opened_for_a_good_token_only(front: Front) -> None:
    """The gate decides about the handshake, and the socket goes to the application."""
    bad = websocket(front, "wrong")
    good = websocket(front, front.token)

    assert bad.startswith(b"HTTP/1.1 401 ")
    assert good.startswith(b"HTTP/1.1 101 ")
    assert good.endswith(b"user kate\nhello\n")


def connect_from_home(front: Front) -> socket.socket:
    """A new connection to the gateway."""
    return socket.create_connection(("127.0.0.1", front.gateway.port), 20, (HOME, 0))


def websocket(front: Front, token: str) -> bytes:
    """What comes back of a handshake from home, and of a line sent behind it."""
    lines = (
        "GET /app/socket HTTP/1.1", "Host: a", f"User-Agent: {AGENT}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Authorization: Bearer {token}", "", "",
    )  # fmt: skip
    with closing(connect_from_home(front)) as sock:
        sock.sendall("\r\n".join(lines).encode())
        raw = b""
        while b"\r\n\r\n" not in raw or (b" 101 " in raw[:20] and b"kate\n" not in raw):
            raw += sock.recv(65536)
        if b" 101 " in raw[:20]:
            sock.sendall(b"hello\n")
            while not raw.endswith(b"hello\n"):
                raw += sock.recv(65536)
        return raw


def test_a_thousand_requests_need_a_handful_of_connections(front: Front) -> None:
    """Eight clients at a time; the gateway keeps its connections to the gate."""
    request = (
        f"GET /app HTTP/1.1\r\nHost: a\r\nUser-Agent: {AGENT}\r\n"
        f"Authorization: Bearer {front.token}\r\n\r\n"
    ).encode()
    front.world.way.reset()
    socks = [connect_from_home(front) for _ in range(8)]
    for _ in range(125):
        for sock in socks:
            sock.sendall(request)
        assert {b"HTTP/1.1 200 "} == {answer(sock)[:13] for sock in socks}
    for sock in socks:
        sock.close()

    assert 1000 == front.world.way.questions
    assert front.world.way.connections <= 16


def answer(sock: socket.socket) -> bytes:
    """One answer, whole; chunked, with its length, or 101 and what comes with it."""
    raw = sock.recv(65536)
    while True:
        head, end, body = raw.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: ([0-9]+)", head)
        ending = b"\n" if b" 101 " in head[:20] else b"0\r\n\r\n"
        if end and (len(body) >= int(length[1]) if length else body.endswith(ending)):
            return raw
        raw += sock.recv(65536)


def test_the_token_service_is_open_through_the_gateway(front: Front) -> None:
    """Its own routes ask for a credential themselves, and answer in their own shape."""
    wrong = front.home.http.post("/api/v2/authtoken/", json={"username": "kate"})
    listed = front.home.http.get("/api/users/tokens/")
    unknown = front.home.http.get(
        "/netbox/api/users/tokens/", headers={"authorization": "Token " + "0" * 40}
    )

    assert (400, ["password"]) == (wrong.status_code, list(wrong.json()))
    assert 403 == listed.status_code
    assert (403, {"detail": "Invalid token"}) == (unknown.status_code, unknown.json())


def guesser(front: Front) -> Client:
    """Somebody at an address of which one may see failed logins."""
    return Client(front.gateway.url, f"127.0.0.{10 + list(PLANS).index(front.gateway.name)}")


def test_too_many_is_passed_on(front: Front) -> None:
    """429 of the token service, of the application and of the gate, each with its Retry-After."""
    body = {"username": f"guessed-{front.gateway.name}", "password": "wrong"}
    with guesser(front).http as http:
        for _ in range(4):
            tried = http.post("/api/v2/authtoken/", json=body)
    limited = front.home.ask(front.token, path="/status/429")
    canned = b"HTTP/1.1 429 Too Many\r\nretry-after: 17\r\ncontent-length: 0\r\n\r\n"
    with front.world.way.answering(canned):
        asked = front.home.ask(front.token)

    assert 429 == tried.status_code
    assert int(tried.headers["retry-after"]) > 0
    assert [(429, "17")] * 2 == [
        (each.status, each.headers["retry-after"]) for each in (limited, asked)
    ]


def test_an_outage_is_passed_on(front: Front) -> None:
    """503 with Retry-After while the store is away: neither a pass nor a refusal."""
    token = front.token
    front.world.server.pause()
    try:
        asked = front.home.ask(token)
        bad = front.home.ask("a b")
        with guesser(front).http as http:
            login = http.post("/api/v2/authtoken/", json={"username": "out", "password": "out"})
    finally:
        front.world.server.resume()
    app = front.home.ask(token, path="/status/503")

    assert (503, "1") == (asked.status, asked.headers["retry-after"])
    assert "www-authenticate" not in asked.headers
    assert (503, True) == (login.status_code, "retry-after" in login.headers)
    assert (503, "17") == (app.status, app.headers["retry-after"])
    assert 401 == bad.status
    wait_until(lambda: front.home.ask(token).status == 200, "passing again")


def test_a_gate_that_is_gone_is_an_outage(front: Front) -> None:
    """Nothing passes, nobody is told that a token is bad, and it heals by itself."""
    before = front.world.application.requests
    with front.world.way.cut():
        wait_until(lambda: not front.world.way.open, "all connections ended")
        asked = front.home.ask(front.token)

    assert GATE_GONE[front.gateway.name] == asked.status
    assert "www-authenticate" not in asked.headers
    assert before == front.world.application.requests
    wait_until(lambda: front.home.ask(front.token).status == 200, "passing again")


def test_a_gate_that_hangs_is_an_outage(front: Front) -> None:
    """Nobody waits for it for long."""
    token, gate = front.token, front.world.node.process
    gate.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        asked = front.home.ask(token)
    finally:
        took = time.monotonic() - began
        gate.send_signal(signal.SIGCONT)

    assert GATE_HANGS[front.gateway.name] == asked.status
    assert 1 < took < 10
    assert "www-authenticate" not in asked.headers
    wait_until(lambda: front.home.ask(token).status == 200, "passing again")


def test_an_old_client_without_a_host_is_asked_about_too(front: Front) -> None:
    """HTTP/1.0 needs no Host, and the gate gets one from the gateway."""
    lines = f"User-Agent: {AGENT}\r\nAuthorization: Bearer"
    said = []
    for token in (front.token, "wrong"):
        with closing(connect_from_home(front)) as sock:
            sock.sendall(f"GET /app HTTP/1.0\r\n{lines} {token}\r\n\r\n".encode())
            said.append(int(sock.recv(65536).split(b" ")[1]))

    assert PLAIN[front.gateway.name] == said[0]
    assert said[1] == (401 if said[0] == 200 else said[0])


def test_the_gate_is_told_no_more_than_it_needs(front: Front) -> None:
    """No cookie, no body, no query and no invention of the client reaches it."""
    token = front.token
    front.world.way.reset()
    headers = {"cookie": "session=1", "x-custom": "custom", "x-forwarded-uri": "/forged"}
    front.home.ask(token, method="POST", headers=headers, content=b"body-" * 9)
    (head,) = front.world.way.heads

    assert b"session=1" not in head
    assert b"body-" not in head
    assert b"/forged" not in head
