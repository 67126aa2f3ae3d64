"""Tells whoever keeps verdicts what was revoked: at least once, and no later than it can."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from dataclasses import dataclass

from service.errors import StoreDown
from service.store.feed import START, Feed

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.1
MAX_WAIT_S = 5.0
QUEUED = 10_000
"""Revocations that wait for the store; of more only ``[gate] staleness`` bounds what is kept."""

_NAME = re.compile(r"[0-9]{1,19}-[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What was revoked and why.

    One token: *token_id* and perhaps *label*. All tokens of *owner* so far: *mark*, the highest
    counter among them (0 for whoever is gone or disabled, whatever the token). *reason* is
    ``revoked``, ``disabled``, ``deleted``, or ``changed`` for a token that may less than before.
    """

    owner: str
    reason: str
    token_id: int = 0
    label: str = ""
    mark: int = 0

    def fields(self) -> dict[str, str]:
        """As an entry of the feed has it."""
        return {
            "owner": self.owner,
            "reason": self.reason,
            "id": str(self.token_id),
            "label": self.label,
            "mark": str(self.mark),
        }

    @classmethod
    def of(cls, fields: dict[str, str]) -> Revocation:
        """The opposite of ``fields``."""
        return cls(
            owner=fields["owner"],
            reason=fields["reason"],
            token_id=int(fields["id"]),
            label=fields["label"],
            mark=int(fields["mark"]),
        )


class Announcer:
    """Writes revocations into *feed*, when they are done: never one that was not."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._late: deque[Revocation] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def tell(self, revocation: Revocation) -> None:
        """Announce it now, or else as soon as the store takes it; never raises.

        The revocation holds already, so no fault of the feed may make it look undone. While others
        wait, it waits behind them.
        """
        if self._late:
            self._put_off(revocation)
            return
        try:
            await self.feed.add(revocation.fields())
        except StoreDown as error:
            log.warning("the feed must wait: %s", error.reason)
            self._put_off(revocation)

    def _put_off(self, revocation: Revocation) -> None:
        if len(self._late) >= QUEUED:
            log.error("a revocation will not be in the feed: too many wait")
            return
        self._late.append(revocation)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        wait_s = FIRST_WAIT_S
        while self._late:
            await asyncio.sleep(wait_s)
            wait_s = FIRST_WAIT_S if await self._tell_late() else min(2 * wait_s, MAX_WAIT_S)

    async def _tell_late(self) -> bool:
        """Whether the store took all that waits."""
        try:
            while self._late:
                await self.feed.add(self._late[0].fields())
                self._late.popleft()
        except StoreDown:
            return False
        return True

    async def after(self, last: str, most: int) -> list[tuple[str, Revocation]]:
        """What was announced behind the entry *last*, oldest first. StoreDown."""
        return [(name, Revocation.of(fields)) for name, fields in await self.feed.after(last, most)]

    async def where(self, last: str) -> tuple[str, bool]:
        """From which entry on to tell somebody who has seen *last* ("": who begins), and whether
        he may have missed some. StoreDown.

        Who comes with an entry that was forgotten, or that never was here, as after a restore, is
        told everything that there is; so is who comes with what is no entry's name.
        """
        oldest, newest = await self.feed.ends()
        if not last:
            return newest, False
        known = _NAME.fullmatch(last) and _order(oldest) <= _order(last) <= _order(newest)
        return (last, False) if known else (START, True)

    async def settle(self) -> None:
        """Give what waits one more chance, and let go of it."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._late and not await self._tell_late():
            log.error("%d revocations are not in the feed: the node ends", len(self._late))


def _order(name: str) -> tuple[int, int]:
    number, _, count = name.partition("-")
    return int(number), int(count)
