"""The mark of birth, and what an operator wants to know of a Redis before trusting it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from service.errors import Refusal, StoreDown
from service.store.client import Call, Client, Part
from service.store.keys import Keys
from service.store.scripts import load_all
from service.store.verify import NEVER, clocked, pack_rules


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``doctor``: *level* is ``ok``, ``warn`` or ``fail``."""

    level: str
    subject: str
    text: str


class AlreadySetUp(Refusal):
    """This Redis has a mark of birth, or users or tokens that came from somewhere."""


class Setup:
    """Set-up and examination of one Redis."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self.client = client
        self.keys = keys

    async def born(self) -> str | None:
        """The store's random id, None when it was never set up."""
        reply = (await self.client.run((b"GET", self.keys.born)))[0]
        return None if reply is None else reply.decode()

    async def init(self) -> str:
        """Write the mark of birth. AlreadySetUp when there is one, or anything else of ours."""
        if await self.born() is not None:
            raise AlreadySetUp("this store is already set up")
        if await self._used():
            raise AlreadySetUp(
                "this store has users or tokens but no mark of birth: a restored copy?"
            )
        mark = secrets.token_hex(8)
        if (await self.client.run((b"SET", self.keys.born, mark, b"NX")))[0] is None:
            raise AlreadySetUp("this store is already set up")
        return mark

    async def _used(self) -> bool:
        if (await self.client.run((b"EXISTS", self.keys.users)))[0]:
            return True
        cursor = b"0"
        while True:
            step = (b"SCAN", cursor, b"MATCH", self.keys.tokens_pattern(), b"COUNT", 1000)
            cursor, found = (await self.client.run(step))[0]
            if found or cursor == b"0":
                return bool(found)

    async def probe(self) -> bool:
        """Run the real verify on a token nobody has; True when the store is also set up."""
        keys = [self.keys.token(b"\0\0", bytes(20)), self.keys.owners(b"\0\0")]
        args: list[Part] = [bytes(16), clocked(pack_rules([], NEVER), write=False)]
        call = Call(load_all()["verify"], keys, args)
        replies = await self.client.run(call, (b"GET", self.keys.born))
        return replies[0][0] == b"unknown" and replies[1] is not None

    async def examine(self) -> list[Finding]:
        """Everything about this Redis that would hurt a token service."""
        findings = [await self._reachable()]
        if findings[0].level == "fail":
            return findings
        findings.append(await self._marked())
        if self.client.embedded:
            text = "embedded store: nothing survives a restart, one process only"
            return [*findings, Finding("warn", "persistence", text)]
        findings += await self._configured()
        return findings

    async def _reachable(self) -> Finding:
        try:
            await self.probe()
        except StoreDown as error:
            return Finding("fail", "redis", f"verify cannot run: {error.reason}")
        return Finding("ok", "redis", "verify runs")

    async def _marked(self) -> Finding:
        if await self.born() is None:
            return Finding("fail", "set-up", "not set up: run tokenhouse store init")
        return Finding("ok", "set-up", "the store has its mark of birth")

    async def _configured(self) -> list[Finding]:
        try:
            facts = parse_info((await self.client.run((b"INFO",)))[0])
            policy = (await self._config("maxmemory-policy")) or facts.get("maxmemory_policy", "?")
            save = await self._config("save")
            fence = await self._config("min-replicas-to-write")
        except StoreDown as error:
            text = f"INFO or CONFIG GET is not allowed ({error.reason}): check by hand"
            return [Finding("warn", "settings", text)]
        return [
            version(facts.get("redis_version", "0")),
            eviction(policy),
            persistence(facts.get("aof_enabled") == "1", save),
            replication(int(facts.get("connected_slaves", "0")), int(fence or 0)),
        ]

    async def _config(self, name: str) -> str:
        reply = (await self.client.run((b"CONFIG", b"GET", name)))[0]
        return reply[1].decode() if reply else ""


def parse_info(raw: bytes) -> dict[str, str]:
    """INFO's ``key:value`` lines as a dict."""
    lines = raw.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")


def version(text: str) -> Finding:
    """A server below 7 works, with a weaker fence."""
    if int(text.split(".")[0]) >= 7:
        return Finding("ok", "version", f"Redis {text}")
    return Finding("warn", "version", f"Redis {text}: 7 or newer guards verify better")


def eviction(policy: str) -> Finding:
    """Any policy but noeviction throws live tokens away without a word."""
    if policy == "noeviction":
        return Finding("ok", "eviction", "maxmemory-policy is noeviction")
    text = f"maxmemory-policy is {policy}: Redis may drop live tokens; set noeviction"
    return Finding("fail", "eviction", text)


def persistence(aof: bool, save: str) -> Finding:
    """Without an append-only file a crash forgets tokens and, worse, revocations."""
    if aof:
        return Finding("ok", "persistence", "append-only file is on")
    if save:
        text = f"snapshots only (save {save}): a crash forgets minutes; set appendonly yes"
        return Finding("warn", "persistence", text)
    text = "no persistence: a restart forgets every token and revocation; set appendonly yes"
    return Finding("fail", "persistence", text)


def replication(replicas: int, fence: int) -> Finding:
    """With replicas, a cut-off master must stop answering by itself."""
    if replicas and not fence:
        text = f"{replicas} replicas but min-replicas-to-write is 0: a cut-off master says yes"
        return Finding("fail", "replication", text)
    return Finding("ok", "replication", f"{replicas} replicas, min-replicas-to-write {fence}")
