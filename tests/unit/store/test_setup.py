"""Set-up: the mark of birth, and what doctor finds wrong with a Redis."""

from __future__ import annotations

import pytest

from service.errors import NotSetUp, StoreDown
from service.store.client import Client
from service.store.keys import Keys
from service.store.setup import AlreadySetUp, Finding, Setup
from tests.makers import Rig
from tests.servers import Memory, Server


async def opened(url: str) -> Setup:
    """Set-up of a store that was never set up."""
    return Setup(Client(url, timeout_ms=2_000), Keys())


async def test_a_store_is_born_once(any_server: Server | Memory):
    """init writes a random mark; a second one is refused and changes nothing."""
    setup = await opened(any_server.url)
    assert await setup.born() is None
    assert not await setup.probe()

    mark = await setup.init()

    assert mark == await setup.born()
    assert await setup.probe()
    with pytest.raises(AlreadySetUp):
        await setup.init()
    assert mark == await setup.born()
    await setup.client.aclose()


async def test_a_store_with_users_or_tokens_is_not_born_again(rig: Rig):
    """A restored copy without its mark is refused, for its tokens or its users alone."""
    await rig.owner("bob")
    for spoil in ((b"DEL", rig.keys.born), (b"DEL", rig.keys.users)):
        await rig.make()
        await rig.run(*spoil)
        with pytest.raises(AlreadySetUp):
            await rig.setup.init()
        assert await rig.setup.born() is None


async def test_foreign_keys_do_not_count(redis_server: Server):
    """A Redis that others use as well can be set up, among thousands of their keys."""
    pairs = [part for number in range(5_000) for part in (f"other:{number}", "x")]
    redis_server.cli("MSET", *pairs, "t:x", "y")
    setup = await opened(redis_server.url)

    assert await setup.init()
    await setup.client.aclose()


async def test_one_token_among_thousands_of_keys_counts(redis_server: Server):
    """The search for tokens walks the whole store."""
    pairs = [part for number in range(5_000) for part in (f"other:{number}", "x")]
    redis_server.cli("MSET", *pairs)
    redis_server.cli("HSET", "t:{0000}:x", "h", "x")
    setup = await opened(redis_server.url)

    with pytest.raises(AlreadySetUp):
        await setup.init()
    await setup.client.aclose()


async def test_an_emptied_store_decides_nothing(rig: Rig):
    """After FLUSHALL no token is unknown and no user is wrong: the store is not set up."""
    made = await rig.make()
    await rig.run(b"FLUSHALL")

    for attempt in (
        lambda: rig.use(made),
        lambda: rig.make(),
        lambda: rig.store.revoke(made.shard, made.digest),
    ):
        with pytest.raises(NotSetUp):
            await attempt()
    assert not await rig.setup.probe()


def levels(findings: list[Finding]) -> dict[str, str]:
    """Subject and level of each finding."""
    return {finding.subject: finding.level for finding in findings}


async def test_a_sound_redis_has_nothing_to_complain_of(server_factory):
    """With AOF, noeviction and a mark of birth every finding is ok."""
    server = server_factory("redis8", {"appendonly": "yes", "maxmemory-policy": "noeviction"})
    async with Rig(server.url) as rig:
        assert {"ok"} == set(levels(await rig.setup.examine()).values())


@pytest.mark.parametrize(
    ("kind", "conf", "subject", "level"),
    [
        ("redis8", {"maxmemory-policy": "volatile-lru"}, "eviction", "fail"),
        ("redis8", {"maxmemory-policy": "allkeys-random"}, "eviction", "fail"),
        ("redis8", {}, "persistence", "fail"),
        ("redis8", {"save": "3600 1"}, "persistence", "warn"),
        ("redis6", {}, "version", "warn"),
        ("redis8", {"rename-command": ["CONFIG nope"]}, "settings", "warn"),
    ],
)
async def test_what_would_hurt_is_found(
    server_factory, kind: str, conf: dict, subject: str, level: str
):
    """Each dangerous setting has its line, at its level."""
    server = server_factory(kind, conf)
    async with Rig(server.url) as rig:
        assert level == levels(await rig.setup.examine())[subject]


async def test_replicas_without_a_fence_are_found(server_factory):
    """With a replica and min-replicas-to-write 0 a cut-off master would go on saying yes."""
    master = server_factory()
    server_factory(replica_of=master)
    async with Rig(master.url) as rig:
        assert "fail" == levels(await rig.setup.examine())["replication"]
        master.cli("CONFIG", "SET", "min-replicas-to-write", 1)
        assert "ok" == levels(await rig.setup.examine())["replication"]


async def test_a_store_that_is_not_set_up_is_found(redis_server: Server):
    """Without the mark of birth doctor fails and says what to do."""
    setup = await opened(redis_server.url)

    found = await setup.examine()

    assert "fail" == levels(found)["set-up"]
    assert "tokenhouse store init" in next(f.text for f in found if f.subject == "set-up")
    await setup.client.aclose()


async def test_no_redis_is_one_finding(server_factory):
    """Where nothing answers there is one line, and probing is StoreDown."""
    server = server_factory()
    setup = await opened(server.url)
    server.kill()

    assert {"redis": "fail"} == levels(await setup.examine())
    with pytest.raises(StoreDown):
        await setup.probe()
    await setup.client.aclose()


async def test_the_embedded_store_says_what_it_is():
    """memory:// works and warns that nothing survives."""
    async with Rig("memory://") as rig:
        found = levels(await rig.setup.examine())

        assert {"redis": "ok", "set-up": "ok", "persistence": "warn"} == found
