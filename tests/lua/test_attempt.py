"""attempt: guesses are counted before they are made, and settled after."""

from __future__ import annotations

import pytest

from service.model import Word
from service.store.guard import Bucket, Rule
from tests.makers import MINUTE, Rig

NAME = b"a:x"
RULE = Rule(limit=3, window_ms=5 * MINUTE, first_ms=30_000, max_ms=15 * MINUTE)


async def reserve(rig: Rig, rule: Rule = RULE) -> Bucket:
    """One guess asked for."""
    return await rig.buckets.reserve(NAME, rule)


async def guess(rig: Rig, *, good: bool, rule: Rule = RULE) -> Bucket:
    """One guess asked for and decided."""
    bucket = await reserve(rig, rule)
    if bucket.word is Word.OK:
        await rig.buckets.settle([bucket], good=good)
    return bucket


async def field(rig: Rig, name: bytes) -> int:
    """A field of the bucket; 0 when it has none."""
    return int(await rig.run(b"HGET", rig.keys.guard(NAME), name) or 0)


async def pass_by(rig: Rig, ms: int) -> None:
    """Let *ms* pass for the bucket's times."""
    key = rig.keys.guard(NAME)
    for name in (b"u", b"t"):
        await rig.run(b"HSET", key, name, max(await field(rig, name) - ms, 0))
    await rig.run(b"PEXPIRE", key, await rig.run(b"PTTL", key) - ms)


async def test_as_many_guesses_as_the_limit_are_free(rig: Rig):
    """The guess after the last free one has to wait, and is not counted."""
    words = [(await guess(rig, good=False)).word for _ in range(4)]

    assert [Word.OK] * 3 + [Word.WAIT] == words
    assert 3 == await field(rig, b"n")


async def test_the_wait_doubles_up_to_its_longest(rig: Rig):
    """Each wrong guess after the free ones waits twice as long, up to the maximum."""
    for _ in range(3):
        await guess(rig, good=False)

    waits = []
    for _ in range(8):
        waits.append((await reserve(rig)).wait_ms)
        await pass_by(rig, waits[-1] + 1)
        assert Word.OK == (await guess(rig, good=False)).word

    seconds = [-(-wait // 1000) for wait in waits]
    assert [30, 60, 120, 240, 480, 900, 900, 900] == seconds


async def test_a_good_guess_does_not_count(rig: Rig):
    """Right passwords leave no trace, however many there are."""
    for _ in range(10):
        assert Word.OK == (await guess(rig, good=True)).word

    assert 0 == await rig.run(b"EXISTS", rig.keys.guard(NAME))


async def test_a_good_guess_forgives_no_other(rig: Rig):
    """One right password between wrong ones gives back itself only."""
    for good in (False, True, False, True, False):
        assert Word.OK == (await guess(rig, good=good)).word

    assert Word.WAIT == (await reserve(rig)).word


async def test_the_last_free_guess_given_back_lifts_its_wait(rig: Rig):
    """A right password on the last free guess leaves the next one free."""
    for good in (False, False, True, True, True):
        assert Word.OK == (await guess(rig, good=good)).word


async def test_a_good_guess_after_a_wait_keeps_the_count(rig: Rig):
    """After a wait a right password is accepted, and the next wrong one waits as long as before."""
    for _ in range(3):
        await guess(rig, good=False)
    await pass_by(rig, 30_001)

    assert Word.OK == (await guess(rig, good=True)).word
    assert Word.OK == (await guess(rig, good=False)).word

    assert 55_000 < (await reserve(rig)).wait_ms <= 60_000


async def test_undecided_guesses_are_waited_for(rig: Rig):
    """While guesses are undecided the next one is told to come again in a moment."""
    held = [await reserve(rig) for _ in range(3)]

    assert Word.BUSY == (await reserve(rig)).word

    await rig.buckets.settle(held[:1], good=True)
    assert Word.OK == (await reserve(rig)).word


async def test_a_guess_that_was_lost_with_its_node_counts(rig: Rig):
    """An undecided guess is waited for five seconds, then counted as wrong."""
    for _ in range(3):
        await reserve(rig)
    assert Word.BUSY == (await reserve(rig)).word

    key = rig.keys.guard(NAME)
    await rig.run(b"HSET", key, b"t", await field(rig, b"t") - 5_000)

    assert Word.WAIT == (await reserve(rig)).word


async def test_a_late_good_guess_keeps_a_later_guess_waiting(rig: Rig):
    """Giving back an early guess does not lift the wait that a later one set."""
    held = [await reserve(rig) for _ in range(3)]
    await rig.buckets.settle(held[1:], good=False)
    await pass_by(rig, 30_001)
    assert Word.OK == (await guess(rig, good=False)).word

    await rig.buckets.settle(held[:1], good=True)

    assert Word.WAIT == (await reserve(rig)).word


async def test_settling_what_is_forgotten_makes_no_bucket(rig: Rig):
    """A bucket that was forgotten before its guess was decided is not made again."""
    for good in (True, False):
        bucket = await reserve(rig)
        await rig.run(b"DEL", rig.keys.guard(NAME))

        await rig.buckets.settle([bucket], good=good)

        assert 0 == await rig.run(b"EXISTS", rig.keys.guard(NAME))


async def test_a_bucket_is_forgotten_after_its_window(rig: Rig):
    """Its TTL is the window after the latest guess, and the wait on top; deciding moves neither."""
    key = rig.keys.guard(NAME)
    for number, wait in ((1, 0), (2, 0), (3, 30_000)):
        bucket = await reserve(rig)
        await rig.buckets.settle([bucket], good=False)
        ttl = await rig.run(b"PTTL", key)
        assert number == bucket.guesses
        assert RULE.window_ms + wait - 5_000 < ttl <= RULE.window_ms + wait

    assert Word.WAIT == (await reserve(rig)).word
    assert await rig.run(b"PTTL", key) <= ttl


async def test_a_refused_guess_changes_nothing(rig: Rig):
    """Asking while one has to wait neither counts nor prolongs."""
    for _ in range(3):
        await guess(rig, good=False)
    before = await rig.everything()

    for _ in range(5):
        assert Word.WAIT == (await reserve(rig)).word

    assert before == await rig.everything()


@pytest.mark.parametrize("limit", [1, 10])
async def test_any_limit_is_exact(rig: Rig, limit: int):
    """Asked for in a row without deciding, exactly the limit is given."""
    rule = Rule(limit=limit, window_ms=MINUTE, first_ms=30_000, max_ms=MINUTE)

    words = [(await reserve(rig, rule)).word for _ in range(limit + 3)]

    assert [Word.OK] * limit + [Word.BUSY] * 3 == words


async def test_very_many_guesses_still_wait_the_longest(rig: Rig):
    """The doubling does not overflow after thousands of guesses."""
    await rig.run(b"HSET", rig.keys.guard(NAME), b"n", 5_000, b"u", 0, b"p", 0, b"t", 0)

    await guess(rig, good=False)

    assert 14 * MINUTE < (await reserve(rig)).wait_ms <= 15 * MINUTE


async def test_two_buckets_know_nothing_of_each_other(rig: Rig):
    """What one name has used up the other still has."""
    for _ in range(4):
        await guess(rig, good=False)

    assert Word.OK == (await rig.buckets.reserve(b"a:y", RULE)).word
