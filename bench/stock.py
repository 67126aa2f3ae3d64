"""The Redis of a benchmark and the tokens in it, made by the service's own code."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.processes import pin
from service.config import load
from service.core.address import pack
from service.core.secret import agent_digest, digest_of, shard_of_text
from service.core.tokens import Wish
from service.house import House, build
from tests.nodes import environment
from tests.servers import Server

ADDRESS = "127.0.0.1"
AGENT = "tokenhouse-bench/1"
USERS = 1_000
TOKENS = 10_000
PEER_LIFE_MS = 1_800_000
PEER_SCRIPT = Path(__file__).parent / "peers" / "verify.lua"
PATIENT = {
    # A stall of the machine is no reason to end a benchmark; at rest it changes nothing.
    "TOKENHOUSE_STORE__TIMEOUT": "5s",
    # Each token is to be a token of its own, though all have the same holder's address and agent.
    "TOKENHOUSE_POLICY__TOWER__REUSE": "false",
}


@dataclass(frozen=True)
class Stock:
    """A filled Redis: its *server*, and the texts of the *tokens* in it in the order of use."""

    server: Server
    tokens: list[str]

    def link(self) -> redis.Redis:
        """A client of its Redis, to look into it."""
        return redis.Redis(port=self.server.port, protocol=2)

    def calls(self) -> int:
        """How many scripts it has run so far."""
        with self.link() as link:
            stats = link.info("commandstats")
        names = ("cmdstat_evalsha", "cmdstat_eval")
        return sum(int(stats[name]["calls"]) for name in names if name in stats)


def start(*, appendonly: bool, core: int | None) -> Server:
    """The newest Redis we have, on loopback and on *core*."""
    server = Server(conf={"appendonly": "yes" if appendonly else "no"})
    pin(server.pid, core)
    return server


def house_at(url: str, settings: Mapping[str, str] | None = None) -> House:
    """The service without its HTTP, on the Redis at *url*."""
    return build(load(env=environment(url, {**PATIENT, **(settings or {})})))


def fill(server: Server, tokens: int = TOKENS, users: int = USERS) -> Stock:
    """Issue *tokens*, bound to how wrk will come, and the same ones as the peers keep them."""
    texts = asyncio.run(_issue(server.url, tokens, users))
    random.Random(1).shuffle(texts)
    stock = Stock(server, texts)
    _fill_for_peers(stock)
    return stock


async def _issue(url: str, tokens: int, users: int) -> list[str]:
    house = house_at(url)
    await house.setup.init()
    names = [f"user{number:04}" for number in range(min(users, tokens))]
    for name in names:
        await house.users.add(name, "correct horse battery")
    texts: list[str] = []
    for at in range(0, tokens, 50):
        batch = [names[each % len(names)] for each in range(at, min(at + 50, tokens))]
        issued = await asyncio.gather(*(house.tokens.issue(wish(house, name)) for name in batch))
        texts += [each.text for each in issued]
    await house.aclose()
    return texts


def wish(house: House, owner: str, agent: str = AGENT, policy: str = "tower") -> Wish:
    """For a token of *owner* that fits *agent* coming from loopback."""
    return Wish(
        owner=owner,
        policy=house.policies[policy],
        address=pack(ADDRESS),
        agent=agent_digest(agent.encode()),
    )


def house_key(text: str) -> bytes:
    """Where our token *text* lives in Redis."""
    raw = text.encode()
    return b"t:{%b}:%b" % (shard_of_text(raw).hex().encode(), digest_of(raw))


def peer_key(text: str) -> bytes:
    """Where the peers keep the token *text* (``peers/verify.lua``)."""
    return b"peer:" + hashlib.sha256(text.encode()).hexdigest().encode()


def _fill_for_peers(stock: Stock) -> None:
    with stock.link() as link, link.pipeline(transaction=False) as pipe:
        for number, text in enumerate(stock.tokens):
            key, user = peer_key(text), f"user{number % USERS:04}"
            record = {"user": user, "address": ADDRESS, "agent": AGENT, "used": 0}
            pipe.hset(key, mapping=record)
            pipe.pexpire(key, PEER_LIFE_MS)
        pipe.execute()
