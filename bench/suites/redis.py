"""What Redis pays for one verify, beside a bare GET and the script of the peers."""

from __future__ import annotations

import hashlib
from typing import Any

from bench import report
from bench.bulk import Filler, Held, cost_us
from bench.options import Options
from bench.processes import cores, pin
from bench.stock import ADDRESS, AGENT, PEER_LIFE_MS, PEER_SCRIPT, peer_key
from service.store.client import Command
from tests.servers import NEWEST, Server, kinds

USERS, PER_USER = 1_000, 10
CALLS = 100_000
QUICK_CALLS = 20_000


def run(options: Options) -> None:
    """Measure on every kind of server, the newest alone when quick; with the log and without."""
    calls = QUICK_CALLS if options.quick else CALLS
    measured = {
        (kind, log): one(kind, log, calls, options.rounds)
        for kind in ([NEWEST] if options.quick else kinds()[1:])
        for log in ("no", "yes")
    }
    report.say("Redis: CPU µs a call, 64 in a pipeline", report.machine())
    head = ["server", "append-only", "GET", "peers' script", "verify", "verify by GET"]
    rows = []
    for (_, log), samples in measured.items():
        costs = [report.column(samples, name) for name in ("get", "peers", "verify")]
        by_get = report.ratio(samples, samples, "verify", "get")
        rows.append([samples[0]["server"], log, *costs, by_get])
    print(report.table(head, rows) + "\n")
    results = [
        {"kind": kind, "appendonly": log, "rounds": samples}
        for (kind, log), samples in measured.items()
    ]
    report.save(options.out, "redis", {"machine": report.machine(), "results": results})


def one(kind: str, log: str, calls: int, rounds: int) -> list[dict[str, Any]]:
    """Every command *rounds* times, in turns, on one server."""
    server = Server(kind, {"appendonly": log})
    pin(server.pid, cores().serving)
    filler = Filler(server)
    try:
        owners = [f"user{number:04}" for number in range(USERS)]
        filler.users(owners)
        held = filler.tokens(owners, range(PER_USER))
        work = {
            "get": (_gets(filler, held), b"a value"),
            "peers": (_peers(filler, held), b"user"),
            "verify": (filler.use(held), [b"ok"]),
        }
        for commands, _ in work.values():  # the first use of a token writes more
            cost_us(filler.pipe, commands)
        facts = server.info("server")
        name = f"{kind} {facts.get('valkey_version') or facts['redis_version']}"
        return [
            {"server": name}
            | {
                each: cost_us(filler.pipe, _stretch(commands, calls), want)
                for each, (commands, want) in work.items()
            }
            for _ in range(rounds)
        ]
    finally:
        filler.close()
        server.discard()


def _stretch(commands: list[Command], calls: int) -> list[Command]:
    return (commands * -(-calls // len(commands)))[:calls]


def _gets(filler: Filler, held: list[Held]) -> list[Command]:
    keys = [b"get:" + each.text.encode() for each in held]
    filler.pipe.send([(b"SET", key, b"a value of some bytes") for key in keys])
    return [(b"GET", key) for key in keys]


def _peers(filler: Filler, held: list[Held]) -> list[Command]:
    source = PEER_SCRIPT.read_bytes()
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
    filler.pipe.one("SCRIPT", "LOAD", source)
    record = (b"address", ADDRESS, b"agent", AGENT, b"used", b"0")
    keys = [peer_key(each.text) for each in held]
    filler.pipe.send([(b"HSET", key, b"user", b"user0001", *record) for key in keys])
    return [(b"EVALSHA", sha, 1, key, ADDRESS, AGENT, PEER_LIFE_MS, 60) for key in keys]
