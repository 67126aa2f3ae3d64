"""What the gate counts: plain numbers, no object per request; exported elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
"""Upper bounds of the latency buckets; a last one takes the rest."""


class Counts:
    """Verdicts by reason, and how long Redis took to give them."""

    __slots__ = ("latency", "latency_sum_s", "verdicts")

    def __init__(self) -> None:
        self.verdicts: Counter[bytes] = Counter()
        self.latency = [0] * (len(BOUNDS_S) + 1)
        self.latency_sum_s = 0.0

    def decided(self, reason: bytes, took_s: float) -> None:
        """One question was answered with *reason* after *took_s* in Redis."""
        self.verdicts[reason] += 1
        self.latency[bisect_right(BOUNDS_S, took_s)] += 1
        self.latency_sum_s += took_s

    def refused(self, reason: bytes) -> None:
        """One request was answered without Redis."""
        self.verdicts[reason] += 1
