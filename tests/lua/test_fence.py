"""A server that is not fit to decide refuses every script: StoreDown, never a verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ResponseError

from service.errors import StoreDown
from service.model import Life, Word
from service.store.aliases import Release, let_go
from service.store.guard import Rule
from tests.makers import MINUTE, NETBOX, TOWER, Made, Rig, own_text, wish
from tests.servers import Server, kinds, wait_until

KINDS = kinds()[1:]
RULE = Rule(limit=3, window_ms=MINUTE, first_ms=1_000, max_ms=MINUTE)

Operation = Callable[[Rig, Made], Awaitable[object]]

DECISIONS: dict[str, Operation] = {
    "verify": lambda rig, made: rig.use(made),
    "verify nothing": lambda rig, made: rig.store.verify(
        made.shard, b"x" * 20, address=b"", agent=bytes(16), write=False
    ),
    "revoke": lambda rig, made: rig.store.revoke(made.shard, made.digest),
    "revoke_owner": lambda rig, _: rig.store.revoke_owner("alice"),
    "set_owner": lambda rig, _: rig.owners.change("alice", {}, state="a"),
    "trim": lambda rig, _: rig.store.trim("alice", TOWER),
    "bury": lambda rig, _: rig.store.bury_all("alice"),
    "release": lambda rig, made: let_go(
        rig.store, [Release(bytes(20), b"\0\0", made.shard, grave_ms=MINUTE)]
    ),
}
ADDITIONS: dict[str, Operation] = {
    "issue": lambda rig, _: rig.make(),
    "issue again": lambda rig, _: rig.make(name=b"bind:x"),
    "amend": lambda rig, made: rig.store.amend("alice", made.digest, end=(Life.NEVER, 0)),
    "attempt": lambda rig, _: rig.buckets.reserve(b"a:x", RULE),
    "import": lambda rig, _: rig.tokens.issue(wish("alice", NETBOX, text=own_text("alice"))),
    "claim": lambda rig, _: rig.tokens.issue(wish("alice", NETBOX, text="some other text")),
}
EVERYTHING = {**DECISIONS, **ADDITIONS}


async def started(rig: Rig) -> Made:
    """A user with a token that a login would get again."""
    await rig.owner("alice")
    await rig.make(policy=NETBOX)
    return await rig.make(name=b"bind:x")


async def nobody_decides(rig: Rig, made: Made, reason: str) -> None:
    """Every operation is StoreDown for *reason*, with the scripts loaded and without."""
    for flush in (False, True):
        for name, operation in EVERYTHING.items():
            if flush:
                await rig.run("SCRIPT", "FLUSH")
            with pytest.raises(StoreDown) as caught:
                await operation(rig, made)
            assert (name, reason) == (name, caught.value.reason)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_replica_decides_nothing(server_factory, kind: str):
    """A read-only replica, which may be behind, refuses all, be the link to its master up."""
    master = server_factory(kind)
    async with Rig(master.url) as rig:
        made = await started(rig)
        replica = server_factory(kind, replica_of=master)
        async with Rig(replica.url) as other:
            await nobody_decides(other, made, "readonly")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_master_without_its_replicas_decides_nothing(server_factory, kind: str):
    """With min-replicas-to-write a master that lost its replicas refuses all, until they return."""
    server = server_factory(kind)
    async with Rig(server.url) as rig:
        made = await started(rig)
        server.cli("CONFIG", "SET", "min-replicas-to-write", 1)

        await nobody_decides(rig, made, "noreplicas")

        server.cli("CONFIG", "SET", "min-replicas-to-write", 0)
        assert Word.OK == await rig.word(made)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_master_that_cannot_persist_decides_nothing(server_factory, kind: str):
    """While snapshots fail a server refuses all, and decides again when they work."""
    server = server_factory(kind)
    async with Rig(server.url) as rig:
        made = await started(rig)
        server.cli("CONFIG", "SET", "save", "3600 1")
        # A directory in the way of the file: works for root, too, whom no permission stops.
        (server.directory / "dump.rdb").mkdir()
        server.cli("BGSAVE")
        wait_until(
            lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "bgsave failed"
        )

        await nobody_decides(rig, made, "misconf")

        (server.directory / "dump.rdb").rmdir()
        server.cli("BGSAVE")
        wait_until(
            lambda: server.info("persistence")["rdb_last_bgsave_status"] == "ok", "bgsave worked"
        )
        assert Word.OK == await rig.word(made)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_full_memory_refuses_what_adds_and_decides_the_rest(server_factory, kind: str):
    """Out of memory nothing is issued, but tokens are checked, revoked and tidied."""
    server = server_factory(kind, {"maxmemory-policy": "noeviction"})
    async with Rig(server.url) as rig:
        made = await started(rig)
        server.cli("CONFIG", "SET", "maxmemory", 1)

        for flush in (False, True):
            for name, operation in ADDITIONS.items():
                if flush:
                    await rig.run("SCRIPT", "FLUSH")
                with pytest.raises(StoreDown) as caught:
                    await operation(rig, made)
                assert (name, "oom") == (name, caught.value.reason)

        verdict = await rig.use(made)
        assert (Word.OK, TOWER.idle_ms) == (verdict.word, verdict.remaining_ms)
        assert await rig.field(made, "l") is not None
        for name in ("trim", "revoke", "set_owner", "revoke_owner", "bury"):
            await DECISIONS[name](rig, made)
        assert Word.REVOKED == await rig.word(made)
        assert [] == await rig.immortals()


def free(server: Server) -> bool:
    """True when no script keeps the server busy."""
    try:
        return bool(server.cli("PING"))
    except ResponseError:
        return False


@pytest.mark.parametrize("kind", KINDS)
async def test_a_runaway_script_of_somebody_else_is_down(server_factory, kind: str):
    """While Redis is busy with another's script a call is StoreDown within its deadline."""
    server = server_factory(kind, {"lua-time-limit": "50"})
    async with Rig(server.url, timeout_ms=150) as rig:
        made = await started(rig)
        with server.client() as link:
            link.send_command("EVAL", "while true do end", 0)
            for _ in range(3):
                with pytest.raises(StoreDown):
                    await rig.use(made)
            server.cli("SCRIPT", "KILL")
            wait_until(lambda: free(server), "script killed")
        assert Word.OK == await rig.word(made)


async def test_scripts_that_redis_forgot_are_sent_again(real_server):
    """With every script flushed before every operation, each does what it does."""
    async with Rig(real_server.url) as rig:
        made = await started(rig)
        for operation in EVERYTHING.values():
            await rig.run("SCRIPT", "FLUSH")
            await operation(rig, made)
