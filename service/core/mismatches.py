"""Uses from elsewhere that a policy allows and only logs: counted, and told now and then."""

from __future__ import annotations

import logging
from collections import defaultdict
from time import monotonic

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""One line at most in this time, however many uses there are."""

_SEEN = {1: ("address",), 2: ("agent",), 3: ("address", "agent")}


class Mismatches:
    """How often which policy's tokens were used from elsewhere; one for a whole process."""

    __slots__ = ("_told_at", "counts")

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By (policy, ``address`` or ``agent``)."""
        self._told_at = -EVERY_S

    def note(self, policy: str, token_id: int, bits: int) -> None:
        """One use passed with a mismatch; *bits* as ``Verdict.mismatch``, not 0."""
        for what in _SEEN[bits]:
            self.counts[policy, what] += 1
        now = monotonic()
        if now - self._told_at >= EVERY_S:
            self._told_at = now
            what = " and ".join(f"another {each}" for each in _SEEN[bits])
            log.warning("token %d of policy %s was used from %s", token_id, policy, what)
