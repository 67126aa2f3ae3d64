"""The gate's lane on real sockets: whole answers, in order, and each asker gets his own."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice

import pytest

from tests.bearers import bearers
from tests.conftest import or_skip
from tests.e2e.raw import parse
from tests.servers import NEWEST, Server
from tests.unit.gate.door import CLOSE, OWNERS, Gate, ask, drain, receive, shown


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis for this module alone."""
    made = or_skip(lambda: Server(NEWEST))
    yield made
    made.discard()


@pytest.fixture(scope="module")
def tokens(server: Server) -> dict[str, str]:
    """The owner by each token's text."""
    return bearers(server.url, OWNERS)


@pytest.fixture(scope="module")
def gate(server: Server, tokens: dict[str, str]) -> Iterator[Gate]:
    """The node most tests share."""
    made = Gate(server, tokens)
    yield made
    made.stop()


# -- connections that stay and that end ----------------------------------------------------------


def test_a_connection_is_kept_for_a_hundred_requests(gate: Gate) -> None:
    """Each is answered for its own token, without a word about the connection."""
    with gate.connect() as sock:
        for text in islice(cycle(gate.texts), 100):
            sock.sendall(ask(text))
            answers = receive(sock)

            assert [gate.owner(text)] == shown(answers)
            assert "connection" not in answers[0].headers


def test_thousands_of_different_lines_do_not_change_what_a_line_means(gate: Gate) -> None:
    """Whatever a node remembers of earlier requests, each is answered for what it says itself."""
    with gate.connect() as sock:
        for turn, text in enumerate(islice(cycle(gate.texts), 3_000)):
            path, line = f"/authz/ext/{turn} ".encode(), b"User-Agent: agent/%d" % turn
            lines = [
                line,
                b"X-Forwarded-For: 1.2.%d.%d" % divmod(turn, 256),
                b"Cookie: a=%d" % turn,
            ]
            sock.sendall(ask(text, *lines).replace(b"/authz/ext/x?y=1 ", path))

            assert [gate.owner(text)] == shown(receive(sock))


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        (b"1.1", [b"Connection: close"]),
        (b"1.1", [b"connection: Close"]),
        (b"1.1", [b"Connection: x, close"]),
        (b"1.0", []),
        (b"1.0", [b"Connection: keep-alive"]),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_last_request_ends_the_connection(
    gate: Gate, version: bytes, lines: list[bytes], known: bool
) -> None:
    """The answer says so, and nothing behind it is answered."""
    text = gate.texts[0] if known else ","
    answers = gate.talk(ask(text, *lines, version=version) + ask(gate.texts[1]) * 3)

    assert [200 if known else 401] == [each.status for each in answers]
    assert "close" == answers[0].headers["connection"]


def test_requests_in_one_packet_are_answered_in_order(gate: Gate) -> None:
    """Sixty at once, for different owners."""
    asked = list(islice(cycle(gate.texts), 60))
    answers = gate.talk(b"".join(ask(text) for text in asked) + ask(asked[0], CLOSE))

    assert [gate.owner(text) for text in [*asked, asked[0]]] == shown(answers)


def test_other_requests_between_do_not_disturb_the_order(gate: Gate) -> None:
    """Probes, bodies, unknown paths and unfit tokens in a row with plain gate requests."""
    kinds = {
        "token": None,
        "missing": (b"GET /authz/nginx HTTP/1.1\r\nHost: a\r\n\r\n", 401),
        "unfit": (ask("a,b"), 401),
        "probe": (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        "body": (ask("0" * 40, b"Content-Length: 3", method=b"POST") + b"abc", 401),
        "off": (b"GET /authz/none HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    }
    for seed in range(20):
        chooser, data, expected = random.Random(seed), b"", []
        for _ in range(40):
            kind = kinds[chooser.choice(list(kinds))]
            text = chooser.choice(gate.texts)
            data += kind[0] if kind else ask(text)
            expected.append({"status": kind[1], "user": None} if kind else gate.owner(text))
        answers = gate.talk(data + ask(",", CLOSE))

        assert expected == shown(answers)[:-1]


@pytest.mark.parametrize("paused_s", [0, 0.2])
def test_a_bad_request_does_not_overtake_a_verdict(gate: Gate, paused_s: float) -> None:
    """The 400 comes behind the answers that are still being made, and is the last."""
    gate.server.pause() if paused_s else None
    try:
        with gate.connect() as sock:
            data = b"".join(ask(text) for text in gate.texts[:3])
            sock.sendall(data + b"nonsense\r\n\r\n" + ask(gate.texts[4]))
            time.sleep(paused_s)
            gate.server.resume()
            head, _, rest = drain(sock).rpartition(b"HTTP/1.1 400")
    finally:
        gate.server.resume()

    assert [gate.owner(text) for text in gate.texts[:3]] == shown(parse(head))
    assert b"\r\nconnection: close\r\n" in rest


def test_head_and_any_other_method_have_no_body(gate: Gate) -> None:
    """The next answer begins right behind the head."""
    methods = [b"HEAD", b"GET", b"POST", b"OPTIONS", b"TRACE", b"DELETE", b"HEAD"]
    data = b"".join(ask(gate.texts[0], method=each) for each in methods)

    assert [gate.owner(gate.texts[0])] * 8 == shown(gate.talk(data + ask(gate.texts[0], CLOSE)))


BODIES = {
    "length": (b"Content-Length: 5", b"hello"),
    "length of nothing": (b"Content-Length: 0", b""),
    "chunks": (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    "expected": (b"Expect: 100-continue\r\nContent-Length: 5", b"hello"),
    "websocket": (b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==", b""),
    "h2c": (b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA", b""),
    "h2c with a body": (b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 5", b"hello"),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("pieces", [1, 2])
def test_what_is_not_plain_is_answered_all_the_same(gate: Gate, kind: str, pieces: int) -> None:
    """Once, for its own token; and so is what follows on the connection."""
    line, body = BODIES[kind]
    one, two, three = gate.texts[:3]
    with gate.connect() as sock:
        sock.sendall(ask(one) + ask(two, line, method=b"POST"))
        if pieces == 2:
            time.sleep(0.05)
        sock.sendall(body + ask(three) + ask(one, CLOSE))
        answers = parse(drain(sock))

    assert [gate.owner(text) for text in (one, two, three, one)] == shown(answers)


def test_a_packet_may_end_after_any_byte(gate: Gate) -> None:
    """Each cut of two requests in a row, and all of them at once."""
    one, two = gate.texts[:2]
    data = ask(one, b"User-Agent: x") + ask(two)
    with gate.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in [*range(1, len(data)), 0]:
            for piece in [data[:at], data[at:]] if at else [bytes([byte]) for byte in data]:
                sock.sendall(piece)
                time.sleep(0.0005)

            assert [gate.owner(one), gate.owner(two)] == shown(receive(sock, 2))


# -- clients that misbehave ----------------------------------------------------------------------


def test_clients_that_leave_in_the_middle_change_no_answer_of_others(gate: Gate) -> None:
    """A third of them hang up on a verdict under way; everybody else gets his own."""
    wrong: list[object] = []
    ends = time.monotonic() + 2

    def client(seed: int) -> None:
        chooser = random.Random(seed)
        while time.monotonic() < ends:
            with gate.connect() as sock:
                for _ in range(chooser.randint(1, 20)):
                    asked = chooser.choices(gate.texts, k=chooser.choice([1, 1, 1, 4]))
                    sock.sendall(b"".join(map(ask, asked)))
                    if chooser.random() < 0.3:
                        how = chooser.choice([0, 0.0005, 0.002])
                        time.sleep(how)
                        break
                    answers = shown(receive(sock, len(asked)))
                    if answers != [gate.owner(text) for text in asked]:
                        wrong.append((asked, answers))

    clients = [threading.Thread(target=client, args=(seed,), daemon=True) for seed in range(16)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(30)

    assert [] == wrong
    assert [gate.owner(gate.texts[0])] == shown(gate.talk(ask(gate.texts[0], CLOSE)))


def test_a_client_that_does_not_read_gets_its_answers_in_order_when_it_does(gate: Gate) -> None:
    """They pile up until the server reads no more or has had enough; none is changed or torn."""
    pad, asked, raw = b"X-Pad: " + b"x" * 4000, [], b""  # few requests fit into one read
    with gate.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            for text in islice(cycle(gate.texts), 20_000):
                asked.append(text)
                sock.sendall(ask(text, pad))
        sock.settimeout(10)
        with contextlib.suppress(OSError):
            while part := sock.recv(65536):
                raw += part
    answers = shown(parse(raw[: raw.rindex(b"\r\n\r\n") + 4]))
    if answers[-1] == {"status": 503, "user": None}:
        answers.pop()  # a hundred requests wait, and one more is too many

    assert 100 < len(answers) < 19_999
    assert [gate.owner(text) for text in asked[: len(answers)]] == answers
