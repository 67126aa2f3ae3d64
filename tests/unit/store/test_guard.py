"""The guard's buckets: what reserving answers, several settled at once."""

from __future__ import annotations

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
    assert (Word.WAIT, True) == (second.word, 28_000 < second.wait_ms <= 30_000)


async def test_several_are_settled_together(rig: Rig):
    """The buckets of one guess are decided in one round trip."""
    held = [await rig.buckets.reserve(name, RULE) for name in (b"a:x", b"i:y")]

    await rig.buckets.settle(held, good=True)

    assert [] == await rig.run(b"KEYS", b"g:*")
    await rig.buckets.settle([], good=True)
