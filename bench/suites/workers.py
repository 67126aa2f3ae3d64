"""What more worker processes bring on this machine; nothing is pinned here."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

from bench import report
from bench.candidates import OURS, Candidate, Program, Running, Stage
from bench.load import Wrong
from bench.options import Options
from bench.processes import Cores
from bench.stage import filled
from bench.suites.gate import WARM_UP_S, sample
from bench.tools import Missing

COUNTS = (1, 2, 3, 4)
CONNECTIONS = 64


def run(options: Options) -> None:
    """Measure each number of workers, of the fastest gate there is."""
    rounds: dict[int, list[dict[str, float]]] = {count: [] for count in COUNTS}
    with filled(options, layout=Cores(None, None)) as stage:
        gate = fastest(stage)
        for _ in range(options.rounds):
            for count in COUNTS:
                print(f"{count} workers", file=sys.stderr, flush=True)
                running = Running(with_workers(gate, count), stage)
                with running.process:
                    load = running.load()
                    load.run(CONNECTIONS, WARM_UP_S, right=200)
                    rounds[count].append(sample(running, load, CONNECTIONS, options.seconds))
    report.say(f"Workers: {gate.name}, {CONNECTIONS} connections, not pinned", report.machine())
    head = ["workers", "requests/s", "p50 µs", "p99 µs", "server CPU µs", "Redis CPU µs"]
    names = ("requests_per_s", "p50_us", "p99_us", "server_us", "redis_us")
    rows = [
        [count, *(report.column(samples, name) for name in names)]
        for count, samples in rounds.items()
    ]
    print(report.table(head, rows) + "\n")
    print(
        "wrk and Redis want cores too: with two cores in all, expect little of a second worker.\n"
    )
    results = [{"workers": count, "rounds": samples} for count, samples in rounds.items()]
    content = {"machine": report.machine(), "candidate": gate.name, "results": results}
    report.save(options.out, "workers", content)


def fastest(stage: Stage) -> Candidate:
    """The last of ours that starts."""
    for gate in reversed([each for each in OURS if each.kind == "ours"]):
        try:
            Running(gate, stage).process.stop()
        except Missing:
            continue
        return gate
    raise Wrong("no gate of ours starts")


def with_workers(gate: Candidate, count: int) -> Candidate:
    """*gate* in *count* processes."""
    before: Callable[[Stage], Program] = gate.program

    def program(stage: Stage) -> Program:
        alone = before(stage)
        return dataclasses.replace(alone, argv=[*alone.argv, "--workers", str(count)])

    return dataclasses.replace(gate, program=program)
