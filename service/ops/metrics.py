"""``/metrics``: what the gate counts, for Prometheus (text format, or OpenMetrics)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.gate.counts import BOUNDS_S, Counts

PATH = "/metrics"


class Metrics:
    """Answers GET and HEAD with this process's figures (405 for any other method)."""

    def __init__(self, counts: Counts, mismatches: Mapping[tuple[str, str], int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Gate(counts, mismatches))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            response = Response(status_code=405, headers={"allow": "GET, HEAD"})
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            encode, content_type = choose_encoder(accept)
            headers = {"content-type": content_type, "cache-control": "no-store"}
            response = Response(encode(self._registry), headers=headers)
        await response(scope, receive, send)


class _Gate(Collector):
    """Turns plain numbers into metrics when somebody asks."""

    def __init__(self, counts: Counts, mismatches: Mapping[tuple[str, str], int]) -> None:
        self._counts = counts
        self._mismatches = mismatches

    def collect(self) -> Iterator[Metric]:
        """Everything counted so far."""
        requests = CounterMetricFamily(
            "tokenhouse_gate_requests", "Answers of the gate, by reason.", labels=["reason"]
        )
        for reason, count in sorted(self._counts.verdicts.items()):
            requests.add_metric([reason.decode()], count)
        yield requests
        taken = HistogramMetricFamily(
            "tokenhouse_gate_verify_seconds", "How long the store took to give a verdict."
        )
        names = [*map(str, BOUNDS_S), "+Inf"]
        sums = list(accumulate(self._counts.latency))
        taken.add_metric([], list(zip(names, sums, strict=True)), sum_value=None)
        yield taken
        mismatched = CounterMetricFamily(
            "tokenhouse_mismatches",
            "Uses from elsewhere that a binding level of log let pass.",
            labels=["policy", "what"],
        )
        for labels, count in sorted(self._mismatches.items()):
            mismatched.add_metric(labels, count)
        yield mismatched
