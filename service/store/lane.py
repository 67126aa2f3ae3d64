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
from typing import Any, Protocol

import hiredis

from service.store.resp import Wire, bulk, head_of, ignore
from service.store.scripts import Script

log = logging.getLogger(__name__)

TAG_BYTES = 4
AGAIN_S = 0.005
BACK_OFF_S = (0.01, 1.0)
EAGER_S = 0.05
"""With somebody waiting, a connection is tried at least this often."""

# Answers by which a server says that it is not the one to ask, or not now.
_ELSEWHERE = ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "MOVED", "ASK")


class Asker(Protocol):
    """Who waits for a verdict: called exactly once, and not expected to raise."""

    def decided(self, reply: list[Any]) -> None:
        """The script's reply."""

    def undecided(self, reason: str) -> None:
        """There is none, and why in a word (always 503)."""


class Entry:
    """One question under way; *unknown* is verify's reply while the mark of birth is looked for."""

    __slots__ = ("asker", "deadline", "sent_again", "tag", "tail", "unknown")

    def __init__(self, asker: Asker, *, tag: bytes, tail: bytes, deadline: float) -> None:
        self.asker: Asker | None = asker
        self.tag = tag
        self.tail = tail
        self.deadline = deadline
        self.sent_again = False
        self.unknown: list[Any] | None = None


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
        self, script: Script, dial: Dial, *, born: bytes, timeout_s: float, most: int
    ) -> None:
        self._dial = dial
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
        self._sent: deque[Entry] = deque()  # in the order of the replies to come
        self._waiting: deque[Entry] = deque()  # for a connection
        self._out: list[bytes] = []
        self._sweeping = False
        self._wanted = asyncio.Event()
        self._lost = asyncio.Event()
        self._made_at = 0.0
        self._quiet_since = 0.0
        self._connector = self._loop.create_task(self._keep_connected())

    # -- asking --------------------------------------------------------------------------------

    def ask(self, asker: Asker, tag: bytes, tail: bytes) -> None:
        """Run verify; *tail* is the command after the script (see ``verify_tail``)."""
        wire = self._wire
        under_way = len(self._sent) + len(self._waiting)
        if under_way >= self._most or (wire is not None and wire.paused):
            asker.undecided("overloaded")
            return
        deadline = self._loop.time() + self._timeout_s
        entry = Entry(asker, tag=tag, tail=tail, deadline=deadline)
        if not under_way:
            self._quiet_since = deadline - self._timeout_s
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._timeout_s / 8, self._sweep)
        if wire is None:
            self._waiting.append(entry)
            self._wanted.set()
        else:
            self._send(entry, self._heads[self._fenced] + tail)

    def _send(self, entry: Entry, command: bytes) -> None:
        self._sent.append(entry)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(command)

    def _send_again(self, entry: Entry) -> None:
        """Ask from the start, on whatever connection there is."""
        entry.unknown = None
        if self._wire is None:
            self._waiting.append(entry)
            self._wanted.set()
        else:
            self._send(entry, self._heads[self._fenced] + entry.tail)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._wire is not None:
            self._wire.write(b"".join(out))

    # -- hearing -------------------------------------------------------------------------------

    def _heard(self, reply: Any) -> None:
        entry = self._sent.popleft()
        if type(reply) is not list or entry.unknown is not None:
            self._heard_other(entry, reply)
        elif reply[1] != entry.tag:
            log.critical("redis answered another question: connection dropped")
            self._abandon(entry, "crossed replies")
        elif reply[0] == b"unknown":
            # Whose store is empty must not be told that his token is: first, is this our store?
            entry.unknown = reply
            self._send(entry, self._born)
        elif entry.asker is not None:
            self._decide(entry, reply)

    @staticmethod
    def _decide(entry: Entry, reply: list[Any]) -> None:
        asker, entry.asker = entry.asker, None
        if asker is None:
            return
        try:
            asker.decided(reply)
        except Exception:
            # He was told, so nobody may tell him again; the connection and the order are sound.
            log.exception("an asker failed")

    def _heard_other(self, entry: Entry, reply: Any) -> None:
        """An error, or the answer to the second question: is the mark of birth there?"""
        if isinstance(reply, hiredis.HiredisError):
            self._faulted(entry, str(reply))
        elif entry.unknown is None or isinstance(reply, list):
            self._abandon(entry, "crossed replies")
        elif reply is None:
            self._fail(entry, "not set up")
        else:
            self._decide(entry, entry.unknown)

    def _abandon(self, first: Entry, reason: str) -> None:
        """Trust nothing more of this connection: everything under way is undecided."""
        lost, self._sent = self._sent, deque()
        if self._wire is not None:
            self._wire.drop()
        for entry in (first, *lost):
            self._fail(entry, reason)

    def _faulted(self, entry: Entry, text: str) -> None:
        """Deal with an error in place of a reply."""
        word = text.split(" ", 1)[0]
        if entry.asker is None:
            return
        if "NOSCRIPT" in text[:40]:
            self._send(entry, self._sources[self._fenced] + entry.tail)
        elif word == "TRYAGAIN" and self._loop.time() + AGAIN_S < entry.deadline:
            self._loop.call_later(AGAIN_S, self._send_again, entry)
        else:
            log.error("redis refused: %s", word)
            self._fail(entry, word.lower())
            if word in _ELSEWHERE:
                self._look_again()

    def _look_again(self) -> None:
        """Connect anew, at most once a second: the address may lead elsewhere by now."""
        if self._wire is not None and self._loop.time() - self._made_at > BACK_OFF_S[1]:
            self._wire.drop()

    @staticmethod
    def _fail(entry: Entry, reason: str) -> None:
        asker, entry.asker = entry.asker, None
        if asker is not None:
            asker.undecided(reason)

    # -- deadlines -----------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Turn away whose deadline has passed; his place stays, so that the order holds."""
        now = self._loop.time()
        for entry in self._sent:
            if entry.deadline <= now:
                self._fail(entry, "timeout")
        while self._waiting and self._waiting[0].deadline <= now:
            self._fail(self._waiting.popleft(), "timeout")
        self._check_silence(now)
        self._sweeping = bool(self._sent or self._waiting)
        if self._sweeping:
            self._loop.call_later(self._timeout_s / 8, self._sweep)

    def _check_silence(self, now: float) -> None:
        wire = self._wire
        if wire is None or not self._sent or wire.heard:
            self._quiet_since = now
            if wire is not None:
                wire.heard = False
        elif now - self._quiet_since > 2 * self._timeout_s:
            log.warning("redis is silent: connection dropped")
            wire.drop()

    # -- connecting ----------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        pause_s = BACK_OFF_S[0]
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    wire, self._fenced = await self._dial(self._new_wire)
            except Exception as error:
                log.debug("no connection for verify: %s", type(error).__name__)
                self._turn_away()
                await self._rest(pause_s)
                pause_s = min(pause_s * 2, BACK_OFF_S[1])
                continue
            pause_s = BACK_OFF_S[0]
            self._lost.clear()
            self._made_at = self._quiet_since = self._loop.time()
            wire.on_reply = self._heard
            self._wire = wire
            self._send_waiting()
            await self._lost.wait()

    def _new_wire(self) -> Wire:
        return Wire(ignore, self._gone)

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            if entry.asker is not None:
                self._send_again(entry)

    def _turn_away(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            self._fail(entry, "unreachable")

    async def _rest(self, pause_s: float) -> None:
        """Wait before the next attempt, less when somebody comes."""
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
        for entry in lost:
            if entry.asker is None:
                continue
            if entry.sent_again:
                self._fail(entry, "unreachable")
            else:
                entry.sent_again = True
                self._send_again(entry)
        self._lost.set()

    async def aclose(self) -> None:
        """Close the connection; who still waits is turned away."""
        self._connector.cancel()
        await asyncio.gather(self._connector, return_exceptions=True)
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.drop()
        for entry in (*self._sent, *self._waiting):
            self._fail(entry, "closing")
