"""Revoking while tokens are used, made and listed by others."""

from __future__ import annotations

import asyncio

from service.model import Head, Word
from service.store.keys import shard_of
from tests.makers import NETBOX, TOWER, Rig
from tests.race.conftest import Pair
from tests.servers import Server

MANY = 10_000


async def plant(rig: Rig, count: int) -> None:
    """Give alice *count* never-ending tokens, written as issue would."""
    shard, head = shard_of("alice"), rig.head(NETBOX)
    first = int(await rig.run(b"GET", rig.keys.counter(shard)) or 0) + 1
    for start in range(first, first + count, 1_000):
        steps = []
        for counter in range(start, min(start + 1_000, first + count)):
            digest = counter.to_bytes(20, "big")
            packed = head.pack()[:4] + counter.to_bytes(5, "big") + head.pack()[9:]
            assert counter == Head.unpack(packed).counter
            steps.append((b"HSET", rig.keys.token(shard, digest), b"h", packed, b"o", b"alice"))
            steps.append((b"ZADD", rig.index("alice"), counter, digest + b"n"))
        await rig.client.run(*steps)
    await rig.run(b"SET", rig.keys.counter(shard), first + count - 1)


def commands(server: Server) -> int:
    """How many commands the server has run so far, those inside scripts too."""
    stats = server.info("commandstats").items()
    asked = ("cmdstat_info", "cmdstat_client", "cmdstat_hello", "cmdstat_auth")
    return sum(
        int(value.split(",")[0].removeprefix("calls="))
        for name, value in stats
        if not name.startswith(asked)
    )


async def test_nothing_passes_after_its_revoke_returned(pair: Pair):
    """In ten thousand uses on two nodes none that began after the revoke returned is accepted."""
    one, two = pair
    lies, passed = 0, 0

    async def round_of_uses() -> None:
        nonlocal lies, passed
        made = await one.make(policy=NETBOX)
        revoked = False

        async def use(rig: Rig) -> None:
            nonlocal lies, passed
            for _ in range(5):
                after = revoked
                word = await rig.word(made)
                assert word in (Word.OK, Word.REVOKED)
                lies += after and word is Word.OK
                passed += word is Word.OK

        async def revoke() -> None:
            nonlocal revoked
            await asyncio.sleep(0)
            await two.store.revoke(made.shard, made.digest)
            revoked = True

        await asyncio.gather(use(one), use(two), revoke(), use(one), use(two))

    for _ in range(50):
        await asyncio.gather(*(round_of_uses() for _ in range(10)))

    assert 0 == lies
    assert passed > 100
    assert [] == await one.immortals()


async def test_a_token_made_beside_a_revoke_of_all_is_dead_or_new(pair: Pair):
    """Of tokens made while all are revoked those up to the mark are dead, the others live."""
    one, two = pair

    for _ in range(10):
        made, _ = await asyncio.gather(
            asyncio.gather(*(pair[n % 2].make(policy=NETBOX) for n in range(10))),
            two.store.revoke_owner("alice"),
        )
        state = await one.run(b"HGET", one.keys.owners(shard_of("alice")), b"alice")
        mark = int.from_bytes(state[1:], "big")
        assert [each.outcome.counter > mark for each in made] == await one.live(made)


async def test_what_was_revoked_before_stays_dead_whatever_runs_beside(pair: Pair):
    """Logins, uses and tidying beside it bring no revoked token back."""
    one, two = pair
    old = [await one.make(policy=policy) for policy in (TOWER, NETBOX) for _ in range(10)]
    await one.tokens.revoke_owner("alice")

    await asyncio.gather(
        *(pair[n % 2].make(name=b"bind:x") for n in range(10)),
        *(pair[n % 2].use(each) for n, each in enumerate(old)),
        two.store.bury_all("alice"),
        one.owners.change("alice", {"email": "x"}, state="a"),
    )

    assert [False] * 20 == await two.live(old)


async def test_a_user_made_again_gets_none_of_the_old_tokens(pair: Pair):
    """However deleting, making and using interleave, tokens of the earlier user stay dead."""
    one, two = pair

    for _ in range(10):
        old = [await one.make(policy=NETBOX) for _ in range(5)]

        async def again() -> None:
            await one.users.delete("alice")
            await one.owner("alice")

        await asyncio.gather(again(), *(two.use(each) for each in old for _ in range(3)))
        assert [False] * 5 == await two.live(old)

    await one.tokens.settle()
    assert [] == await one.immortals()


async def test_revoking_all_costs_the_same_for_one_as_for_ten_thousand(
    pair: Pair, redis_server: Server
):
    """revoke_owner runs the same few commands for any number of tokens."""
    one, _ = pair
    await one.store.revoke_owner("alice")
    costs = []
    for count in (1, MANY):
        await plant(one, count)
        before = commands(redis_server)
        await one.store.revoke_owner("alice")
        costs.append(commands(redis_server) - before)

    assert costs[0] == costs[1] < 10


async def test_after_revoking_all_no_dead_token_is_immortal(pair: Pair):
    """The tidying behind it gives ten thousand never-ending tokens a TTL, and unlists them."""
    one, _ = pair
    await plant(one, MANY)
    assert MANY == len(await one.immortals())

    await one.tokens.revoke_owner("alice")
    await one.tokens.settle()

    assert [] == await one.immortals()
    assert 0 == await one.run(b"ZCARD", one.index("alice"))


async def test_a_tidying_that_died_is_taken_up_by_the_next_login(pair: Pair):
    """Where the node died before it tidied, the logins that follow do it, a few at a time."""
    one, two = pair
    for _ in range(20):
        await one.make(policy=NETBOX)
    await one.store.revoke_owner("alice")

    for _ in range(60):
        await two.make(policy=TOWER, name=b"bind:x")

    assert [] == await two.immortals()


async def test_last_used_is_written_once_for_a_thousand_uses(pair: Pair, redis_server: Server):
    """A thousand uses over two nodes within the interval are one write of last_used."""
    made = await pair[0].make(policy=NETBOX)

    def writes() -> int:
        return int(redis_server.info("commandstats")["cmdstat_hset"].split(",")[0][6:])

    before = writes()
    for _ in range(10):
        await asyncio.gather(*(pair[n % 2].use(made) for n in range(100)))

    assert 1 == writes() - before
