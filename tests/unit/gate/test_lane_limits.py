"""The lane keeps the limits of every connection, and ends with its node."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.bearers import bearers
from tests.conftest import or_skip
from tests.servers import NEWEST, Server, wait_until
from tests.unit.gate.door import OWNERS, Gate, ask, drain, receive, shown


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


# -- limits --------------------------------------------------------------------------------------


def test_more_than_the_limit_under_way_is_503_at_once(
    server: Server, tokens: dict[str, str]
) -> None:
    """Two wait for the store that hangs, all others are turned away; then the two are answered."""
    gate = Gate(server, tokens, SERVER__IN_FLIGHT="2", STORE__TIMEOUT="10s")
    server.pause()
    socks = [gate.connect() for _ in range(8)]
    try:
        began = time.monotonic()
        for sock, text in zip(socks, gate.texts, strict=False):
            sock.sendall(ask(text))
            time.sleep(0.02)
        early = [receive(sock)[0] for sock in socks[2:]]
        took_s = time.monotonic() - began
        server.resume()
        late = [receive(sock)[0] for sock in socks[:2]]
    finally:
        server.resume()
        for sock in socks:
            sock.close()
        gate.stop()

    assert {(503, "1")} == {(each.status, each.headers["retry-after"]) for each in early}
    assert took_s < 8
    assert [gate.owner(text) for text in gate.texts[:2]] == shown(late)


def test_deadlines_hold_on_the_lane_and_a_verdict_takes_its_time(
    server: Server, tokens: dict[str, str]
) -> None:
    """Half a head is 408, an idle connection ends, and one whose answer is made does neither."""
    limits = {"SERVER__HEADER_TIMEOUT": "300ms", "SERVER__IDLE_TIMEOUT": "1s"}
    gate = Gate(server, tokens, **limits, STORE__TIMEOUT="10s")
    text = gate.texts[0]
    try:
        with gate.connect() as slow, gate.connect() as idle, gate.connect() as waiting:
            began = time.monotonic()
            for sock in (slow, idle, waiting):
                sock.sendall(ask(text))
                assert [gate.owner(text)] == shown(receive(sock))
            slow.sendall(ask(text)[:-2])
            assert b"HTTP/1.1 408 " == drain(slow)[:13]
            halted_s = time.monotonic() - began
            assert b"" == drain(idle)
            idled_s = time.monotonic() - began
        with gate.connect() as waiting:
            server.pause()
            waiting.sendall(ask(text))
            time.sleep(1.5)
            server.resume()
            assert [gate.owner(text)] == shown(receive(waiting))
    finally:
        server.resume()
        gate.stop()

    # By default it is ten seconds and seventy-five.
    assert 0.2 < halted_s < 5
    assert 0.9 < idled_s < 8


# -- the end -------------------------------------------------------------------------------------


def test_sigterm_under_load_tears_no_answer(server: Server, tokens: dict[str, str]) -> None:
    """What a client got is whole and its own, and the node ends well and soon."""
    gate, wrong, done = Gate(server, tokens), [], []

    def client(seed: int) -> None:
        chooser = random.Random(seed)
        with contextlib.suppress(OSError), gate.connect() as sock:
            while True:
                asked = chooser.choices(gate.texts, k=chooser.randint(1, 3))
                sock.sendall(b"".join(map(ask, asked)))
                answers = shown(receive(sock, len(asked)))
                done.append(len(answers))
                if answers != [gate.owner(text) for text in asked[: len(answers)]]:
                    wrong.append((asked, answers))
                if len(answers) < len(asked):
                    return

    clients = [threading.Thread(target=client, args=(seed,), daemon=True) for seed in range(16)]
    for each in clients:
        each.start()
    wait_until(lambda: sum(done) > 100, "a hundred answers")
    began = time.monotonic()
    status = gate.node.terminate()
    took_s = time.monotonic() - began
    for each in clients:
        each.join(10)
    gate.stop()

    assert (0, []) == (status, wrong)
    assert took_s < 10


@pytest.mark.parametrize("known", [True, False])
def test_a_head_that_was_begun_before_sigterm_is_the_last(
    server: Server, tokens: dict[str, str], known: bool
) -> None:
    """It is answered, says so, and holds up the end no longer; with a store or without."""
    gate = Gate(server, tokens)
    data = ask(gate.texts[0] if known else ",")
    with gate.connect() as sock:
        # One packet: whoever answers the first request has the beginning of the second.
        sock.sendall(ask(gate.texts[1]) + data[:20])
        receive(sock)
        gate.node.process.send_signal(signal.SIGTERM)
        wait_until(gate.refuses_newcomers, "the end begun")
        sock.sendall(data[20:])
        answer = receive(sock)[0]
        began = time.monotonic()
        rest = drain(sock)
        took_s = time.monotonic() - began
    status = gate.node.terminate()
    gate.stop()

    assert (200 if known else 401) == answer.status
    assert "close" == answer.headers.get("connection")
    assert (0, b"", True) == (status, rest, took_s < 5)
