"""How tests wait on a busy machine: by a clock that stands still while they get no time.

A test that says "within 150 ms" means 150 ms in which the code could run. On a busy machine a
process is put aside for a second now and then; by the wall clock every deadline has passed then,
though nobody was slow.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from time import monotonic, sleep, thread_time
from types import TracebackType
from typing import Any, Self

LATE_S = 0.02
"""Whoever is woken later than this after his time was put aside."""


class Clock:
    """Seconds that count: what was waited for, and what was computed meanwhile."""

    def __init__(self) -> None:
        self._counted = monotonic()
        self._computed = thread_time()

    def now(self) -> float:
        """The time; it never goes back."""
        return self._counted + thread_time() - self._computed

    def waited(self, seconds: float) -> None:
        """Count a wait of *seconds*."""
        self._counted += seconds


class Selector(selectors.DefaultSelector):
    """Counts its waits on *clock*; one that took far too long is as if it had been half as long.

    Half, so that what came in meanwhile is dealt with before a deadline of that very moment, and
    so that others who were put aside as well have some time left to answer.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, within *timeout* seconds."""
        began, computed = monotonic(), thread_time()
        found = super().select(timeout)
        spent = monotonic() - began
        wanted = spent if timeout is None else max(timeout, 0.0)
        counted = spent if spent <= wanted + LATE_S else wanted / 2
        self._clock.waited(max(counted - (thread_time() - computed), 0.0))
        return found


class PatientLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop on such a clock."""

    def __init__(self, *words: Any) -> None:
        self._patient = Clock()
        super().__init__(Selector(self._patient), *words)

    def time(self) -> float:
        """The time that counts; only good to compare with itself."""
        return self._patient.now()


async def until(happened: Callable[[], bool], timeout_s: float = 10) -> None:
    """Return when it has happened; TimeoutError when it never does."""
    async with asyncio.timeout(timeout_s):
        while not happened():  # noqa: ASYNC110 - the condition is whatever a test says
            await asyncio.sleep(0)


class Stopwatch:
    """The seconds inside of a ``with``, for tests without a loop, less those without the machine.

    A thread that only sleeps sees when everybody was put aside.
    """

    EVERY_S = 0.01

    def __init__(self) -> None:
        self._lost_s = 0.0
        self._over = threading.Event()
        self._pulse = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._pulse.start()
        self._began = monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._ended = monotonic()
        self._over.set()
        self._pulse.join(10)

    @property
    def took_s(self) -> float:
        """How long it took, or takes by now."""
        return (self._ended if self._over.is_set() else monotonic()) - self._began - self._lost_s

    def _beat(self) -> None:
        last = monotonic()
        while not self._over.is_set():
            sleep(self.EVERY_S)
            last, slept = monotonic(), monotonic() - last
            if slept > self.EVERY_S + LATE_S:
                self._lost_s += slept - self.EVERY_S
