"""What the gate counts: plain numbers, no object per request; exported elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
"""Upper bounds of the latency buckets; a last one takes the rest."""


class Counts:
    """Verdicts by reason, and how long the store took to give them; one for a whole process.

    Uses that passed with a mismatch are counted by ``Tokens.mismatches``, with those at the
    dialects' own paths.
    """

    __slots__ = ("latency", "verdicts")

    def __init__(self) -> None:
        self.verdicts: defaultdict[bytes, int] = defaultdict(int)
        self.latency = [0] * (len(BOUNDS_S) + 1)

    def decided(self, word: bytes, took_s: float) -> None:
        """The store gave a verdict."""
        self.verdicts[word] += 1
        self.latency[bisect_right(BOUNDS_S, took_s)] += 1

    def refused(self, reason: bytes) -> None:
        """One request was answered without a verdict."""
        self.verdicts[reason] += 1
