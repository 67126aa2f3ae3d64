"""What a check costs where it is made: behind real gateways, with the examples that we ship."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.candidates import OURS, Candidate, Program, Running, Stage
from bench.load import Load, request, write
from bench.options import Options
from bench.processes import Cores, cpu_s
from bench.stage import filled
from bench.stock import AGENT
from bench.suites.gate import WARM_UP_S
from tests.e2e.gateways.gateways import Gateway

NAMES = ("nginx", "envoy", "haproxy", "caddy")
CONNECTIONS = 64
TRUSTED = {"TOKENHOUSE_SERVER__TRUSTED_PROXIES": "127.0.0.1/32"}


def run(options: Options) -> None:
    """Each gateway in turn, before one gate and an application that answers nothing."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    by_name = {candidate.name: candidate for candidate in OURS}
    with filled(options, layout=Cores(None, None)) as stage:
        gate = Running(behind_a_proxy(by_name["gate-lane"]), stage)
        with gate.process:
            application = Running(by_name["floor"], stage)
            with application.process:
                for _ in range(options.rounds):
                    for name in NAMES:
                        print(name, file=sys.stderr, flush=True)
                        took = measure(name, gate, application, options.seconds)
                        rounds[name].append(took)
    head = ["gateway", "requests/s", "p50 µs", "p99 µs"]
    head += [f"{who} CPU µs" for who in ("gateway", "gate", "Redis", "application")]
    columns = ("requests_per_s", "p50_us", "p99_us", "gateway_us", "gate_us", "redis_us", "app_us")
    rows = [
        [name, *(report.column(samples, each) for each in columns)]
        for name, samples in rounds.items()
    ]
    report.say(f"Behind gateways: {CONNECTIONS} connections, not pinned", report.machine())
    print(report.table(head, rows) + "\n")
    results = [{"gateway": name, "rounds": samples} for name, samples in rounds.items()]
    report.save(options.out, "gateways", {"machine": report.machine(), "results": results})


def behind_a_proxy(gate: Candidate) -> Candidate:
    """*gate*, when it believes whoever connects from this machine."""
    before: Callable[[Stage], Program] = gate.program

    def program(stage: Stage) -> Program:
        alone = before(stage)
        return dataclasses.replace(alone, env={**alone.env, **TRUSTED})

    client = (("X-Forwarded-For", "127.0.0.1"),)
    return dataclasses.replace(gate, program=program, more=client)


def measure(name: str, gate: Running, application: Running, seconds: float) -> dict[str, float]:
    """One gateway under load; every answer of the warm-up is compared."""
    stage = gate.stage
    folder = Path(tempfile.mkdtemp(dir=stage.folder))
    gateway = Gateway(name, folder, gate=gate.port, application=application.port)
    try:
        load = load_of(gateway, stage)
        load.run(CONNECTIONS, WARM_UP_S, right=200)
        pids = {
            "gateway_us": gateway.pid,
            "gate_us": gate.process.pid,
            "redis_us": stage.stock.server.pid,
            "app_us": application.process.pid,
        }
        before = {who: cpu_s(pid) for who, pid in pids.items()}
        outcome = load.run(CONNECTIONS, seconds)
        spent = {who: cpu_s(pid) - before[who] for who, pid in pids.items()}
    finally:
        gateway.stop()
    return {
        "requests_per_s": outcome.per_s,
        "p50_us": outcome.p50_us,
        "p99_us": outcome.p99_us,
        **{who: took * 1e6 / outcome.requests for who, took in spent.items()},
    }


def load_of(gateway: Gateway, stage: Stage) -> Load:
    """wrk, asking for something of the application with each token."""
    requests = (
        request(
            "GET /app/x",
            port=gateway.port,
            headers=[("User-Agent", AGENT), ("Authorization", f"Bearer {text}")],
        )
        for text in stage.stock.tokens
    )
    path = write(gateway.folder / "requests", requests)
    return Load(stage.wrk, path, gateway.port, stage.cores.loading)
