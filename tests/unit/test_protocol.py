"""The limits of the HTTP protocol, on real sockets against a real uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from service.limits import Limits
from service.protocol import Limited
from tests.loopback import (
    GET,
    LAST,
    SHORT,
    App,
    Latch,
    Wire,
    answers,
    connect,
    drain,
    first_answer,
    head_of,
    serving,
    statuses,
    talk,
    wait_for,
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the limits as they are by default."""
    with serving(App()) as number:
        yield number


def test_a_connection_serves_one_request_after_another(port: int) -> None:
    """Keep-alive is kept, with and without pipelining."""
    with connect(port) as sock:
        sock.sendall(GET % b"one")

        assert [(200, b"one:0")] == first_answer(sock)

        sock.sendall(GET % b"two" + LAST)

        assert [(200, b"two:0"), (200, b"last:0")] == answers(drain(sock))


def test_http_1_0_needs_no_host_and_ends_with_its_answer(port: int) -> None:
    """The oldest version we speak is served once per connection."""
    assert [(200, b"old:0")] == answers(talk(port, b"GET /old HTTP/1.0\r\n\r\n"))


@pytest.mark.parametrize("before", [b"", GET % b"a"], ids=["alone", "behind another"])
@pytest.mark.parametrize(("size", "status"), [(16384, 200), (16385, 431), (40000, 431)])
def test_a_head_may_be_as_large_as_the_limit(
    port: int, before: bytes, size: int, status: int
) -> None:
    """The last allowed byte is served and the next one refused, wherever the head begins."""
    assert status == statuses(talk(port, before + head_of(size)))[-1]


def test_a_head_that_never_ends_is_refused_while_it_arrives(port: int) -> None:
    """No end of the head is needed to see that it is too large."""
    assert [431] == statuses(talk(port, b"GET /" + b"x" * 20000))


@pytest.mark.parametrize(("count", "status"), [(98, 200), (99, 431), (500, 431)])
def test_a_head_may_have_as_many_lines_as_the_limit(port: int, count: int, status: int) -> None:
    """One hundred headers are served (two of them are in LAST), one more is refused."""
    lines = b"a: b\r\n" * count

    assert [status] == statuses(talk(port, LAST[:-2] + lines + b"\r\n"))


@pytest.mark.parametrize(
    "data",
    [
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /x\r\n\r\n",
        b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_request_that_is_not_http_is_answered_with_400(port: int, data: bytes) -> None:
    """Whatever cannot be one clear request ends the connection with one answer."""
    assert [400] == statuses(talk(port, data))


@pytest.mark.parametrize("length", [b"x", b"-1", b"1, 2", b"9" * 20, b"9" * 4000, b"65537", b"1_0"])
def test_an_absurd_content_length_is_refused_at_once(port: int, length: bytes) -> None:
    """No number and no letters in Content-Length crash anything or are waited for."""
    data = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n" % length

    assert statuses(talk(port, data))[0] in (400, 413)


def test_a_refusal_says_no_store_and_closes(port: int) -> None:
    """Every refusal carries the same headers and the server's own."""
    head = talk(port, b"GET /x HTTP/1.1\r\n\r\n").split(b"\r\n\r\n")[0]

    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
    expected = [b"date", b"content-type", b"content-length", b"connection", b"cache-control"]
    assert expected == names


def test_the_answer_to_head_has_no_body(port: int) -> None:
    """A refusal of HEAD ends with its headers."""
    raw = talk(port, b"HEAD /x HTTP/1.1\r\n\r\n")

    assert raw.endswith(b"\r\n\r\n")
    assert b"content-length: 11" in raw


def test_a_declared_body_over_the_limit_never_reaches_the_app() -> None:
    """413 comes at once, also to a client that waits for 100 Continue."""
    app = App(max_body=10)
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"
    with serving(app) as port:
        assert [413] == statuses(talk(port, head))
    assert [] == app.seen


def test_expect_gets_100_and_then_the_answer(port: int) -> None:
    """A client that asks before it sends is told to go on."""
    with connect(port) as sock:
        sock.sendall(LAST.replace(b"GET", b"POST")[:-2])
        sock.sendall(b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")

        assert b"HTTP/1.1 100 Continue\r\n\r\n" == sock.recv(65536)

        sock.sendall(b"abc")

        assert [(200, b"last:3")] == answers(drain(sock))


CHUNKED = b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_chunked_body_is_served_and_its_trailers_stay_outside() -> None:
    """The body arrives whole; trailing headers never join those of the request."""
    app = App()
    with serving(app) as port:
        raw = talk(port, CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Evil: 1\r\n\r\n" + LAST)

        assert [(200, b"chunks:5"), (200, b"last:0")] == answers(raw)

        talk(port, CHUNKED + b"0\r\nX-Evil: 1\r\n\r\nBAD\r\n")

        assert [b"host", b"transfer-encoding"] == [name for name, _ in app.headers]


@pytest.mark.parametrize(
    "flood",
    [b"5\r\nabcde\r\n" * 3, b"1;" + b"x" * 40000, b"0\r\n" + b"a: b\r\n" * 8000],
    ids=["body", "extension", "trailers"],
)
def test_a_chunked_body_over_the_limit_is_413_and_the_app_is_told(flood: bytes) -> None:
    """Chunks are counted as they come; to the app it looks as if the client had gone."""
    app = App(max_body=10)
    with serving(app) as port:
        assert [(413, b"Request Entity Too Large")] == answers(talk(port, CHUNKED + flood))
        wait_for(lambda: "end chunks" in app.seen or not app.seen)
    assert app.seen in ([], ["begin chunks", "gone chunks", "end chunks"])


def test_a_body_over_the_limit_behind_a_finished_answer_is_not_answered_again(port: int) -> None:
    """One request never gets two answers."""
    with connect(port) as sock:
        sock.sendall(CHUNKED.replace(b"chunks", b"early") + b"3\r\nabc\r\n")

        assert [(200, b"early")] == first_answer(sock)

        with contextlib.suppress(OSError):
            sock.sendall((b"ffff\r\n" + bytes(0xFFFF) + b"\r\n") * 3)

        assert b"" == drain(sock)


def test_a_silent_connection_is_closed_without_a_word() -> None:
    """Who says nothing is told nothing."""
    with serving(App(**SHORT)) as port:
        assert b"" == talk(port, b"")


def test_a_head_that_does_not_arrive_in_time_is_408() -> None:
    """A byte now and then does not buy more time."""
    with serving(App(**SHORT)) as port, connect(port) as sock:
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
                sock.sendall(bytes([byte]))
                time.sleep(0.02)

        assert [408] == statuses(drain(sock))


@pytest.mark.parametrize(("path", "status"), [(b"post", 408), (b"early", 200), (b"begun", 200)])
def test_a_body_that_does_not_arrive_in_time_is_408_or_the_end(path: bytes, status: int) -> None:
    """The deadline answers only when the app has not."""
    head = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab" % path
    app = App(**SHORT)
    with serving(app) as port:
        assert [status] == statuses(talk(port, head))


def test_an_idle_connection_is_closed_without_a_word() -> None:
    """Between two requests there is time, but not for ever."""
    with serving(App(**SHORT)) as port:
        begun = time.monotonic()

        assert [(200, b"one:0")] == answers(talk(port, GET % b"one"))
        assert 0.25 < time.monotonic() - begun < 5


def test_a_slow_answer_outlives_every_deadline_of_reading() -> None:
    """The time we take ourselves is not the client's fault."""
    with serving(App(**(SHORT | {"idle_timeout_s": 0.1}))) as port:
        assert [(200, b"slow")] == answers(talk(port, GET % b"slow"))


@pytest.mark.parametrize("path", [b"endless", b"one"])
def test_an_answer_that_nobody_reads_is_dropped(path: bytes) -> None:
    """A full write buffer does not hold the connection, the task or the shutdown."""
    app = App(**SHORT)
    with serving(app) as port, connect(port) as sock:
        sock.sendall(GET % path)

        wait_for(lambda: f"end {path.decode()}" in app.seen)


def test_refusals_wait_for_the_answers_before_them() -> None:
    """What comes last on the connection is answered last, be it good or bad."""
    bad = [b"BAD\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", head_of(20000), CHUNKED + b"ffff\r\n"]
    bad[3] += bytes(0xFFFF) + b"\r\n5\r\nabcde\r\n"
    with serving(App()) as port:
        found = [talk(port, GET % b"slow" + GET % b"b" + end) for end in bad]

    assert [[200, 200, 400], [200, 200, 400], [200, 200, 431], [200, 200, 413]] == [
        statuses(raw) for raw in found
    ]


def test_a_request_behind_a_closing_one_is_left_alone(port: int) -> None:
    """After `Connection: close` nothing is answered any more."""
    assert [(200, b"last:0")] == answers(talk(port, LAST + GET % b"a" + b"BAD\r\n\r\n"))


def test_a_long_queue_of_requests_is_cut(port: int) -> None:
    """A packet of tiny requests cannot grow the queue without end."""
    found = statuses(talk(port, GET % b"slow" + GET % b"a" * 400))

    assert [200] * 101 + [503] == found


def test_too_many_requests_in_flight_are_503(tmp_path: Path) -> None:
    """Only running requests count, and the next one is welcome when they are done."""
    latch = Latch(tmp_path)
    with serving(App(in_flight=1)) as port, connect(port) as first, connect(port):
        first.sendall(GET % latch.path)
        latch.wait()

        raw = talk(port, GET % b"a")

        assert [(503, b"Service Unavailable")] == answers(raw)
        assert b"\r\nretry-after: 1\r\n" in raw
        latch.let_go.touch()
        assert [(200, b"held")] == first_answer(first)
        assert [(200, b"last:0")] == answers(talk(port, LAST))


def test_the_renderer_speaks_for_the_path() -> None:
    """The app chooses shape and words of a refusal by status and path."""
    app = App(refuse=lambda status, path: (b"text/x", b"%d %b" % (status, path)))
    with serving(app) as port:
        assert [(400, b"400 /a/b")] == answers(talk(port, b"GET /a/b?c HTTP/1.1\r\n\r\n"))
        assert [(400, b"400 ")] == answers(talk(port, GET % b"x" + b"\0\r\n"))[1:]


def test_a_renderer_that_fails_does_not_take_the_answer_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refusal is always said, in plain text if need be."""
    with serving(App(refuse=lambda status, path: 1 / 0)) as port:
        assert [(400, b"Bad Request")] == answers(talk(port, b"GET / HTTP/1.1\r\n\r\n"))
    assert ["the renderer of refusals failed"] == [
        r.getMessage() for r in caplog.records if r.levelno > logging.WARNING
    ]


@pytest.mark.parametrize("wish", [b"websocket", b"h2c"])
@pytest.mark.parametrize("body", [b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_upgrade_request_is_served_as_any_other(
    port: int, wish: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Its body and the request behind it are read, and nothing is logged."""
    sent = {b"": b"", b"C": b"abc", b"T": b"3\r\nabc\r\n0\r\n\r\n"}[body[:1]]
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n%b\r\n"
    upgrade = head % (wish, body) + sent

    raw = talk(port, upgrade + GET % b"two" + upgrade + LAST)

    up = (200, b"up:%d" % (3 if body else 0))
    assert [up, (200, b"two:0"), up, (200, b"last:0")] == answers(raw)
    assert [] == [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_many_upgrades_in_one_packet_are_all_served() -> None:
    """Each of them stops the parser, and none of them is a level of recursion."""
    upgrade = b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with serving(App(header_bytes=200_000, pipelined=3000)) as port:
        assert [200] * 2001 == statuses(talk(port, upgrade * 2000 + LAST))


def test_a_client_that_leaves_is_noticed_behind_its_own_queue() -> None:
    """The running request is told, not only the newest one."""
    app = App()
    with serving(app) as port:
        with connect(port) as sock:
            sock.sendall(GET % b"wait" + GET % b"a")
            wait_for(lambda: "begin wait" in app.seen)
        wait_for(lambda: "end wait" in app.seen)

    assert ["begin wait", "gone wait", "end wait"] == app.seen


async def feed(config: uvicorn.Config, pieces: list[bytes]) -> bytes:
    """What the protocol writes when its bytes come in these *pieces*."""
    state, wire = ServerState(), Wire()
    limits = Limits(header_bytes=200, header_count=6, max_body=20)
    protocol = Limited(config, state, {"limits": limits}, _loop=asyncio.get_running_loop())
    protocol.connection_made(wire)
    for piece in pieces:
        protocol.data_received(piece)
        await asyncio.sleep(0)
    while state.tasks:
        await asyncio.wait(state.tasks)
    wire.close()
    protocol.connection_lost(None)
    return wire.written


async def test_no_request_makes_a_timer_of_its_own() -> None:
    """One sweeper serves all connections of a process."""
    config = uvicorn.Config(App(), log_config=None, ws="none")
    config.load()
    state = ServerState()
    lanes = [Limited(config, state, {}, _loop=asyncio.get_running_loop()) for _ in range(2)]
    for lane in lanes:
        lane.connection_made(Wire())
        lane.data_received(GET % b"a")
    await asyncio.wait(state.tasks)

    assert [None, None] == [lane.timeout_keep_alive_task for lane in lanes]
    assert 1 == len({id(lane._sweeper) for lane in lanes})


PARTS = [
    GET % b"a",
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + b"x" * 20,
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n" + b"x" * 21,
    CHUNKED + b"3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    CHUNKED + b"14\r\n" + b"x" * 20 + b"\r\n1\r\ny\r\n0\r\n\r\n",
    b"POST /u HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n"
    b"Content-Length: 2\r\n\r\nab",
    head_of(200, b""),
    head_of(201, b""),
    GET[:-2] % b"n" + b"a: b\r\n" * 6 + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    LAST,
]


@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4), data=st.data())
@settings(max_examples=300, deadline=None)
def test_the_answer_does_not_depend_on_where_the_bytes_are_cut(
    parts: list[bytes], data: st.DataObject
) -> None:
    """The network may deliver a request in any pieces."""
    raw = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))
    pieces = [raw[i:j] for i, j in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    config = uvicorn.Config(App(), log_config=None, ws="none", proxy_headers=False)
    config.load()

    assert asyncio.run(feed(config, [raw])) == asyncio.run(feed(config, pieces))
