"""Taking back tokens that were made, or may have been, and that nobody was told of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from service.errors import StoreDown
from service.store.issuing import NewToken
from service.store.store import Store

log = logging.getLogger("tokenhouse.undo")

BATCH = 100
FIRST_WAIT_S = 0.1
MAX_WAIT_S = 1.0
SURE_S = 2.0
"""How long a token must be missing until it will not come any more.

What was sent over a connection that is closed since may be read later than what is sent now.
"""
PATIENCE_S = 60.0
LAST_S = 5.0
"""How long a node that ends goes on."""
MOST = 100_000


@dataclass(slots=True)
class _Doubt:
    """A token to take back *until* then, and since when it is known to be missing (0: not)."""

    new: NewToken
    until: float
    missing: float = 0.0

    def sure(self, now: float) -> bool:
        return bool(self.missing) and now - self.missing >= SURE_S

    def due(self, now: float) -> bool:
        return not self.missing or self.sure(now)


class Undo:
    """Revokes tokens behind the requests that gave them up, as soon as the store takes it.

    They are known to this node only: one that dies meanwhile leaves them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: dict[tuple[bytes, bytes], _Doubt] = {}
        self._worker: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()

    async def now(self, news: Sequence[NewToken]) -> None:
        """Take back *news*, all of which were made, or else ``later``, also when it is ended."""
        start = 0
        try:
            for start in range(0, len(news), BATCH):
                await self._store.take_back(news[start : start + BATCH])
        except BaseException as error:
            self.later(news[start:])
            if not isinstance(error, StoreDown):
                raise

    def later(self, news: Sequence[NewToken]) -> None:
        """Take back those of *news* that were made, or will be by what is on its way."""
        until = monotonic() + PATIENCE_S
        taken = news[: max(0, MOST - len(self._left))]
        self._left.update({_name(new): _Doubt(new, until) for new in taken})
        if len(taken) < len(news):
            _gave_up(len(news) - len(taken), "too many wait")
        if self._left and (self._worker is None or self._worker.done()):
            self._worker = asyncio.get_running_loop().create_task(self._work())

    async def before(self, news: Sequence[NewToken]) -> None:
        """Take back first what waits here and bears the text of one of *news*."""
        digests = {new.digest for new in news}
        if any(digest in digests for digest, _ in self._left):
            await self._look()

    async def _work(self) -> None:
        wait_s = FIRST_WAIT_S
        while self._left:
            await asyncio.sleep(wait_s)
            wait_s = FIRST_WAIT_S if await self._look() else min(2 * wait_s, MAX_WAIT_S)
            late = [doubt for doubt in self._left.values() if doubt.until < monotonic()]
            self._forget([doubt.new for doubt in late])
            if late:
                _gave_up(len(late), "the store is away too long")

    async def _look(self) -> bool:
        """Take back all that are there; whether the store answered."""
        async with self._looking:
            due = [doubt for doubt in self._left.values() if doubt.due(monotonic())]
            try:
                for start in range(0, len(due), BATCH):
                    await self._take_back(due[start : start + BATCH])
            except StoreDown:
                return False
            return True

    async def _take_back(self, part: Sequence[_Doubt]) -> None:
        began = monotonic()
        missing = {new.digest for new in await self._store.take_back([d.new for d in part])}
        now = monotonic()
        sure = [doubt.sure(began) or doubt.new.digest not in missing for doubt in part]
        self._forget([doubt.new for doubt, done in zip(part, sure, strict=True) if done])
        for doubt in part:
            doubt.missing = doubt.missing or now

    def _forget(self, news: Sequence[NewToken]) -> None:
        for new in news:
            self._left.pop(_name(new), None)

    async def settle(self) -> None:
        """Go on for a last while, and let go of what is left then."""
        if self._worker is None:
            return
        await asyncio.wait([self._worker], timeout=LAST_S)
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        if self._left:
            _gave_up(len(self._left), "the node ends")


def _name(new: NewToken) -> tuple[bytes, bytes]:
    """Tells two attempts at one chosen text apart."""
    return new.digest, new.nonce


def _gave_up(count: int, why: str) -> None:
    log.error("%d tokens that nobody was told of may be live: %s", count, why)
