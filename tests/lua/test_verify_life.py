"""verify and time: what a use moves, what it may not move, and what it writes of itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from service.errors import StoreDown
from service.model import Life, Word
from tests.makers import AWAY, HOME, MINUTE, NETBOX, PUPPET, TOWER, Made, Rig
from tests.servers import Server

GRAVE = TOWER.grave_ms
IDLE = TOWER.idle_ms
SLACK = 5_000
"""What a slow machine may lose between two commands, in ms."""


def near(expected: int, actual: int) -> bool:
    """True when *actual* is *expected* or a little less."""
    return expected - SLACK <= actual <= expected


async def test_a_use_slides_the_end_to_a_whole_idle_time(rig: Rig):
    """After an accepted use the key lives for one idle time and the grave."""
    made = await rig.make()
    await rig.age(made, IDLE - 5 * MINUTE)

    verdict = await rig.use(made)

    assert IDLE == verdict.remaining_ms
    assert near(IDLE - 5 * MINUTE + SLACK, verdict.gap_ms)
    assert near(IDLE + GRAVE, await rig.ttl(made))


async def test_the_last_moment_still_passes_and_the_next_does_not(rig: Rig):
    """A token is good while any life is left, and expired when only the grave is."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, GRAVE + SLACK)
    assert Word.OK == await rig.word(made)

    await rig.run(b"PEXPIRE", made.key, GRAVE)

    assert Word.EXPIRED == await rig.word(made)
    assert near(GRAVE, await rig.ttl(made))


async def test_a_token_that_left_its_grave_is_unknown(rig: Rig):
    """When the grave is over nothing is left of the token."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, 1)
    while await rig.ttl(made) >= 0:
        pass

    assert Word.UNKNOWN == await rig.word(made)


async def test_a_refused_use_never_slides(rig: Rig):
    """A use from a foreign address leaves the end where it was."""
    made = await rig.make()
    await rig.age(made, 10 * MINUTE)

    for _ in range(3):
        assert Word.MISMATCH == await rig.word(made, address=AWAY)

    assert near(IDLE + GRAVE - 10 * MINUTE, await rig.ttl(made))
    assert await rig.field(made, "l") is None


@pytest.mark.parametrize(("aged", "moves"), [(20_000, False), (40_000, True)])
async def test_a_step_spares_the_small_slides(rig: Rig, aged: int, moves: bool):
    """With a slide step of 30 s a use that would gain less leaves the end alone."""
    node = rig.node(replace(TOWER, slide_step_ms=30_000))
    made = await rig.make()
    await rig.age(made, aged)

    verdict = await node.use(made)

    left = IDLE if moves else IDLE - aged
    assert near(left, verdict.remaining_ms)
    assert near(left + GRAVE, await rig.ttl(made))


async def test_a_lowered_idle_time_holds_from_the_next_use(rig: Rig):
    """A shorter idle time of the config shortens a token's life at its next use, step or not."""
    made = await rig.make()
    node = rig.node(replace(TOWER, idle_ms=5 * MINUTE, slide_step_ms=MINUTE))

    verdict = await node.use(made)

    assert 5 * MINUTE == verdict.remaining_ms
    assert near(5 * MINUTE + GRAVE, await rig.ttl(made))


async def test_a_raised_idle_time_holds_from_the_next_use(rig: Rig):
    """A longer idle time lengthens it likewise."""
    made = await rig.make()

    await rig.node(replace(TOWER, idle_ms=2 * IDLE)).use(made)

    assert near(2 * IDLE + GRAVE, await rig.ttl(made))


async def test_a_changed_grave_leaves_made_tokens_alone(rig: Rig):
    """The grave stands in the head: a changed one does not bury a live token or revive a dead."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, GRAVE - 1)

    for grave in (GRAVE * 10, 1_000):
        assert Word.EXPIRED == await rig.node(replace(TOWER, grave_ms=grave)).word(made)


async def test_no_slide_passes_the_absolute_end(rig: Rig):
    """A use close to the absolute end slides to that end and not beyond."""
    made = await rig.make(age_ms=IDLE + 10 * MINUTE)
    await rig.edit(made, end_ms=await rig.now() + 3 * MINUTE)

    verdict = await rig.use(made)

    assert near(3 * MINUTE, verdict.remaining_ms)
    assert near(3 * MINUTE + GRAVE, await rig.ttl(made))


async def test_an_absolute_end_counts_even_where_the_key_lives_on(rig: Rig):
    """Past its absolute end a token is expired, however long its key has to live."""
    made = await rig.make()
    await rig.edit(made, end_ms=await rig.now() - 1)

    assert Word.EXPIRED == await rig.word(made)


async def test_a_fixed_end_does_not_slide(rig: Rig):
    """A token with a fixed end keeps it through every use."""
    made = await rig.make(policy=PUPPET)
    await rig.age(made, MINUTE)

    verdict = await rig.use(made)

    assert near(60 * MINUTE, verdict.remaining_ms)
    assert -1 == verdict.gap_ms
    assert near(60 * MINUTE + PUPPET.grave_ms - MINUTE, await rig.ttl(made))


async def test_a_token_that_never_ends_has_no_ttl(rig: Rig):
    """A token without any end passes, tells -1 and stays without TTL."""
    made = await rig.make(policy=NETBOX)

    verdict = await rig.use(made)

    assert (Word.OK, -1, -1) == (verdict.word, verdict.remaining_ms, await rig.ttl(made))


@pytest.mark.parametrize("life", [Life.SLIDING, Life.FIXED])
async def test_a_key_without_ttl_that_should_end_is_refused(rig: Rig, life: Life):
    """A zombie, a key that lost its TTL, is dead unless its head says it never ends."""
    made = await rig.make()
    await rig.edit(made, life=life, end_ms=await rig.now() + 60 * MINUTE)
    await rig.run(b"PERSIST", made.key)

    assert Word.EXPIRED == await rig.word(made)
    assert -1 == await rig.ttl(made)


async def test_a_dying_key_of_a_token_without_end_is_refused(rig: Rig):
    """A never-ending token whose key has a TTL is one that was buried."""
    made = await rig.make(policy=NETBOX)
    await rig.run(b"PEXPIRE", made.key, 60 * MINUTE)

    assert Word.EXPIRED == await rig.word(made)


async def test_a_policy_that_stopped_sliding_leaves_the_end_where_it_was(rig: Rig):
    """With idle 0 in the config a sliding token lives out what it has."""
    made = await rig.make()
    await rig.age(made, 10 * MINUTE)

    verdict = await rig.node(replace(TOWER, idle_ms=0)).use(made)

    assert near(IDLE - 10 * MINUTE, verdict.remaining_ms)
    assert near(IDLE + GRAVE - 10 * MINUTE, await rig.ttl(made))


async def use_every(rig: Rig, made: Made, interval_ms: int, *, ahead_ms: int = 0) -> bytes | None:
    """One use under a last_used interval; what is written of it."""
    args = (rig.head(TOWER).agent + HOME, rig.rules(interval_ms, ahead_ms=ahead_ms))
    assert "ok" == (await rig.call("verify", [made.key, rig.keys.owners(made.shard)], *args))[0]
    return await rig.field(made, "l")


async def test_the_first_use_is_noted_with_the_time_of_redis(rig: Rig):
    """last_used is absent before, and Redis's clock after the first use."""
    made = await rig.make()
    assert await rig.field(made, "l") is None
    before = await rig.now()

    noted = int.from_bytes(await use_every(rig, made, MINUTE) or b"", "big")

    assert before <= noted <= await rig.now()


@pytest.mark.parametrize(
    ("ago_ms", "written"),
    [(0, False), (MINUTE - SLACK, False), (MINUTE, True), (10 * MINUTE, True)],
)
async def test_last_used_is_written_once_an_interval(rig: Rig, ago_ms: int, written: bool):
    """A use writes last_used when the one before is an interval old, and not earlier."""
    made = await rig.make()
    stored = (await rig.now() - ago_ms).to_bytes(6, "big")
    await rig.run(b"HSET", made.key, b"l", stored)

    assert written == (stored != await use_every(rig, made, MINUTE))


@pytest.mark.parametrize(("ahead_ms", "written"), [(MINUTE // 2, False), (2 * MINUTE, True)])
async def test_a_clock_that_stepped_back_does_not_freeze_last_used(
    rig: Rig, ahead_ms: int, written: bool
):
    """A last_used in the future is corrected as soon as it is an interval away."""
    made = await rig.make()
    stored = (await rig.now() + ahead_ms).to_bytes(6, "big")
    await rig.run(b"HSET", made.key, b"l", stored)

    assert written == (stored != await use_every(rig, made, MINUTE))


HOUR = 60 * MINUTE


@pytest.mark.parametrize("ahead_ms", [-1000 * HOUR, -HOUR, -MINUTE, MINUTE, HOUR, 1000 * HOUR])
@pytest.mark.parametrize(("ago_ms", "written"), [(MINUTE - SLACK, False), (2 * MINUTE, True)])
async def test_a_node_whose_clock_is_wrong_writes_no_sooner(
    rig: Rig, ahead_ms: int, ago_ms: int, written: bool
):
    """The interval is Redis's; a clock a minute slow may put a write off, never bring it on."""
    made = await rig.make()
    stored = (await rig.now() - ago_ms).to_bytes(6, "big")
    await rig.run(b"HSET", made.key, b"l", stored)

    used = await use_every(rig, made, MINUTE, ahead_ms=ahead_ms)

    assert written == (stored != used) or (ahead_ms, used) == (-MINUTE, stored)
    assert abs(int.from_bytes(used or b"", "big") - await rig.now()) < ago_ms + SLACK


@pytest.mark.parametrize("ahead_ms", [0, -MINUTE // 2])
async def test_two_intervals_are_never_passed_over(rig: Rig, ahead_ms: int):
    """A node half a minute slow is late by half a minute at most."""
    made = await rig.make()
    stored = (await rig.now() - 2 * MINUTE).to_bytes(6, "big")
    await rig.run(b"HSET", made.key, b"l", stored)

    assert stored != await use_every(rig, made, MINUTE, ahead_ms=ahead_ms)


async def test_most_uses_do_not_ask_for_the_time(real_server: Server):
    """A second use within the minute is decided without TIME, which costs a fifth of a verify."""
    async with Rig(real_server.url) as rig:
        made = await rig.make(await rig.owner())
        await use_every(rig, made, MINUTE)
        before = await asked_for_time(rig)

        await use_every(rig, made, MINUTE)

        assert before == await asked_for_time(rig)


async def asked_for_time(rig: Rig) -> bytes:
    """How often somebody asked for it, as Redis counts."""
    counted: bytes = await rig.run(b"INFO", b"commandstats")
    found = re.search(rb"cmdstat_time:calls=(\d+)", counted)
    return found[1] if found else b"0"


@pytest.mark.parametrize(
    ("ago_ms", "touch_ms"),
    [(None, MINUTE), (MINUTE, MINUTE), (-15_000, 75_000), (15_000, 45_000), (50_000, 10_000)],
)
async def test_a_use_says_when_one_would_be_noted_again(
    rig: Rig, ago_ms: int | None, touch_ms: int
):
    """Never later than Redis would have it; the clock that says so may lag two seconds."""
    made = await rig.make()
    if ago_ms is not None:
        stored = (await rig.now() - ago_ms).to_bytes(6, "big")
        await rig.run(b"HSET", made.key, b"l", stored)

    told = (await rig.use(made)).touch_ms

    assert touch_ms - 2 * SLACK <= told <= touch_ms


async def test_an_interval_of_nothing_notes_every_use(rig: Rig):
    """With interval 0 every use is written."""
    made = await rig.make()
    await rig.run(b"HSET", made.key, b"l", bytes(6))

    assert bytes(6) != await use_every(rig, made, 0)


async def test_a_use_can_be_asked_twice(rig: Rig):
    """The same use again gives the same answer and leaves the same record."""
    made = await rig.make()
    first = await rig.use(made)
    before = await rig.everything()

    second = await rig.use(made)

    assert (first.word, first.token_id, first.remaining_ms) == (
        second.word,
        second.token_id,
        second.remaining_ms,
    )
    assert before == await rig.everything()


async def test_a_record_that_cannot_be_read_is_no_verdict_and_no_write(rig: Rig):
    """A script that fails on a broken record answers nothing and has written nothing."""
    made = await rig.make()
    await rig.run(b"HSET", made.key, b"h", b"1tsw")
    before = await rig.everything()

    with pytest.raises(StoreDown):
        await rig.use(made)

    assert before == await rig.everything()
