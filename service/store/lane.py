"""One multiplexed connection to Redis for verify alone: callbacks instead of tasks and futures.

Whatever is slow or big goes through ``store/client.py``, which also stays the owner of address,
credentials and TLS. Commands of one turn of the event loop go out in one write; replies come back
in order, and each carries the first bytes of the digest that was asked for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import hiredis

from service.errors import StoreDown
from service.store.outage import Outage
from service.store.resp import Wire, bulk, code_of, head_of, ignore
from service.store.scripts import Script

log = logging.getLogger(__name__)

TAG_BYTES = 4
AGAIN_S = 0.005
BACK_OFF_S = (0.01, 1.0)
EAGER_S = 0.05
"""With somebody waiting, a connection is tried at least this often."""

# Answers by which a server says that it is not the one to ask, or not now.
_ELSEWHERE = ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "MOVED", "ASK")


class Asker:
    """One question and who waits for its verdict; told exactly once, by either method.

    The lane keeps its own notes in the same object, since one is made for every request. *waits*
    until it was told; *unknown* is verify's reply while the mark of birth is looked for.
    """

    __slots__ = ("asked_at", "sent_again", "tag", "tail", "unknown", "waits")

    tag: bytes
    tail: bytes
    asked_at: float
    sent_again: bool
    unknown: list[Any] | None
    waits: bool

    def decided(self, reply: list[Any], now: float) -> None:
        """Take the script's reply, heard *now* (``time.monotonic``); not expected to raise."""
        raise NotImplementedError

    def undecided(self, reason: str) -> None:
        """There is no verdict, and why in a word (always 503); not expected to raise."""
        raise NotImplementedError


class _Waiting(Asker):
    """Somebody who awaits the reply."""

    __slots__ = ("answer",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[list[Any]] = loop.create_future()

    def decided(self, reply: list[Any], now: float) -> None:
        if not self.answer.done():  # who has gone is told nothing
            self.answer.set_result(reply)

    def undecided(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(StoreDown(reason))


class Dial(Protocol):
    """How a connection is made and greeted (``store/client.py`` knows)."""

    async def __call__(self, factory: Callable[[], Wire]) -> tuple[Wire, bool]:
        """(the connection, whether the server knows the ``#!lua`` fence); may raise."""


class Lane:
    """Verify over one connection; made in the event loop that uses it.

    *timeout_s* holds for every question from the moment it is asked; *most* may be under way at a
    time, a further one is turned down at once.
    """

    def __init__(
        self,
        script: Script,
        dial: Dial,
        *,
        born: bytes,
        outage: Outage,
        timeout_s: float,
        most: int,
    ) -> None:
        self._dial = dial
        self._outage = outage
        self._born = b"*2\r\n%b%b" % (bulk(b"GET"), bulk(born))
        self._timeout_s = timeout_s
        self._most = most
        self._heads = {
            fenced: head_of(b"EVALSHA", sha)
            for fenced, sha in ((True, script.sha_fenced), (False, script.sha_plain))
        }
        self._sources = {
            fenced: head_of(b"EVAL", source)
            for fenced, source in ((True, script.fenced), (False, script.plain))
        }
        self._loop = asyncio.get_running_loop()
        self._wire: Wire | None = None
        self._fenced = False
        self._head = self._heads[False]
        self._sent: deque[Asker] = deque()  # in the order of the replies to come
        self._waiting: deque[Asker] = deque()  # for a connection
        self._out: list[bytes] = []
        self._corked = False
        self._sweeping = False
        self._wanted = asyncio.Event()
        self._lost = asyncio.Event()
        self._made_at = 0.0
        self._quiet_since = 0.0
        self._connector = self._loop.create_task(self._keep_connected())

    # -- asking --------------------------------------------------------------------------------

    def ask(self, asker: Asker, tag: bytes, tail: bytes, *, now: float) -> None:
        """Run verify; *tag* begins the digest, *tail* follows the script (``VerifyTail``).

        *now* is ``time.monotonic``, as are all times here.
        """
        wire, sent = self._wire, self._sent
        if wire is None or wire.paused or len(sent) >= self._most:
            self._ask_later(asker, tag, tail, now=now)
            return
        asker.tag, asker.tail, asker.asked_at = tag, tail, now
        asker.sent_again, asker.unknown, asker.waits = False, None, True
        if not sent:
            self._quiet_since = now
            if not self._sweeping:
                self._watch()
        sent.append(asker)
        out = self._out
        if not out and not self._corked:
            self._loop.call_soon(self._flush)
        out += (self._head, tail)

    def _ask_later(self, asker: Asker, tag: bytes, tail: bytes, *, now: float) -> None:
        """Wait for a connection, or be turned down."""
        if self._wire is not None or len(self._waiting) >= self._most:
            asker.waits = False
            asker.undecided("overloaded")
            return
        asker.tag, asker.tail, asker.asked_at = tag, tail, now
        asker.sent_again, asker.unknown, asker.waits = False, None, True
        if not self._sweeping:
            self._watch()
        self._waiting.append(asker)
        self._wanted.set()

    def reply(self, tag: bytes, tail: bytes) -> asyncio.Future[list[Any]]:
        """What ``ask`` would tell an asker; StoreDown when there is no verdict."""
        waiting = _Waiting(self._loop)
        self.ask(waiting, tag, tail, now=monotonic())
        return waiting.answer

    def _send(self, asker: Asker, *command: bytes) -> None:
        self._sent.append(asker)
        if not self._out and not self._corked:
            self._loop.call_soon(self._flush)
        self._out += command

    def _send_again(self, asker: Asker) -> None:
        """Ask from the start, on whatever connection there is."""
        asker.unknown = None
        if not self._sweeping:
            self._watch()
        if self._wire is None:
            self._waiting.append(asker)
            self._wanted.set()
        else:
            self._send(asker, self._head, asker.tail)

    def cork(self) -> None:
        """Send nothing until ``uncork``, which is called in the same turn of the event loop."""
        self._corked = True

    def uncork(self) -> None:
        """Send what was asked since ``cork``."""
        self._corked = False
        self._flush()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._wire is not None:
            self._wire.write(b"".join(out))

    # -- hearing -------------------------------------------------------------------------------

    def _heard(self, reply: Any) -> None:
        if not self._sent:
            log.critical("redis answered what nobody asked: connection dropped")
            self._drop()
            return
        asker = self._sent.popleft()
        if type(reply) is not list or asker.unknown is not None:
            self._heard_other(asker, reply)
        elif len(reply) < 2 or reply[1] != asker.tag:
            log.critical("redis answered another question: connection dropped")
            self._abandon(asker, "crossed replies")
        elif reply[0] == b"unknown":
            # Whose store is empty must not be told that his token is: first, is this our store?
            asker.unknown = reply
            self._send(asker, self._born)
        elif asker.waits:
            self._decide(asker, reply)

    def _decide(self, asker: Asker, reply: list[Any]) -> None:
        asker.waits = False
        try:
            asker.decided(reply, self._wire.heard_at if self._wire else monotonic())
        except Exception:
            # He was told, so nobody may tell him again; the connection and the order are sound.
            log.exception("an asker failed")

    def _fail(self, asker: Asker, reason: str) -> None:
        if asker.waits:
            asker.waits = False
            self._outage.failed(reason)
            try:
                asker.undecided(reason)
            except Exception:
                log.exception("an asker failed")

    def _heard_other(self, asker: Asker, reply: Any) -> None:
        """An error, or the answer to the second question: is the mark of birth there?"""
        if isinstance(reply, hiredis.HiredisError):
            self._faulted(asker, str(reply))
        elif asker.unknown is None or not isinstance(reply, bytes | None):
            log.critical("redis answered another question: connection dropped")
            self._abandon(asker, "crossed replies")
        elif reply is None:
            self._fail(asker, "not set up")
        elif asker.waits:
            self._decide(asker, asker.unknown)

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.drop()

    def _abandon(self, first: Asker, reason: str) -> None:
        """Trust nothing more of this connection: everything under way is undecided."""
        lost, self._sent = self._sent, deque()
        self._drop()
        for asker in (first, *lost):
            self._fail(asker, reason)

    def _faulted(self, asker: Asker, text: str) -> None:
        """Deal with an error in place of a reply."""
        word = code_of(text)
        if not asker.waits:
            return
        if "NOSCRIPT" in text[:40]:
            self._send(asker, self._sources[self._fenced], asker.tail)
        elif word == "TRYAGAIN" and monotonic() + AGAIN_S < asker.asked_at + self._timeout_s:
            self._loop.call_later(AGAIN_S, self._send_again, asker)
        else:
            self._fail(asker, word.lower())
            if word in _ELSEWHERE:
                self._look_again()

    def _look_again(self) -> None:
        """Connect anew, at most once a second: the address may lead elsewhere by now."""
        if monotonic() - self._made_at > BACK_OFF_S[1]:
            self._drop()

    # -- deadlines -----------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Turn away whose deadline has passed; his place stays, so that the order holds."""
        now = monotonic()
        late = now - self._timeout_s
        for asker in self._sent:
            if asker.asked_at <= late:
                self._fail(asker, "timeout")
        while self._waiting and self._waiting[0].asked_at <= late:
            self._fail(self._waiting.popleft(), "timeout")
        self._check_silence(now)
        if self._outage.since is not None and self._wire is not None:
            self._outage.worked(self._wire.heard_at)
        if self._sent or self._waiting:
            self._watch()
        else:
            self._sweeping = False

    def _watch(self) -> None:
        self._sweeping = True
        self._loop.call_later(self._timeout_s / 8, self._sweep)

    def _check_silence(self, now: float) -> None:
        wire = self._wire
        if wire is None or not self._sent:
            self._quiet_since = now
        elif now - max(self._quiet_since, wire.heard_at) > 2 * self._timeout_s:
            log.warning("redis is silent: connection dropped")
            wire.drop()

    # -- connecting ----------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        pause_s = BACK_OFF_S[0]
        while True:
            if await self._connect():
                await self._lost.wait()
                if monotonic() - self._made_at > BACK_OFF_S[1]:
                    pause_s = BACK_OFF_S[0]
            else:
                self._turn_away()
            await self._rest(pause_s)
            pause_s = min(pause_s * 2, BACK_OFF_S[1])

    async def _connect(self) -> bool:
        """Make a connection and send on it whatever waits."""
        try:
            async with asyncio.timeout(self._timeout_s):
                wire, self._fenced = await self._dial(self._new_wire)
        except Exception as error:
            log.debug("no connection for verify: %s", type(error).__name__)
            return False
        if wire.lost:
            return False
        self._head = self._heads[self._fenced]
        self._lost.clear()
        self._made_at = self._quiet_since = monotonic()
        wire.on_reply = self._heard
        self._wire = wire
        self._send_waiting()
        return True

    def _new_wire(self) -> Wire:
        return Wire(ignore, self._gone)

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for asker in waiting:
            if asker.waits:
                self._send_again(asker)

    def _turn_away(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for asker in waiting:
            self._fail(asker, "unreachable")

    async def _rest(self, pause_s: float) -> None:
        """Wait before the next attempt, less when somebody comes."""
        if not self._waiting:
            self._wanted.clear()
        jittered = pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads nodes, hides nothing
        if jittered <= EAGER_S:
            await asyncio.sleep(jittered)
            return
        await asyncio.sleep(EAGER_S)
        try:
            await asyncio.wait_for(self._wanted.wait(), jittered - EAGER_S)
        except TimeoutError:
            return

    def _gone(self, wire: Wire) -> None:
        """A connection is lost: what was under way on it is asked once more on the next."""
        if wire is not self._wire:
            return
        self._wire = None
        self._out.clear()
        lost, self._sent = self._sent, deque()
        for asker in lost:
            if not asker.waits:
                continue
            if asker.sent_again:
                self._fail(asker, "unreachable")
            else:
                asker.sent_again = True
                self._send_again(asker)
        self._lost.set()

    async def aclose(self) -> None:
        """Close the connection; who still waits is turned away."""
        self._connector.cancel()
        await asyncio.gather(self._connector, return_exceptions=True)
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.drop()
        for asker in (*self._sent, *self._waiting):
            self._fail(asker, "closing")
