"""Deadlines of connections without a timer for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from service.limits import Limits


class Swept(Protocol):
    """A connection with deadlines."""

    def sweep(self, now: float) -> None:
        """Act on whatever is overdue *now*, by the loop's clock."""


class Sweeper:
    """The one timer of a server process: while connections are open it looks at all of them."""

    def __init__(self, connections: Collection[Swept], limits: Limits) -> None:
        self._connections = connections
        waits = (limits.header_timeout_s, limits.body_timeout_s, limits.idle_timeout_s)
        self._every_s = min(4.0, limits.linger_s, *waits) / 4
        self._timer: asyncio.TimerHandle | None = None

    def wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start ticking, unless it already does."""
        if self._timer is None:
            self._timer = loop.call_later(self._every_s, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._connections:
            self.wake(loop)
        now = loop.time()
        for connection in list(self._connections):
            connection.sweep(now)
