"""The guard's buckets: what reserving answers, several settled at once."""

from __future__ import annotations

from dataclasses import replace

from service.model import Word
from service.store.guard import Rule
from tests.makers import MINUTE, Rig

RULE = Rule(limit=1, window_ms=MINUTE, first_ms=30_000, max_ms=MINUTE)


async def test_a_reserved_guess_tells_its_place_and_its_wait(rig: Rig):
    """The first guess is number one; the next has to wait while it is wrong."""
    first = await rig.buckets.reserve(b"a:x", RULE)
    busy = await rig.buckets.reserve(b"a:x", RULE)
    await rig.buckets.settle([first], good=False)
    second = await rig.buckets.reserve(b"a:x", RULE)

    assert (Word.OK, 1, 0) == (first.word, first.guesses, first.before_ms)
    assert 0 <= first.until_ms - await rig.now() + 1_000 <= 31_000
    assert (Word.BUSY, 0) == (busy.word, busy.wait_ms)
    assert (Word.WAIT, True) == (second.word, 25_000 < second.wait_ms <= 30_000)


async def test_several_are_settled_together(rig: Rig):
    """The buckets of one guess are decided in one round trip."""
    held = [await rig.buckets.reserve(name, RULE) for name in (b"a:x", b"i:y")]

    await rig.buckets.settle(held, good=True)

    assert [] == await rig.run(b"KEYS", b"g:*")
    await rig.buckets.settle([], good=True)


async def test_settling_tells_how_many_are_decided(rig: Rig):
    """Wrong ones so far; what is still undecided may turn out right."""
    rule = replace(RULE, limit=9)
    held = [await rig.buckets.reserve(b"a:x", rule) for _ in range(4)]

    assert [1] == await rig.buckets.settle(held[:1], good=False)
    assert [1] == await rig.buckets.settle(held[1:2], good=True)
    assert [2] == await rig.buckets.settle(held[2:3], good=False)
    assert [3] == await rig.buckets.settle(held[3:], good=False)


async def test_a_forgotten_bucket_is_empty(rig: Rig):
    """A guess that was under way then is settled without a trace."""
    held = [await rig.buckets.reserve(name, RULE) for name in (b"a:x", b"r:x")]

    await rig.buckets.forget(b"a:x", b"r:x")

    assert [0, 0] == await rig.buckets.settle(held, good=False)
    assert [] == await rig.run(b"KEYS", b"g:*")
