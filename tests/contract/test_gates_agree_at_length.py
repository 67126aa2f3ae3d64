"""Both gates in one process, on transports a test cuts: a hundred thousand streams of bytes.

``FUZZ_CASES`` sets how many (``make fuzz`` takes many more). A failure prints the stream.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.app import App
from service.config import load
from service.gate.ground import KEPT
from service.gate.lane import Lane
from service.protocol import LINGER, Limited
from tests.bearers import AGENT, fates
from tests.conftest import or_skip
from tests.contract.test_gates_agree import (
    ADDRESSES,
    BODIES,
    CONNECTIONS,
    MOUNTS,
    NEAR,
    ODD,
    QUIETLY,
    SETTINGS,
    same,
)
from tests.loopback import Wire
from tests.nodes import environment
from tests.servers import NEWEST, Server

CASES = int(os.environ.get("FUZZ_CASES", "100000"))
SEEDS = range(5)
KINDS = ("plain", "keeping", "trusting")
AT_ONCE = 100
LATE_S = 600
DEFAULTS = [(b"date", b"Sun, 22 Nov 2026 00:00:00 GMT"), (b"server", b"uvicorn")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis for this module alone."""
    made = or_skip(lambda: Server(NEWEST))
    yield made
    made.discard()


@pytest.fixture(scope="module")
def tokens(server: Server) -> list[bytes]:
    """A token of every fate, most often one that passes."""
    made = fates(server.url)
    good = [made["never ends"], made["bound here"], made["fixed end"], made["odd name"]]
    return [text.encode() for text in [*made.values(), *good * 8]]


# -- streams -------------------------------------------------------------------------------------

METHODS = [b"GET"] * 6 + [b"HEAD", b"POST", b"DELETE", b"OPTIONS", b"PROPFIND", b"CONNECT", b"get"]
SCHEMES = [b"Authorization: Token "] * 4 + [b"Authorization: Bearer "] * 4 + [
    b"authorization: token ", b"AUTHORIZATION:Bearer\t", b"X-Auth-Token: ", b"X-Auth-Token: Token ",
    b"X-Authentication: ", b"Cookie: token=", b"Cookie: a=b; token=", b"Authorization: Basic ",
    b"Authorization: Token", b"Authorization: Token  ", b"Authorization:  Token ", b"X-Other: ",
]  # fmt: skip
LINES = [
    b"User-Agent: " + AGENT, b"User-Agent: other", b"user-agent: " + AGENT, b"Accept: */*",
    b"X-Original-Method: GET", b"X-Original-Method: POST", b"X-Forwarded-Method: GET",
    b"X-Forwarded-Method: PUT", b"X-Auth-User: root", b"Via: 1.1 a", b"Origin: http://a",
    b"X-Original-Method: OPTIONS", b"Access-Control-Request-Method: PUT", b"Origin: b",
    b"Accept-Encoding: gzip", b"X-Request-Id: 7", b"Cookie: a=b", b"Content-Length: 0",
    *(b"Connection: " + value.encode() for value in CONNECTIONS),
    *(b"X-Forwarded-For: " + value.encode() for value in ADDRESSES),
]  # fmt: skip


class Streams:
    """Streams of bytes, from quite usual to quite broken, in pieces."""

    def __init__(self, seed: int, tokens: list[bytes]) -> None:
        self._random, self._other = random.Random(seed), random.Random(seed)
        self._tokens = tokens

    def make(self) -> list[bytes]:
        """One stream."""
        chance = self._random
        data = b"".join(self._request() for _ in range(chance.choice((1, 1, 1, 2, 3))))
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            data = self._spoil(data)
        if chance.random() < 0.04:
            data = data.replace(b"\r\n", b"\n")
        return self._cut(data)

    def _request(self) -> bytes:
        chance = self._random
        path = chance.choice(MOUNTS if chance.random() < 0.9 else NEAR).encode()
        suffix = self._other.choice((b"", b"%7Cno_keepalive", QUIETLY))
        asked = b"?token=" + self._token() + suffix
        path += chance.choice((b"",) * 8 + (b"?a=b", asked, b"x/y"))
        version = chance.choice((b"1.1",) * 12 + (b"1.0", b"1.2"))
        text = self._token() + self._other.choice((b"",) * 12 + (QUIETLY,))
        lines = [b"Host: a", chance.choice(SCHEMES) + text]
        lines += [chance.choice(LINES) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
        if chance.random() < 0.15:  # a second credential, the same or another
            lines.append(chance.choice(SCHEMES) + (text if self._evenly() else self._token()))
        if chance.random() < 0.3:
            chance.shuffle(lines)
        head = b"%b %b HTTP/%b\r\n" % (chance.choice(METHODS), path, version)
        end = b"\r\n" if chance.random() < 0.85 else chance.choice(BODIES)
        return head + b"".join(line + b"\r\n" for line in lines) + end

    def _evenly(self) -> bool:
        return self._random.random() < 0.5

    def _token(self) -> bytes:
        text = self._random.choice(self._tokens)
        if self._random.random() < 0.05:
            at = self._random.randrange(len(text))
            text = text[:at] + self._random.choice(ODD) + text[at + 1 :]
        return text

    def _spoil(self, data: bytes) -> bytes:
        chance = self._random
        at = chance.randrange(len(data))
        flaw = chance.choice(ODD) if chance.random() < 0.7 else chance.randbytes(2)
        return data[:at] + flaw + data[at + chance.randrange(4) :]

    def _cut(self, data: bytes) -> list[bytes]:
        chance = self._random
        kind = chance.random()
        if kind < 0.6:
            return [data]
        if kind < 0.63:
            return [data[at : at + 1] for at in range(len(data))]
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, 4)))
        places = [0, *cuts, len(data)]
        return [data[a:b] for a, b in pairwise(places) if a < b]


# -- twins ---------------------------------------------------------------------------------------


class Line(Wire):
    """The server's end of a connection from this machine; silent once it is closed."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            super().write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        addresses = {"peername": ("127.0.0.1", 5000), "sockname": ("127.0.0.1", 80)}
        return addresses.get(name, default)


def _idle(protocol: Limited) -> bool:
    cycle = protocol.cycle
    return cycle is None or (cycle.response_complete and not protocol.pipeline)


class House:
    """One application, and connections to it through either gate."""

    def __init__(self, url: str, settings: dict[str, str]) -> None:
        self.app = App(load(env=environment(url, settings)))
        self.config = uvicorn.Config(self.app, log_config=None, ws="none", proxy_headers=False)
        self.config.load()
        self.state: dict[str, Any] = {}

    async def __aenter__(self) -> House:
        self.state["limits"] = self.app.limits()
        self.state["gate"] = self.app._ground()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.house.aclose()

    async def say(self, kind: type[Limited], pieces: list[bytes]) -> bytes:
        """Everything that a new connection answers to *pieces*."""
        shared, line = ServerState(), Line()
        shared.default_headers = DEFAULTS
        protocol = kind(self.config, shared, self.state, _loop=asyncio.get_running_loop())
        protocol.connection_made(line)
        for piece in pieces:
            if line.closed:
                break
            protocol.data_received(piece)
            if len(piece) % 3:  # now and then two pieces come in one turn of the event loop
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while not (line.closed or protocol._phase == LINGER or _idle(protocol)):  # noqa: ASYNC110
                await asyncio.sleep(0.0005)
        line.closed = True
        protocol.connection_lost(None)
        return line.written


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_same_stream_gets_the_same_bytes(
    server: Server, tokens: list[bytes], kind: str, seed: int
) -> None:
    """However it is cut, and whatever was asked before: nothing but the path taken differs."""
    streams = Streams(seed, tokens)
    async with House(server.url, SETTINGS[kind]) as house:
        passed = 0
        for _ in range(0, CASES // (len(KINDS) * len(SEEDS)), AT_ONCE):
            made = [streams.make() for _ in range(AT_ONCE)]
            fast = await asyncio.gather(*(house.say(Lane, pieces) for pieces in made))
            slow = await asyncio.gather(*(house.say(Limited, pieces) for pieces in made))
            for pieces, one, other in zip(made, fast, slow, strict=True):
                assert same(other, one, LATE_S), f"{pieces!r}\nlane:    {one!r}\nwithout: {other!r}"
                passed += b" 200 OK\r\n" in one
        counts, shapes = house.state["gate"].counts.verdicts, house.state["gate"].shapes

    assert passed > CASES // (len(KINDS) * len(SEEDS)) // 6, "most streams were nonsense"
    assert len(counts) > 4
    assert shapes


async def test_every_answer_is_counted(server: Server, tokens: list[bytes]) -> None:
    """By its reason, and the time in Redis of those that asked there."""
    async with House(server.url, {}) as house:
        head = b"GET /authz/ext HTTP/1.1\r\nHost: a\r\n%b\r\n"
        for text, times in ((tokens[0], 3), (b"0" * 40, 2), (b",", 4)):
            for _ in range(times):
                await house.say(Lane, [head % (b"Authorization: Token " + text + b"\r\n")])
        await house.say(Lane, [head % b""])
        counts = house.state["gate"].counts

    assert {b"ok": 3, b"unknown": 2, b"malformed": 4, b"missing": 1} == counts.verdicts
    assert 5 == sum(counts.latency)


ALIKE = b"GET /authz/ext HTTP/1.1\r\nHost: a\r\nAuthorization: Token %b\r\n\r\n"
PREFLIGHT = (
    b"OPTIONS /authz/ext HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n"
    b"Access-Control-Request-Method: PUT\r\n\r\n"
)


@pytest.mark.parametrize("kind", [Lane, Limited])
async def test_both_gates_count_alike(server: Server, kind: type[Limited]) -> None:
    """Verdicts, preflights, and the uses from elsewhere that a policy only logs."""
    made = await asyncio.to_thread(fates, server.url)
    settings = {
        "TOKENHOUSE_POLICY__TOWER__BIND_IP": "log",
        "TOKENHOUSE_POLICY__TOWER__BIND_AGENT": "log",
        "TOKENHOUSE_GATE__PREFLIGHT": "true",
    }
    async with House(server.url, settings) as house:
        for fate in ("bound here", "bound to home", "moved", "revoked", "word"):
            await house.say(kind, [ALIKE % made[fate].encode()])
        await house.say(kind, [PREFLIGHT])
        counts = house.state["gate"].counts
        mismatches = house.app.house.tokens.mismatches.counts

    assert {b"ok": 3, b"revoked": 1, b"unknown": 1, b"preflight": 1} == counts.verdicts
    assert 5 == sum(counts.latency)
    assert {("tower", "address"): 1, ("tower", "agent"): 2} == mismatches


SECRETS = [
    b"X-Auth-Token: s3cret", b"X-Authentication: s3cret", b"Cookie: token=s3cret",
    b"Proxy-Authorization: Basic s3cret", b"X-Api-Key: s3cret", b"X-Anything: s3cret",
    b"authorization: Token s3cret",
]  # fmt: skip


async def test_what_may_hold_a_secret_is_no_shape(server: Server, tokens: list[bytes]) -> None:
    """Nothing of a request is remembered that bears more than what everybody sends."""
    async with House(server.url, SETTINGS["trusting"]) as house:
        head = b"GET /authz/ext%b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n%b\r\n"
        for line in (*SECRETS, b"Accept: */*"):
            await house.say(Lane, [head % (b"", b"s3cret", line + b"\r\n")])
            await house.say(Lane, [head % (b"", tokens[0], line + b"\r\n")])
        await house.say(Lane, [head % (b"?token=s3cret", b"s3cret", b"")])
        remembered = house.state["gate"].shapes

    assert ["Accept: */*" in repr(key) for key in remembered] == [True]
    assert "s3cret" not in repr(remembered)


async def test_what_is_remembered_of_shapes_is_bounded(server: Server, tokens: list[bytes]) -> None:
    """Thousands of agents are forgotten again, and long heads are not remembered at all."""
    async with House(server.url, {}) as house:
        first = b"GET /authz/ext HTTP/1.1\r\nHost: a\r\nAuthorization: Token %b\r\n"
        head = first + b"User-Agent: %b\r\n\r\n"
        shapes = house.state["gate"].shapes
        most = 0
        for number in range(KEPT + 10):
            await house.say(Lane, [head % (tokens[0], b"agent %d" % number)])
            most = max(most, len(shapes))
        before = len(shapes)
        lines = b"Accept: */*\r\nVia: " + b"x" * 500 + b"\r\nOrigin: " + b"x" * 500
        for name in (b"Accept-Language", b"Pragma", b"DNT"):
            lines += b"\r\n" + name + b": " + b"x" * 490
        await house.say(Lane, [head % (tokens[0], b"a\r\n" + lines)])

    assert most == KEPT
    assert before == len(shapes) < 20
