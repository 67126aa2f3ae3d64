"""A Redis that lies: it answers as told, late, twice, in another order, with garbage or never."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import hiredis
import pytest

from service.core.secret import agent_digest
from service.model import Policy
from service.store.client import Client
from service.store.keys import Keys
from service.store.lane import Asker, Lane
from service.store.outage import Outage
from service.store.resp import Wire
from service.store.scripts import load_all
from service.store.verify import VerifyTail, pack_rules

Command = list[bytes]
KEYS = Keys(b"")
RULES = pack_rules([Policy(name="netbox", letter="n")], 60_000)
KIND = b"nnw"
"""Policy netbox, never ends, may write."""
TAIL = VerifyTail(KEYS, RULES)
NEVER_S = 3.0
"""Who is not told within this is never told."""


class Link(asyncio.Protocol):
    """The liar's side of one connection."""

    def __init__(self, liar: Liar) -> None:
        self._liar = liar
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self.heard: list[Command] = []
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.open = True
        self._liar.links.append(self)
        if self._liar.welcome is not None:
            self._liar.welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (command := self._reader.gets()) is not False:
            greets = command[0] in (b"HELLO", b"SELECT", b"AUTH", b"CLIENT")
            if not greets:
                self.heard.append(command)
            said = (self._liar.greet if greets else self._liar.behave)(self, command)
            if said:
                self.say(said)

    def say(self, data: bytes) -> None:
        """Send *data*, unless the connection is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def later(self, after_s: float, data: bytes) -> None:
        """Send *data* after a while."""
        asyncio.get_running_loop().call_later(after_s, self.say, data)

    def cut(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        self._transport.close()

    def reset(self) -> None:
        """Close it with RST."""
        assert self._transport is not None
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def read_no_more(self) -> None:
        """Let what is sent pile up."""
        assert self._transport is not None
        self._transport.pause_reading()


Behaviour = Callable[[Link, Command], bytes | None]


class Liar:
    """What the fake server does, and what it saw; ``url`` leads to it."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.greet: Behaviour = greeting
        self.welcome: Callable[[Link], None] | None = None
        self.links: list[Link] = []
        self.url = ""

    @property
    def heard(self) -> list[Command]:
        """Every command but the greetings, connection by connection."""
        return [command for link in self.links for command in link.heard]


@asynccontextmanager
async def lying(behave: Behaviour) -> AsyncIterator[Liar]:
    """A fake server that behaves so."""
    liar = Liar(behave)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Link(liar), "127.0.0.1", 0)
    liar.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield liar
    finally:
        server.close()
        for link in liar.links:
            if link.open:
                link.reset()
        await asyncio.sleep(0)


# -- what a server says --------------------------------------------------------------------------


def spell(reply: Any) -> bytes:
    """*reply* as RESP2: bytes, int, None or a list of these."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"*%d\r\n" % len(reply) + b"".join(spell(part) for part in reply)


def greeting(_: Link, command: Command) -> bytes:
    """What a sound Redis 8 says to a newcomer."""
    return b"+OK\r\n" if command[0] != b"HELLO" else spell([b"version", b"8.2.3", b"proto", 2])


def digest_in(command: Command) -> bytes:
    """The digest that a verify asks for."""
    return command[3][-20:]


def owner_of(digest: bytes) -> bytes:
    """Whose token a digest is, for the liar."""
    return b"owner-" + digest.hex().encode()


def verdict(digest: bytes) -> list[Any]:
    """A reply that lets the owner of *digest* pass."""
    return [b"ok", digest[:4], KIND, 1, owner_of(digest), -1, -1, 0, 0]


def right(_: Link, command: Command) -> bytes:
    """What a sound server says: everybody passes, as himself."""
    return b"$1\r\n1\r\n" if command[0] == b"GET" else spell(verdict(digest_in(command)))


def silent(_: Link, __: Command) -> None:
    """Nothing."""


def says(data: bytes) -> Behaviour:
    """Whatever is asked, the answer is *data*."""
    return lambda link, command: data


def unknown(_: Link, command: Command) -> bytes:
    """There is no such token, and the store was set up."""
    if command[0] == b"GET":
        return b"$1\r\n1\r\n"
    return spell([b"unknown", digest_in(command)[:4]])


def first(behave: Behaviour, *, then: Behaviour = right, times: int = 1) -> Behaviour:
    """*behave* for the first commands, and *then* for all others."""
    left = times

    def act(link: Link, command: Command) -> bytes | None:
        nonlocal left
        left -= 1
        return (behave if left >= 0 else then)(link, command)

    return act


# -- who asks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What an asker was told, and after how long."""

    word: str
    owner: bytes
    took_s: float


class Asked(Asker):
    """An asker that writes down every call; *then* is run in each of them, and may raise."""

    def __init__(self, digest: bytes, then: Callable[[], object] | None = None) -> None:
        self.digest = digest
        self.calls: list[Told] = []
        self.reply: list[Any] = []
        self._then = then
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._told = asyncio.Event()

    def decided(self, reply: list[Any], now: float) -> None:
        self.reply = reply
        self._call(reply[0].decode(), reply[4] if reply[0] == b"ok" else b"")

    def undecided(self, reason: str) -> None:
        self._call(f"503 {reason}", b"")

    def _call(self, word: str, owner: bytes) -> None:
        self.calls.append(Told(word, owner, self._loop.time() - self._began))
        self._told.set()
        if self._then is not None:
            self._then()

    async def told(self) -> Told:
        """The one call; TimeoutError when none comes, AssertionError when there are more."""
        async with asyncio.timeout(NEVER_S):
            await self._told.wait()
        assert 1 == len(self.calls), self.calls
        return self.calls[0]


def digest(number: int) -> bytes:
    """One of many digests, all with tags of their own."""
    return b"%04d" % number + b"d" * 16


def put(lane: Lane, asker: Asked) -> Asked:
    """Ask *lane* for *asker*'s digest."""
    seen, now = TAIL.seen(b"", agent_digest(b"liar")), asyncio.get_running_loop().time()
    tail = TAIL(asker.digest[:2], asker.digest, seen, write=False, now=now)
    lane.ask(asker, asker.digest[:4], tail, now=now)
    return asker


def ask(lane: Lane, number: int = 0, then: Callable[[], object] | None = None) -> Asked:
    """Ask *lane* one question."""
    return put(lane, Asked(digest(number), then))


async def word(lane: Lane, number: int = 0) -> str:
    """What *lane* says to one question; the right owner is checked on the way."""
    told = await ask(lane, number).told()
    assert told.owner in (b"", owner_of(digest(number)))
    return told.word


@asynccontextmanager
async def lane_to(
    url: str, *, timeout_s: float = 2.0, most: int = 1000, wires: list[Wire] | None = None
) -> AsyncIterator[Lane]:
    """A lane to the server at *url*; the connections it makes are added to *wires*.

    It goes by the clock of the loop, as must whoever asks it: ``tests/patience.py``.
    """
    client = Client(url, timeout_ms=int(timeout_s * 1000))

    async def dial(factory: Callable[[], Wire]) -> tuple[Wire, bool]:
        wire, fenced = await client.dial(factory)
        if wires is not None:
            wires.append(wire)
        return wire, fenced

    script, clock = load_all()["verify"], asyncio.get_running_loop().time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.store.lane.monotonic", clock)
        patch.setattr("service.store.resp.monotonic", clock)
        patch.setattr("service.store.outage.monotonic", clock)
        lane = Lane(script, dial, born=KEYS.born, outage=Outage(), timeout_s=timeout_s, most=most)
        try:
            yield lane
        finally:
            await lane.aclose()
            await client.aclose()


async def words(askers: list[Asked]) -> list[str]:
    """What each was told, in their order; each must have been told once, and the truth."""
    told = [await asker.told() for asker in askers]
    for asker, each in zip(askers, told, strict=True):
        assert each.owner in (b"", owner_of(asker.digest))
    return [each.word for each in told]


async def connected(lane: Lane) -> Lane:
    """The lane once its connection stands."""
    assert "ok" == await word(lane, 9_999)
    return lane
