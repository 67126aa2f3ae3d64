"""Password checks: Argon2id in a bounded pool, equal cost for users who do not exist."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import Busy

MAX_PASSWORD = 1024
REMEMBERED = 10_000

T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords (OWASP: Argon2id, 19 MiB, t=2, p=1 by default).

    As many threads as *hashers* (0: cores) work; *queue* more checks may wait, then Busy. A
    successful check is remembered for *cache_s* seconds, in this process only, under an HMAC of
    user, stored hash and password with a key that dies with the process.
    """

    def __init__(
        self,
        *,
        time_cost: int = 2,
        memory_kib: int = 19 * 1024,
        parallelism: int = 1,
        hashers: int = 0,
        queue: int = 64,
        cache_s: float = 30.0,
    ) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism)
        self._threads = hashers or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="argon2")
        self._places = self._threads + queue
        self._cache_s = cache_s
        self._key = os.urandom(32)
        self._good: dict[bytes, float] = {}
        self._dummy = self._hasher.hash(os.urandom(16).hex())
        self.computed = 0

    async def check(self, name: str, stored: str, password: str) -> bool:
        """Whether *password* fits *stored*; an empty *stored* costs the same and is False.

        Raises Busy when too many checks wait already.
        """
        raw = password.encode("utf-8", "surrogatepass")
        fits = len(raw) <= MAX_PASSWORD and bool(stored)
        memory = self._memory_key(name, stored, raw)
        if fits and self._remembered(memory):
            return True
        right = await self._run(lambda: self._verify(stored if fits else self._dummy, raw))
        if fits and right:
            self._remember(memory)
        return fits and right

    async def hash(self, password: str) -> str:
        """*password* as it is stored."""
        return await self._run(lambda: self._hasher.hash(password))

    def outdated(self, stored: str) -> bool:
        """Whether *stored* was made with other parameters than the config has now."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return False

    def _verify(self, stored: str, raw: bytes) -> bool:
        self.computed += 1
        try:
            return self._hasher.verify(stored, raw[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._places == 0:
            raise Busy
        self._places -= 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        # The place is free when the thread is, also when nobody waits for the answer any more.
        future.add_done_callback(lambda _: self._leave(loop))
        return await asyncio.wrap_future(future)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed, and with it all that counted places
            loop.call_soon_threadsafe(self._make_room)

    def _make_room(self) -> None:
        self._places += 1

    def _memory_key(self, name: str, stored: str, raw: bytes) -> bytes:
        text = b"\0".join((name.encode("utf-8", "replace"), stored.encode(), raw))
        return hmac.digest(self._key, text, "sha256")

    def _remembered(self, memory: bytes) -> bool:
        return self._good.get(memory, 0.0) > asyncio.get_running_loop().time()

    def _remember(self, memory: bytes) -> None:
        if not self._cache_s:
            return
        while len(self._good) >= REMEMBERED:
            self._good.pop(next(iter(self._good)))
        self._good.pop(memory, None)
        self._good[memory] = asyncio.get_running_loop().time() + self._cache_s

    def close(self) -> None:
        """End the threads; checks under way finish."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def public_part(stored: str) -> bytes:
    """A stored hash without the hash: parameters and salt, enough to tell two of them apart."""
    return stored[: stored.rfind("$")].encode() if "$" in stored else b""
