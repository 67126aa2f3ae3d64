"""Fills a Redis fast: the service makes its calls as ever, and they go out many at a time.

Only for a Redis that has nothing yet of what is made: the reads before a write are answered here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.stock import house_at, wish
from service.core.address import pack
from service.core.secret import agent_digest, digest_of, shard_of_text
from service.house import House
from service.store.client import Call, Command
from service.store.scripts import load_all
from service.store.verify import clocked, pack_rules
from tests.servers import Server

DEPTH = 64
CHUNK = 1024
NOTHING: dict[bytes, Any] = {
    b"HGETALL": [],
    b"HGET": None,
    b"ZREVRANGE": [],
    b"ZRANDMEMBER": [],
    b"HRANDFIELD": [],
}
"""What each read finds where nothing is."""
DONE = {"issue": [b"issued", 1, 0, 0], "set_owner": [b"ok"]}
"""What each script says when all went well; whether it did is seen when the calls are sent."""


class Pipe:
    """One connection on which commands go out many at a time."""

    def __init__(self, server: Server) -> None:
        self._link = redis.Connection(port=server.port, protocol=2, socket_timeout=60)
        self._link.connect()
        version = server.info("server").get("redis_version", "0")
        self.fenced = int(version.split(".")[0]) >= 7
        for script in load_all().values():
            self.one("SCRIPT", "LOAD", script.fenced if self.fenced else script.plain)

    def one(self, *words: Any) -> Any:
        """The reply to one command."""
        return self.send([words])[0]

    def send(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The replies to *commands*, sent in one write. ResponseError for the first refusal."""
        self._link.send_packed_command(self._link.pack_commands(commands))
        return [self._link.read_response(disable_decoding=True) for _ in commands]

    def info(self, section: str) -> dict[str, str]:
        """The fields of ``INFO section``."""
        lines = self.one("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def cpu_s(self) -> float:
        """Seconds of CPU that this Redis took so far."""
        facts = self.info("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])

    def close(self) -> None:
        """Hang up."""
        self._link.disconnect()


class Recorder:
    """Stands in for the service's client: finds nothing, and keeps every write for later."""

    embedded = False
    timeout_s = 1.0

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._kept: list[Command] = []
        self._users = 0

    async def run(self, *steps: Call | Command) -> list[Any]:
        """Answer *steps* as an empty Redis would."""
        return [self._answer(step) for step in steps]

    def _answer(self, step: Call | Command) -> Any:
        if isinstance(step, Call):
            self._kept.append(step.by_sha(self._pipe.fenced))
            return DONE[step.script.name]
        if step[0] in NOTHING:
            return NOTHING[step[0]]
        self._kept.append(step)
        self._users += step[0] == b"INCR"
        return self._users

    def flush(self, least: int = 1) -> None:
        """Send what is kept, if it is *least* or more, and see that every script did its work."""
        if len(self._kept) < least:
            return
        for reply in self._pipe.send(self._kept):
            if isinstance(reply, list) and reply[0] not in (b"issued", b"ok"):
                raise RuntimeError(f"a script said {reply!r}")
        self._kept.clear()


@dataclass(frozen=True)
class Held:
    """A token with what it takes to use it."""

    text: str
    owner: str
    agent: str


class Filler:
    """Makes users and tokens on one Redis; every agent of an owner gets a token of its own."""

    def __init__(self, server: Server) -> None:
        self.pipe = Pipe(server)
        self.house: House = house_at(server.url, {"TOKENHOUSE_POLICY__TOWER__REUSE": "true"})
        self._recorder = Recorder(self.pipe)
        asyncio.run(self._set_up())
        self.house.tokens.store.client = self._recorder  # type: ignore[assignment]
        self.house.users.owners.client = self._recorder  # type: ignore[assignment]
        policies = list(self.house.policies.values())
        self._rules = pack_rules(policies, self.house.config.last_used.interval)
        self._verify = load_all()["verify"]

    async def _set_up(self) -> None:
        if await self.house.setup.born() is None:
            await self.house.setup.init()
        await self.house.client.aclose()

    def users(self, names: Iterable[str], password: str = "") -> None:
        """Make users who all have the same stored *password*."""
        asyncio.run(self._users(names, password))

    async def _users(self, names: Iterable[str], password: str) -> None:
        for name in names:
            await self.house.users.owners.create(name, {"password": password, "super": "0"})
            self._recorder.flush(CHUNK)
        self._recorder.flush()

    def tokens(
        self, owners: Sequence[str], per_owner: range, policy: str = "tower", *, keep: int = 100_000
    ) -> list[Held]:
        """Issue a token to each of *owners* for each number in *per_owner*; at most *keep* back."""
        return asyncio.run(self._tokens(owners, per_owner, policy, keep))

    async def _tokens(
        self, owners: Sequence[str], per_owner: range, policy: str, keep: int
    ) -> list[Held]:
        every = max(1, -(-len(owners) * len(per_owner) // keep))
        held: list[Held] = []
        made = 0
        for number in per_owner:
            agent = f"agent/{number}"
            for owner in owners:
                issued = await self.house.tokens.issue(wish(self.house, owner, agent, policy))
                if made % every == 0:
                    held.append(Held(issued.text, owner, agent))
                made += 1
                self._recorder.flush(CHUNK)
        self._recorder.flush()
        return held

    def use(self, held: Sequence[Held]) -> list[Command]:
        """The commands that verify each of *held*."""
        return [self._use(each) for each in held]

    def _use(self, held: Held) -> Command:
        keys, raw = self.house.tokens.store.keys, held.text.encode()
        shard = shard_of_text(raw)
        names = [keys.token(shard, digest_of(raw)), keys.owners(shard)]
        seen = agent_digest(held.agent.encode()) + pack("127.0.0.1")
        args = [seen, clocked(self._rules, write=False)]
        return Call(self._verify, names, args).by_sha(self.pipe.fenced)

    def close(self) -> None:
        """Hang up."""
        self.house.passwords.close()
        self.pipe.close()


def cost_us(pipe: Pipe, commands: Sequence[Command], want: Any = None) -> float:
    """CPU of Redis for each of *commands*, sent 64 at a time; each reply must begin with *want*."""
    before = pipe.cpu_s()
    for batch in batches(commands, DEPTH):
        for reply in pipe.send(batch):
            if want is not None and reply[: len(want)] != want:
                raise RuntimeError(f"Redis said {reply!r}")
    return (pipe.cpu_s() - before) * 1e6 / len(commands)


def batches(commands: Sequence[Command], size: int) -> Iterable[Sequence[Command]]:
    """*commands* in slices of *size*."""
    return (commands[at : at + size] for at in range(0, len(commands), size))
