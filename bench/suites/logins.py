"""What logging in costs, and what is left of it when password and guard cost nothing."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from bench import report, stage
from bench.bulk import Filler
from bench.load import Load, ask, request, write
from bench.options import Options
from bench.processes import Process, cores, cpu_s
from bench.stock import AGENT, PATIENT, house_at, wish
from bench.tools import wrk
from service.config import knobs
from tests.nodes import environment
from tests.servers import Server, free_port, wait_until

USERS = [f"user{number:03}" for number in range(100)]
PASSWORD = "correct horse battery"
CONNECTIONS = 16
AT_ONCE = 64
AGENTS = 20_000
PATH = "/api/v2/authtoken/"
START_S = 30
REAL = {
    knobs()[f"login.argon2_{name}"].env: str(knobs()[f"login.argon2_{name}"].default)
    for name in ("time", "memory", "parallelism")
}


@dataclass(frozen=True)
class Way:
    """A way to log in: with or without remembered passwords, guard, and one agent for all."""

    name: str
    cached: bool
    guarded: bool
    agents: int = 1

    @property
    def settings(self) -> dict[str, str]:
        """How the service is set."""
        return {
            **REAL,
            "TOKENHOUSE_STORE__TIMEOUT": PATIENT["TOKENHOUSE_STORE__TIMEOUT"],
            "TOKENHOUSE_LOGIN__PASSWORD_CACHE": "1h" if self.cached else "0",
            # High enough that sixteen at a time from one address are nobody's guessing.
            "TOKENHOUSE_LOGIN__ATTEMPTS": "1000" if self.guarded else "0",
        }


WAYS = (
    Way("password computed", cached=False, guarded=False),
    Way("password computed, guard", cached=False, guarded=True),
    Way("password remembered", cached=True, guarded=False),
    Way("password remembered, guard", cached=True, guarded=True),
    Way("password remembered, new token each", cached=True, guarded=False, agents=AGENTS),
)


def run(options: Options) -> None:
    """Measure over HTTP, then issue and revoke below it."""
    ways: dict[str, list[dict[str, float]]] = {way.name: [] for way in WAYS}
    bare: dict[str, list[dict[str, float]]] = {"issue": [], "revoke": []}
    for _ in range(options.rounds):
        for way in WAYS:
            print(way.name, file=sys.stderr, flush=True)
            ways[way.name].append(log_in(way, options))
        for name, sample in asyncio.run(below_http(options)).items():
            bare[name].append(sample)
    facts = {**report.machine(), "layout": cores().note}
    report.say(f"Logins: {PATH}, {CONNECTIONS} connections", facts)
    head = ["", "a second", "p50 µs", "p99 µs", "server CPU µs", "Redis CPU µs"]
    names = ("requests_per_s", "p50_us", "p99_us", "server_us", "redis_us")
    print(report.table(head, _rows(ways, names)) + "\n")
    print(f"Below HTTP, {AT_ONCE} at a time in one process (its CPU for the server's):\n")
    names = ("requests_per_s", "server_us", "redis_us")
    print(report.table([head[0], head[1], *head[4:]], _rows(bare, names)) + "\n")
    report.save(options.out, "logins", {"machine": facts, "http": ways, "below": bare})


def _rows(
    measured: dict[str, list[dict[str, float]]], names: Sequence[str]
) -> list[Sequence[object]]:
    return [
        [title, *(report.column(samples, name) for name in names)]
        for title, samples in measured.items()
    ]


# -- over HTTP -------------------------------------------------------------------------------


def log_in(way: Way, options: Options) -> dict[str, float]:
    """Logins of a hundred users in one *way*, on a Redis of its own."""
    layout = cores()
    with (
        stage.redis(options, core=layout.loading) as server,
        tempfile.TemporaryDirectory(prefix="bench-") as name,
    ):
        _make_users(server)
        folder, port = Path(name), free_port()
        argv = [sys.executable, "-m", "service", "serve", "--port", str(port)]
        env = environment(server.url, way.settings)
        log = folder / "node.log"
        with Process(argv, log=log, env=env, cwd=folder, core=layout.serving) as node:
            wait_until(lambda: _listens(port, node), "tokenhouse serve", START_S)
            load = Load(wrk(), _requests(way, port, folder), port, layout.loading)
            for user in USERS:  # from here on every password is remembered, where that is on
                ask(port, _login(port, user, AGENT))
            load.run(CONNECTIONS, 1, right=200)
            return _sample(node, server, load, options.seconds)


def _sample(node: Process, server: Server, load: Load, seconds: float) -> dict[str, float]:
    mine, theirs = cpu_s(node.pid), _redis_s(server)
    outcome = load.run(CONNECTIONS, seconds)
    return {
        "requests_per_s": outcome.per_s,
        "p50_us": outcome.p50_us,
        "p99_us": outcome.p99_us,
        "server_us": (cpu_s(node.pid) - mine) * 1e6 / outcome.requests,
        "redis_us": (_redis_s(server) - theirs) * 1e6 / outcome.requests,
    }


def _redis_s(server: Server) -> float:
    """CPU of Redis by its own account: logins are too few for the kernel's ticks."""
    facts = server.info("cpu")
    return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])


def _make_users(server: Server) -> None:
    filler = Filler(server)
    filler.users(USERS, PasswordHasher(2, 19 * 1024, 1).hash(PASSWORD))
    filler.close()


def _requests(way: Way, port: int, folder: Path) -> Path:
    agents = [AGENT] if way.agents == 1 else [f"agent/{number}" for number in range(way.agents)]
    count = max(len(agents), len(USERS))
    requests = (
        _login(port, USERS[number % len(USERS)], agents[number % len(agents)])
        for number in range(count)
    )
    return write(folder / "logins.requests", requests)


def _login(port: int, user: str, agent: str) -> bytes:
    body = json.dumps({"username": user, "password": PASSWORD}).encode()
    headers = [("Content-Type", "application/json"), ("User-Agent", agent)]
    return request(f"POST {PATH}", port=port, headers=headers, body=body)


def _listens(port: int, node: Process) -> bool:
    if not node.running:
        raise RuntimeError(f"the node ended: {node.log[-400:]}")
    return f":{port}" in node.log and "listening" in node.log


# -- below HTTP ------------------------------------------------------------------------------


async def below_http(options: Options) -> dict[str, dict[str, float]]:
    """Issue many tokens, then revoke them all."""
    count = 2_000 if options.quick else 20_000
    with stage.redis(options, core=cores().loading) as server:
        house = house_at(server.url)
        await house.setup.init()
        for name in USERS:
            await house.users.add(name, PASSWORD)
        texts: list[bytes] = []

        async def issue(number: int) -> None:
            issued = await house.tokens.issue(wish(house, USERS[number % len(USERS)]))
            texts.append(issued.text.encode())

        async def revoke(number: int) -> None:
            if not await house.tokens.revoke(texts[number]):
                raise RuntimeError("a live token could not be revoked")

        try:
            return {
                "issue": await _timed(issue, count, server),
                "revoke": await _timed(revoke, count, server),
            }
        finally:
            await house.aclose()


async def _timed(
    work: Callable[[int], Awaitable[None]], count: int, server: Server
) -> dict[str, float]:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    theirs, mine, began = _redis_s(server), time.process_time(), time.monotonic()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    took = time.monotonic() - began
    return {
        "requests_per_s": count / took,
        "server_us": (time.process_time() - mine) * 1e6 / count,
        "redis_us": (_redis_s(server) - theirs) * 1e6 / count,
    }
