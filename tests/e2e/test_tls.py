"""A node that speaks HTTPS on a real Redis: the gate's lane, client certificates, a restart."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.certs import Authority
from tests.e2e.conftest import PASSWORD, gate, prepare
from tests.loopback import answers, drain, first_answer, statuses, wait_for
from tests.nodes import Node
from tests.secure import SecureNode
from tests.servers import Memory, Server

AUTHTOKEN = "/api/v2/authtoken/"
DATE = re.compile(rb"\r\ndate: [^\r]+")


@dataclass
class Secured:
    """A node with TLS, its CA, and a plain node on the same store."""

    node: SecureNode
    plain: Node
    authority: Authority
    server: Server | Memory

    def token(self) -> str:
        """The token of a login over TLS, which the plain node knows too."""
        body = {"username": "alice", "password": PASSWORD}
        answer = self.node.http.post(AUTHTOKEN, json=body)
        assert 200 == answer.status_code, answer.text
        text: str = answer.json()["token"]
        return text


@pytest.fixture(scope="module")
def shared(server_pool: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """What the tests of this module share; prefer ``secured``."""
    server = server_pool.get("redis8")  # type: ignore[attr-defined]
    authority = Authority(tmp_path_factory.mktemp("ca"))
    settings = authority.server().settings | {
        "TOKENHOUSE_SERVER__SSL_CA": str(authority.file),
        "TOKENHOUSE_SERVER__CLIENT_CERTS": "optional",
    }
    node, plain = SecureNode(server.url, authority.trusted(), settings), Node(server.url)
    yield Secured(node, plain, authority, server)
    node.stop()
    plain.stop()


@pytest.fixture
def secured(shared: Secured, redis_server: Server | Memory) -> Secured:
    """Both nodes on an empty Redis that was set up and has the user alice."""
    assert redis_server.url == shared.server.url
    prepare(redis_server.url, "alice")
    return shared


def question(token: str, *lines: str, path: str = "/authz/ext/") -> bytes:
    """A request to the gate, as a client sends it whose login was httpx's."""
    agent = f"python-httpx/{httpx.__version__}"
    own = ("Host: a", f"User-Agent: {agent}", f"Authorization: Token {token}")
    return "\r\n".join((f"GET {path} HTTP/1.1", *own, *lines, "", "")).encode()


LAST = "Connection: close"


def test_the_gate_says_over_tls_what_it_says_without(secured: Secured) -> None:
    """Byte for byte but for the date, whatever it is asked."""
    token = secured.token()
    port = int(secured.plain.url.rsplit(":", 1)[1])
    for asked in (
        question(token, LAST),
        question("f" * 40, LAST),
        question("?", LAST),
        question(token, LAST, "Expect: nothing"),
        question(token, LAST, path="/authz/nginx"),
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(asked)
            plain = drain(sock)
        with secured.node.connect() as link:
            link.sendall(asked)
            over_tls = drain(link)

        assert plain.startswith(b"HTTP/1.1 ")
        assert DATE.sub(b"", plain) == DATE.sub(b"", over_tls)


def test_the_lane_keeps_a_connection_and_its_order(secured: Secured) -> None:
    """One by one, many in one record, and cut anywhere."""
    token = secured.token()
    good, bad, last = question(token), question("f" * 40), question(token, LAST)
    with secured.node.connect() as link:
        for _ in range(3):
            link.sendall(good)
            assert [200] == [status for status, _ in first_answer(link)]
        for byte in good:
            link.sendall(bytes([byte]))
        assert [200] == [status for status, _ in first_answer(link)]
        link.sendall((good + bad) * 20 + last)

        assert [200, 401] * 20 + [200] == statuses(drain(link))


def test_a_goodbye_is_answered_and_not_taken_for_a_request(secured: Secured) -> None:
    """TLS's own end, in the middle of a request or between two."""
    token = secured.token()
    for half in (b"", question(token)[:30]):
        with secured.node.connect() as link:
            link.sendall(question(token))
            first_answer(link)
            link.sendall(half)
            link.unwrap()

    assert 200 == gate(secured.node, token).status_code


def test_a_client_that_breaks_off_disturbs_nobody(secured: Secured) -> None:
    """In the handshake, or with questions under way."""
    token = secured.token()
    before = len(secured.node.lines)
    port = secured.node.port
    for data in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(data)
    for _ in range(20):
        link = secured.node.connect()
        link.sendall(question(token) * 10)
        link.close()

    assert 200 == gate(secured.node, token).status_code
    assert [] == secured.node.lines[before:]


def test_a_client_that_does_not_shake_hands_is_cut_off(
    redis_server: Server | Memory, tmp_path: Path
) -> None:
    """After the time that headers may take."""
    prepare(redis_server.url)
    authority = Authority(tmp_path)
    settings = {"TOKENHOUSE_SERVER__HEADER_TIMEOUT": "500ms", **authority.server().settings}
    node = SecureNode(redis_server.url, authority.trusted(), settings)
    try:
        with socket.create_connection(("127.0.0.1", node.port), timeout=5) as sock:
            assert b"" == drain(sock)
    finally:
        node.stop()


def test_a_certificate_alone_opens_no_gate(secured: Secured) -> None:
    """The gate asks for a token, whoever connects."""
    shown = secured.authority.trusted(secured.authority.client())
    with secured.node.connect(shown) as link:
        link.sendall(question("f" * 40) + question(secured.token(), LAST))

        assert [401, 200] == [status for status, _ in answers(drain(link))]


def test_a_node_takes_up_a_new_certificate_and_ends(
    redis_server: Server | Memory, tmp_path: Path
) -> None:
    """SIGHUP, with requests before and after on one connection; then SIGTERM with it open."""
    prepare(redis_server.url)
    authority = Authority(tmp_path)
    node = SecureNode(redis_server.url, authority.trusted(), authority.server().settings)
    new = authority.server("new")
    try:
        with node.connect() as link:
            before = link.getpeercert(binary_form=True)
            link.sendall(question("f" * 40))
            first_answer(link)
            new.certificate.rename(tmp_path / "server.pem")
            new.key.rename(tmp_path / "server.key")
            node.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "the certificate was read again" in node.log)
            link.sendall(question("f" * 40))

            assert [401] == [status for status, _ in first_answer(link)]
            with node.connect() as other:
                assert before != other.getpeercert(binary_form=True)
            assert 0 == node.terminate()
    finally:
        node.stop()
