"""What one question costs: the gate, the floor below it, and others that do the same work."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from bench import chart, report
from bench.candidates import OURS, Candidate, Running, Stage
from bench.load import Load, Wrong
from bench.options import Options
from bench.peers import PEERS
from bench.processes import cpu_s
from bench.stage import filled
from bench.tools import Missing

ALL = (*OURS, *PEERS)
WARM_UP_S = 1.0
SETTLE_S = 5.0
REFERENCE = 64
"""The number of connections that ratios and the chart are about."""

Rounds = dict[tuple[str, int], list[dict[str, float]]]


def run(options: Options) -> None:
    """Measure, print the tables, write the results."""
    field = chosen(options.only)
    facts = report.machine()
    with filled(options) as stage:
        facts["redis_server"] = stage.stock.server.info("server")["redis_version"]
        facts["layout"] = stage.cores.note
        rounds, absent = measure(field, stage, options)
    present = [each for each in field if any(name == each.name for name, _ in rounds)]
    report.say("The gate", facts)
    for connections in options.connections:
        print(f"{connections} connections, median (least-greatest) of {options.rounds} rounds:\n")
        print(main_table(present, rounds, connections) + "\n")
    if any(each.kind == "ours" for each in present):
        reference = nearest(options.connections)
        print(f"CPU of the server a request at {reference} connections, ours by theirs:\n")
        print(ratio_table(present, rounds, reference) + "\n")
    for name, why in absent.items():
        print(f"{name} is not here: {why}")
    content = as_json(present, rounds, options, {"machine": facts, "absent": absent})
    path = report.save(options.out, "gate", content)
    if path and not options.quick:
        chart.draw(path)


def chosen(names: Sequence[str]) -> list[Candidate]:
    """The candidates called *names*, all when there are none. Missing."""
    known = {each.name: each for each in ALL}
    strangers = [name for name in names if name not in known]
    if strangers:
        raise Missing(f"no candidate {', '.join(strangers)}; there are {', '.join(known)}")
    return [each for each in ALL if not names or each.name in names]


def nearest(connections: Sequence[int]) -> int:
    """The number of connections nearest to the reference."""
    return min(connections, key=lambda each: abs(each - REFERENCE))


# -- measuring -------------------------------------------------------------------------------


def measure(
    field: Sequence[Candidate], stage: Stage, options: Options
) -> tuple[Rounds, dict[str, str]]:
    """Every candidate once in every round; also who could not take part, and why."""
    rounds: Rounds = {}
    absent: dict[str, str] = {}
    for number in range(options.rounds):
        for candidate in field:
            if candidate.name in absent:
                continue
            print(f"round {number + 1}: {candidate.name}", file=sys.stderr, flush=True)
            try:
                took = one_round(candidate, stage, options)
            except Missing as error:
                absent[candidate.name] = str(error)
            except Wrong as error:
                if candidate.kind != "peer":
                    raise
                absent[candidate.name] = f"answered wrongly: {error}"
                rounds = {key: kept for key, kept in rounds.items() if key[0] != candidate.name}
            else:
                for connections, sample in took.items():
                    rounds.setdefault((candidate.name, connections), []).append(sample)
    return rounds, absent


def one_round(candidate: Candidate, stage: Stage, options: Options) -> dict[int, dict[str, float]]:
    """Start it, warm it up with every answer compared, measure it, end it."""
    running = Running(candidate, stage)
    with running.process:
        load = running.load()
        load.run(nearest(options.connections), WARM_UP_S, right=200)
        return {each: sample(running, load, each, options.seconds) for each in options.connections}


def sample(running: Running, load: Load, connections: int, seconds: float) -> dict[str, float]:
    """One load, and the CPU that server and Redis took for it."""
    stock, pid = running.stage.stock, running.process.pid
    settle(running)
    calls, mine, theirs = stock.calls(), cpu_s(pid), cpu_s(stock.server.pid)
    outcome = load.run(connections, seconds)
    mine, theirs = cpu_s(pid) - mine, cpu_s(stock.server.pid) - theirs
    calls = stock.calls() - calls
    if running.candidate.key and not 0 <= calls - outcome.requests <= connections:
        raise Wrong(f"{calls} scripts for {outcome.requests} requests: not one for each")
    return {
        "requests_per_s": outcome.per_s,
        "p50_us": outcome.p50_us,
        "p99_us": outcome.p99_us,
        "p999_us": outcome.p999_us,
        "server_us": mine * 1e6 / outcome.requests,
        "redis_us": theirs * 1e6 / outcome.requests,
        "requests": outcome.requests,
    }


def settle(running: Running) -> None:
    """Wait until the server is done with what an earlier load left it with."""
    deadline, before = time.monotonic() + SETTLE_S, -1.0
    while time.monotonic() < deadline:
        now = cpu_s(running.process.pid)
        if now == before:
            return
        before = now
        time.sleep(0.1)


# -- telling ---------------------------------------------------------------------------------


def main_table(present: Sequence[Candidate], rounds: Rounds, connections: int) -> str:
    """All candidates at one number of connections; the spread of latencies is in the JSON."""
    head = ["candidate", "requests/s", "p50 µs", "p99 µs", "p99.9 µs"]
    head += ["server CPU µs", "Redis CPU µs", "CPU by floor"]
    floor = rounds.get(("floor", connections), [])
    rows: list[Sequence[object]] = []
    for each in present:
        samples = rounds[each.name, connections]
        figures = {name: report.column(samples, name) for name in samples[0]}
        late = (report.short(figures[name].middle) for name in ("p50_us", "p99_us", "p999_us"))
        redis = figures["redis_us"] if each.key else "-"
        by_floor = report.ratio(samples, floor, "server_us") or "-"
        cpu = (figures["server_us"], redis, by_floor)
        rows.append([each.name, figures["requests_per_s"], *late, *cpu])
    return report.table(head, rows)


def ratio_table(present: Sequence[Candidate], rounds: Rounds, connections: int) -> str:
    """Server CPU of ours by that of everybody else; below 1 is cheaper."""
    ours = [each for each in present if each.kind == "ours"]
    others = [each for each in present if each.kind != "ours"]
    rows = []
    for other in others:
        theirs = rounds[other.name, connections]
        mine = (report.ratio(rounds[our.name, connections], theirs, "server_us") for our in ours)
        rows.append([f"by {other.name}: {other.what}", *(each or "-" for each in mine)])
    return report.table(["", *(our.name for our in ours)], rows)


def as_json(
    present: Sequence[Candidate], rounds: Rounds, options: Options, facts: dict[str, Any]
) -> dict[str, Any]:
    """Everything that was measured, round by round."""
    return {
        "suite": "gate",
        **facts,
        "options": {
            "seconds": options.seconds,
            "rounds": options.rounds,
            "connections": options.connections,
            "appendonly": options.appendonly,
        },
        "reference": nearest(options.connections),
        "candidates": [
            {
                "name": each.name,
                "what": each.what,
                "kind": each.kind,
                "redis": each.key is not None,
            }
            for each in present
        ],
        "results": [
            {
                "candidate": name,
                "connections": connections,
                "median": {key: report.column(samples, key).middle for key in samples[0]},
                "rounds": samples,
            }
            for (name, connections), samples in rounds.items()
        ],
    }
