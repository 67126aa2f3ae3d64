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
from service.errors import BadCredentials, Busy, StoreDown, TooManyAttempts
from service.model import Word, guarded_name
from service.store.guard import Bucket, GuardStore, Rule

FIRST_WAIT_MS = 30_000
STRANGERS = 10
"""How many times wider the bucket for addresses that have not guessed is."""
ACCOUNT, STRANGE = b"a:", b"r:"
"""What the buckets of an account begin with; the second is the one for strangers."""
POLL_S = 0.02
PATIENCE_S = 5.0


class Guard:
    """Limits guessing; *attempts* 0 turns it off. May raise StoreDown.

    Busy when other guesses stay undecided for *PATIENCE_S*.
    """

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
        self._failed_at = 0.0
        self._background: set[asyncio.Task[list[int]]] = set()

    @asynccontextmanager
    async def guess(self, name: str, address: bytes) -> AsyncIterator[None]:
        """Hold one guess at *name* from *address* while the body makes it.

        The guess counts when the body raises BadCredentials, or when it never ends; not when it
        succeeds or could not be made. TooManyAttempts before the body when there is none left.
        """
        if not self._attempts:
            yield
            return
        async with AsyncExitStack() as queued:
            held = await self._enter(queued, name, address)
            try:
                yield
            except BadCredentials as error:
                _, decided = await self._store.settle(held, good=False)
                strange = held[1].name.startswith(STRANGE)
                error.used_up = strange or decided >= self._attempts
                raise
            except Exception:
                self._forgive(held)
                raise
            await self._store.settle(held, good=True)

    async def forget(self, name: str) -> None:
        """Give the account *name* all its guesses back."""
        account = _account(name)
        await self._store.forget(ACCOUNT + account, STRANGE + account)

    async def _enter(self, queued: AsyncExitStack, name: str, address: bytes) -> list[Bucket]:
        account = _account(name)
        place = b"i:" + (address if address.startswith(MAPPED) else address[:8])
        since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await queued.enter_async_context(self._queue(place))
                by_address = await self._reserve(place, self._rule, since)
                try:
                    await queued.enter_async_context(self._queue(ACCOUNT + account))
                    return [by_address, await self._reserve_account(account, by_address, since)]
                except BaseException:
                    self._forgive([by_address])
                    raise
        except TimeoutError as error:
            raise Busy from error

    def _queue(self, name: bytes) -> asyncio.Semaphore:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = asyncio.Semaphore(self._attempts)
        return queue

    async def _reserve_account(self, account: bytes, by_address: Bucket, since: float) -> Bucket:
        try:
            return await self._reserve(ACCOUNT + account, self._rule, since)
        except TooManyAttempts:
            if by_address.guesses > 1:
                raise
        return await self._reserve(STRANGE + account, self._strangers, since)

    async def _reserve(self, name: bytes, rule: Rule, since: float) -> Bucket:
        while True:
            bucket = await self._ask(name, rule, since)
            if bucket.word is Word.OK:
                return bucket
            if bucket.word is Word.WAIT:
                raise TooManyAttempts(max(1, -(-bucket.wait_ms // 1000)))
            await asyncio.sleep(POLL_S)

    async def _ask(self, name: bytes, rule: Rule, since: float) -> Bucket:
        """One question to the store; who waited here while another's failed, fails at once."""
        if self._failed_at > since:
            raise StoreDown("unreachable")
        try:
            return await self._store.reserve(name, rule)
        except StoreDown:
            self._failed_at = asyncio.get_running_loop().time()
            raise

    def _forgive(self, held: list[Bucket]) -> None:
        """Give guesses back behind the caller's back: he has an error to tell, and no time."""
        task = asyncio.get_running_loop().create_task(self._store.settle(held, good=True))
        self._background.add(task)
        task.add_done_callback(self._forgiven)

    def _forgiven(self, task: asyncio.Task[list[int]]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # not given back: counts as wrong until the window ends


def _account(name: str) -> bytes:
    """How buckets name an account, so that a dump does not say whom anybody tried."""
    return hashlib.sha256(guarded_name(name).encode("utf-8", "replace")).digest()[:16]
