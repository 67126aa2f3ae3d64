"""Small builders for tests: the floors below HTTP on one server, and tokens in any state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from service.config import Config
from service.core.address import pack
from service.core.guard import Guard
from service.core.logins import Logins
from service.core.passwords import Passwords
from service.core.secret import Secrets, agent_digest
from service.core.tokens import Tokens, Wish
from service.core.users import Users
from service.model import Head, Level, Life, Policy, Token, Verdict, Word
from service.store.client import Call, Client, Command, Part
from service.store.guard import GuardStore
from service.store.issuing import NewToken, Outcome
from service.store.keys import Keys, shard_of
from service.store.owners import Owners
from service.store.records import Records
from service.store.scripts import load_all
from service.store.setup import Setup
from service.store.store import Store
from service.store.verify import clocked, pack_rules

SECRET = b"k" * 32
HOME, AWAY = pack("1.2.3.4"), pack("9.9.9.9")
CURL, WGET = agent_digest(b"curl"), agent_digest(b"wget")
MINUTE = 60_000
CHEAP = {"argon2_time": 1, "argon2_memory": "8KiB", "hashers": 1}
"""A password hash that costs next to nothing; for tests only."""

TOWER = Policy(
    name="tower",
    letter="t",
    idle_ms=30 * MINUTE,
    bind_ip=Level.ENFORCE,
    bind_agent=Level.ENFORCE,
    reuse=True,
)
NETBOX = Policy(name="netbox", letter="n", grave_ms=30 * MINUTE)
PUPPET = Policy(name="puppet", letter="p", lifetime_ms=60 * MINUTE)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A token that a test made, and where it lies."""

    owner: str
    shard: bytes
    digest: bytes
    key: bytes
    outcome: Outcome


class Rig:
    """Everything below HTTP on one Redis; ``node`` gives it another config or another node."""

    def __init__(
        self,
        url: str,
        *policies: Policy,
        client: Client | None = None,
        prefix: bytes = b"",
        secrets: Sequence[bytes] = (SECRET,),
        attempts: int = 10,
        wait_replicas: int = 0,
        timeout_ms: int = 5_000,
        passwords: Mapping[str, Any] | None = None,
    ) -> None:
        self.policies = policies or (TOWER, NETBOX, PUPPET)
        self.client = client or Client(url, timeout_ms=timeout_ms)
        self.keys = Keys(prefix)
        self.store = Store(self.client, self.keys, self.policies, wait_replicas=wait_replicas)
        self.records = Records(self.client, self.keys, list(self.policies))
        self.owners = Owners(self.client, self.keys, "".join(p.letter for p in self.policies))
        self.setup = Setup(self.client, self.keys)
        self.buckets = GuardStore(self.client, self.keys)
        cheap = {"time_cost": 1, "memory_kib": 8, "hashers": 2, **(passwords or {})}
        self.passwords = Passwords(**cheap)
        self.tokens = Tokens(self.store, self.records, Secrets(secrets))
        self.users = Users(self.owners, self.tokens, self.passwords)
        self.guard = Guard(
            self.buckets, attempts=attempts, window_ms=5 * MINUTE, max_wait_ms=15 * MINUTE
        )
        self.logins = Logins(self.owners, self.tokens, passwords=self.passwords, guard=self.guard)
        self._shares = client is not None

    async def __aenter__(self) -> Self:
        if await self.setup.born() is None:
            await self.setup.init()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.tokens.settle()
        if not self._shares:
            await self.client.aclose()
        self.passwords.close()

    def node(self, *policies: Policy, **options: Any) -> Rig:
        """Another node on the same connections, with *policies* (its own when none are given)."""
        return Rig("", *(policies or self.policies), client=self.client, **options)

    # -- commands ----------------------------------------------------------------------------

    async def run(self, *words: Part) -> Any:
        """The reply to one command."""
        command: Command = words
        return (await self.client.run(command))[0]

    async def call(self, script: str, keys: Sequence[bytes], *args: Part) -> list[Any]:
        """The reply of one script, its first word as text."""
        reply = (await self.client.run(Call(load_all()[script], keys, args)))[0]
        return [reply[0].decode(), *reply[1:]]

    async def everything(self) -> dict[bytes, Any]:
        """The whole store: every key with its value (TTLs apart)."""
        found: dict[bytes, Any] = {}
        for key in sorted(await self.run(b"KEYS", b"*")):
            kind = await self.run(b"TYPE", key)
            read: dict[bytes, Command] = {
                b"hash": (b"HGETALL", key),
                b"zset": (b"ZRANGE", key, 0, -1, b"WITHSCORES"),
                b"string": (b"GET", key),
            }
            value = await self.run(*read[bytes(kind)])
            pairs = bytes(kind) == b"hash"
            found[key] = dict(zip(value[::2], value[1::2], strict=True)) if pairs else value
        return found

    async def now(self) -> int:
        """Redis's clock in ms."""
        seconds, micros = await self.run(b"TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def immortals(self) -> list[bytes]:
        """The token keys without a TTL."""
        keys = await self.run(b"KEYS", b"t:{*")
        ttls = await self.client.run(*((b"PTTL", key) for key in keys)) if keys else []
        return [key for key, ttl in zip(keys, ttls, strict=True) if ttl == -1]

    # -- owners ------------------------------------------------------------------------------

    async def owner(self, name: str = "alice", **fields: str) -> str:
        """A user made without hashing anything; *name* again."""
        await self.owners.create(name, {"password": "", **fields})
        return name

    async def set_state(self, owner: str, flag: bytes, mark: int = 0) -> None:
        """Write the owner's state as it stands in Redis."""
        key = self.keys.owners(shard_of(owner))
        await self.run(b"HSET", key, owner, flag + mark.to_bytes(5, "big"))

    async def set_floor(self, owner: str, letter: str, floor: int, limit: int) -> None:
        """Write the owner's floor of one policy as it stands in Redis."""
        value = floor.to_bytes(5, "big") + b"%04d" % limit
        await self.run(b"HSET", self.keys.owners(shard_of(owner)), f"{owner}\0{letter}", value)

    # -- tokens ------------------------------------------------------------------------------

    def head(self, policy: Policy, **changes: Any) -> Head:
        """The head of a token as a login from HOME with CURL would ask for it."""
        life = Life.SLIDING if policy.idle_ms else Life.FIXED if policy.lifetime_ms else Life.NEVER
        bound = policy.bind_ip is not Level.OFF
        head = Head(
            policy=policy.letter,
            life=life,
            write=True,
            grave_s=policy.grave_ms // 1000,
            prefix=HOME if bound else b"",
            agent=CURL if policy.bind_agent is not Level.OFF else bytes(16),
        )
        return replace(head, **changes)

    def new(self, owner: str, policy: Policy = TOWER, **wishes: Any) -> NewToken:
        """What ``Store.issue`` takes; wishes that a head has go there."""
        parts = set(Head.__dataclass_fields__) - {"end_ms"}
        head = self.head(policy, **{k: wishes.pop(k) for k in list(wishes) if k in parts})
        wishes.setdefault("digest", os.urandom(20))
        wishes.setdefault("age_ms", policy.lifetime_ms)
        label = wishes.get("name", b"").partition(b"label:")[2]
        if label:  # it stands in the token, too
            wishes.setdefault("fields", {b"m": b"label\0" + label})
        return NewToken(owner=owner, head=head, policy=policy, **wishes)

    async def make(self, owner: str = "alice", policy: Policy = TOWER, **wishes: Any) -> Made:
        """A token of *owner*, or what came of the wish for one."""
        new = self.new(owner, policy, **wishes)
        outcome = await self.store.issue(new)
        shard, digest = shard_of(owner), outcome.digest or new.digest
        key = self.keys.token(shard, digest)
        return Made(owner=owner, shard=shard, digest=digest, key=key, outcome=outcome)

    def made(self, token: Token) -> Made:
        """Where *token* lies."""
        shard = shard_of(token.owner)
        key, outcome = self.keys.token(shard, token.digest), Outcome(word=Word.ISSUED)
        return Made(owner=token.owner, shard=shard, digest=token.digest, key=key, outcome=outcome)

    async def use(
        self, made: Made, *, address: bytes = HOME, agent: bytes = CURL, write: bool = False
    ) -> Verdict:
        """What verify says of one use."""
        return await self.store.verify(
            made.shard, made.digest, address=address, agent=agent, write=write
        )

    async def word(self, made: Made, **use: Any) -> Word:
        """The word verify says of one use."""
        return (await self.use(made, **use)).word

    async def live(self, made: Sequence[Made], **use: Any) -> list[bool]:
        """Which of the tokens pass."""
        return [(await self.use(each, **use)).allowed for each in made]

    async def ttl(self, made: Made) -> int:
        """PTTL of the token's key."""
        return int(await self.run(b"PTTL", made.key))

    async def age(self, made: Made, ms: int) -> None:
        """Let *ms* pass for this token's TTL (an absolute end stays where it is)."""
        await self.run(b"PEXPIRE", made.key, await self.ttl(made) - ms)

    async def field(self, made: Made, name: str) -> bytes | None:
        """One field of the token's record."""
        value: bytes | None = await self.run(b"HGET", made.key, name)
        return value

    async def edit(self, made: Made, **changes: Any) -> None:
        """Change the token's head in place."""
        head = Head.unpack(await self.field(made, "h") or b"")
        await self.run(b"HSET", made.key, b"h", replace(head, **changes).pack())

    def rules(self, interval_ms: int = MINUTE, *, write: bool = False, ahead_ms: int = 0) -> bytes:
        """The policies as verify takes them; the caller's clock runs *ahead_ms* before ours."""
        rules = clocked(pack_rules(self.policies, interval_ms), write=write)
        clock = int.from_bytes(rules[1:7], "big") + ahead_ms
        return rules[:1] + clock.to_bytes(6, "big") + rules[7:]

    def index(self, owner: str) -> bytes:
        """The key of the owner's index."""
        return self.keys.index(shard_of(owner), owner)

    def names(self, owner: str) -> bytes:
        """The key of the owner's names."""
        return self.keys.names(shard_of(owner), owner)


def wish(owner: str, policy: Policy = TOWER, **changes: Any) -> Wish:
    """What a login from HOME with CURL wants."""
    return Wish(owner=owner, policy=policy, **{"address": HOME, "agent": CURL, **changes})


def own_text(owner: str) -> str:
    """A text as a client may choose it, which names *owner*'s own shard."""
    return shard_of(owner).hex() + "0123456789abcdef" * 2 + "beef"


def agent(number: int) -> bytes:
    """The digest of one of many user agents."""
    return hashlib.sha256(b"agent %d" % number).digest()[:16]


def cheap_config(**sections: dict[str, Any]) -> Config:
    """The defaults with *sections* on top; one may say how ``login`` is beyond being cheap."""
    return Config(**{**sections, "login": {**CHEAP, **sections.get("login", {})}})
