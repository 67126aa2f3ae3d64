"""The feed of revocations: in order, capped, and late rather than never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from service.core.amending import Change
from service.core.feed import Announcer, Revocation
from service.store.feed import START, Feed
from tests.makers import NETBOX, Rig, wish
from tests.servers import Memory, Server

END_MS = 4_102_444_800_000  # the year 2100
SHORT_MS = 500
"""What the store may take where a test waits until it has taken too long."""


@pytest.fixture
async def rig(any_server: Server | Memory) -> AsyncIterator[Rig]:
    """A node's floors on each kind of server."""
    async with Rig(any_server.url) as made:
        yield made


def announcer(rig: Rig, keep: int = 1000) -> Announcer:
    """One on the rig's store."""
    return Announcer(Feed(rig.client, rig.keys, keep))


def some(count: int, start: int = 0) -> list[Revocation]:
    """Revocations that can be told apart."""
    return [
        Revocation(owner=f"zoë {n}", reason="revoked", token_id=n, label="a\nb", mark=7)
        for n in range(start, start + count)
    ]


async def told(it: Announcer) -> list[Revocation]:
    """Everything that is in the feed."""
    return [each for _, each in await it.after(START, 100)]


async def test_what_is_told_is_read_in_its_order_and_in_parts(rig: Rig):
    """Each entry is behind the one before it."""
    it, all_of_them = announcer(rig), some(7)
    for each in all_of_them:
        await it.tell(each)
    first = await it.after(START, 5)
    rest = await it.after(first[-1][0], 5)

    assert all_of_them == [each for _, each in (*first, *rest)]
    assert (first[2][0], False) == await it.where(first[2][0])
    assert (rest[-1][0], False) == await it.where("")


async def test_who_comes_with_what_is_not_known_may_have_missed_something(rig: Rig):
    """Forgotten, or from another store; he is told all there is."""
    it = announcer(rig, keep=10)
    assert (START, False) == await it.where("")
    for each in some(2):
        await it.tell(each)
    ((early, _),) = await it.after(START, 1)
    for each in some(300, 2):
        await it.tell(each)

    kept = await it.after(START, 1000)
    assert len(kept) < 300
    assert some(1, 301) == [kept[-1][1]]
    assert (START, True) == await it.where(early)
    for unknown in ("99999999999999-0", "no id", "1", "1-", "-1", "٣-٣"):
        assert (START, True) == await it.where(unknown)


HERE, THERE = (ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24"))


@pytest.mark.parametrize(
    ("change", "tells"),
    [
        ({"write": False}, True),
        ({"enabled": False}, True),
        ({"networks": (THERE,)}, True),
        ({"end_ms": 1}, True),
        ({"end_ms": END_MS - 1}, True),
        ({"end_ms": END_MS}, False),
        ({"end_ms": END_MS + 1}, False),
        ({"end_ms": 0}, False),
        ({"write": True, "enabled": True, "networks": ()}, False),
        ({"networks": None}, False),
        ({"networks": (HERE,), "description": "x"}, False),
    ],
    ids=str,
)
async def test_a_token_that_may_less_than_before_is_told(
    rig: Rig, change: dict[str, Any], tells: bool
):
    """Whoever kept what it might asks again; of all other changes nothing is said."""
    await rig.users.add("alice", "right")
    rig.tokens.announcer = it = announcer(rig)
    made = await rig.tokens.issue(replace(wish("alice", NETBOX), end_ms=END_MS, networks=(HERE,)))
    await rig.tokens.amend(await rig.tokens.get(made.token_id), Change(**change))
    changed = Revocation(owner="alice", reason="changed", token_id=made.token_id)

    assert ([changed] if tells else []) == await told(it)


async def test_a_token_without_an_end_is_told_when_it_gets_one(rig: Rig):
    """It ends sooner than never."""
    await rig.users.add("alice", "right")
    rig.tokens.announcer = it = announcer(rig)
    made = await rig.tokens.issue(wish("alice", NETBOX))
    await rig.tokens.amend(await rig.tokens.get(made.token_id), Change(end_ms=END_MS))

    assert ["changed"] == [each.reason for each in await told(it)]


async def test_without_a_feed_nothing_is_written(rig: Rig):
    """``keep`` 0."""
    it = announcer(rig, keep=0)
    await it.tell(some(1)[0])

    assert 0 == await rig.run(b"EXISTS", rig.keys.events)


async def test_a_store_that_hangs_is_told_when_it_is_back(redis_server: Server | Memory):
    """In order, whatever came meanwhile; who tells is not kept waiting for it."""
    assert isinstance(redis_server, Server)
    async with Rig(redis_server.url, timeout_ms=SHORT_MS) as rig:
        it, loop = announcer(rig), asyncio.get_running_loop()
        await it.tell(some(1)[0])
        redis_server.pause()
        try:
            began = loop.time()
            for each in some(3, 1):
                await it.tell(each)
            took_s = loop.time() - began
        finally:
            redis_server.resume()
        async with asyncio.timeout(10):
            while {*some(4)} - {*await told(it)}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        found = await told(it)

    # A write that was given up may have arrived: at least once, and each of them.
    assert some(4) == [each for n, each in enumerate(found) if each not in found[:n]]
    # The first waits as long as the store may take, the others do not.
    assert took_s < 2 * rig.client.timeout_s


async def test_a_node_that_ends_tells_what_waits(redis_server: Server | Memory):
    """Once more; then it lets go."""
    assert isinstance(redis_server, Server)
    async with Rig(redis_server.url, timeout_ms=SHORT_MS) as rig:
        it = announcer(rig)
        redis_server.pause()
        try:
            await it.tell(some(1)[0])
        finally:
            redis_server.resume()
        await it.settle()

        assert some(1) == (await told(it))[:1]
