"""Whether the store fails just now: told in the log when it begins and ends, not each time."""

from __future__ import annotations

import logging
from time import monotonic

log = logging.getLogger(__name__)

CALM_S = 1.0
"""Without a failure for so long an outage is over; one reason more is told no sooner."""
AGAIN_S = 60.0
"""While it lasts it is told this often."""


class Outage:
    """What one process knows of it; ``since`` is None while all is well."""

    __slots__ = ("_failed_at", "_reason", "_told_at", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        """When it began, by ``time.monotonic``."""
        self._failed_at = 0.0
        self._told_at = 0.0
        self._reason = ""

    def failed(self, reason: str) -> None:
        """There was no answer, or not the one there should be; *reason* as ``StoreDown`` has it."""
        self._failed_at = now = monotonic()
        if self.since is None:
            self.since = now
        elif now - self._told_at < (AGAIN_S if reason == self._reason else CALM_S):
            return
        self._told_at, self._reason = now, reason
        log.error("the store fails: %s", reason)

    def worked(self, at: float) -> None:
        """There was an answer, at this time."""
        if self.since is not None and at >= self._failed_at + CALM_S:
            log.warning("the store is well again, after %.1f s", self._failed_at - self.since)
            self.since = None
