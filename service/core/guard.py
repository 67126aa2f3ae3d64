"""The login guard: how many guesses an account and an address may make, and how long they wait.

Three buckets, each one script on its own key. The address's and the account's count every guess
before it is made. When the account's is used up, an address that has not guessed at all may still
try, out of a third, wider bucket: so the owner gets in while an attack runs, and an attack from
very many addresses still meets an end (NIST SP 800-63B: 100 in a row).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from weakref import WeakValueDictionary

from service.core.address import MAPPED
from service.errors import BadCredentials, Busy, TooManyAttempts
from service.model import Word, guarded_name
from service.store.guard import Bucket, GuardStore, Rule

FIRST_WAIT_MS = 30_000
STRANGERS = 10
"""How many times wider the bucket for addresses that have not guessed is."""
POLL_S = 0.02
POLLS = 250


class Guard:
    """Limits guessing; *attempts* 0 turns it off. May raise StoreDown."""

    def __init__(
        self, store: GuardStore, *, attempts: int, window_ms: int, max_wait_ms: int
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._rule = Rule(
            limit=attempts,
            window_ms=window_ms,
            first_ms=min(FIRST_WAIT_MS, max_wait_ms),
            max_ms=max_wait_ms,
        )
        self._strangers = replace(self._rule, limit=attempts * STRANGERS)
        # Guesses of this process queue up here instead of asking Redis over and over.
        self._queues: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def guess(self, name: str, address: bytes) -> AsyncIterator[None]:
        """Hold one guess at *name* from *address* while the body makes it.

        The guess counts when the body raises BadCredentials, or when it never ends; not when it
        succeeds or could not be made. TooManyAttempts before the body when there is none left.
        """
        if not self._attempts:
            yield
            return
        account = hashlib.sha256(guarded_name(name).encode("utf-8", "replace")).digest()[:16]
        place = b"i:" + (address if address.startswith(MAPPED) else address[:8])
        async with AsyncExitStack() as queued:
            await queued.enter_async_context(self._queue(place))
            held = [await self._reserve(place, self._rule)]
            await queued.enter_async_context(self._queue(b"a:" + account))
            held.append(await self._reserve_account(account, held[0]))
            try:
                yield
            except BadCredentials:
                await self._settle(held, good=False)
                raise
            except Exception:
                await self._settle(held, good=True)
                raise
            await self._settle(held, good=True)

    def _queue(self, name: bytes) -> asyncio.Semaphore:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = asyncio.Semaphore(self._attempts)
        return queue

    async def _reserve_account(self, account: bytes, by_address: Bucket) -> Bucket:
        try:
            try:
                return await self._reserve(b"a:" + account, self._rule)
            except TooManyAttempts:
                if by_address.guesses > 1:
                    raise
            return await self._reserve(b"r:" + account, self._strangers)
        except BaseException:
            await self._settle([by_address], good=True)
            raise

    async def _reserve(self, name: bytes, rule: Rule) -> Bucket:
        for _ in range(POLLS):
            bucket = await self._store.reserve(name, rule)
            if bucket.word is Word.OK:
                return bucket
            if bucket.word is Word.WAIT:
                raise TooManyAttempts(max(1, -(-bucket.wait_ms // 1000)))
            await asyncio.sleep(POLL_S)
        raise Busy

    async def _settle(self, held: list[Bucket], *, good: bool) -> None:
        for bucket in held:
            await self._store.settle(bucket, good=good)
