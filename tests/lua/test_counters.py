"""Ids beyond what 32 bits hold: every script reads all five bytes of a counter."""

from __future__ import annotations

from dataclasses import replace

from service.model import Word, split_id, token_id
from service.store.keys import shard_of
from tests.makers import NETBOX, TOWER, Rig

BEFORE = (1 << 39) + 5
"""Needs all five bytes, and differs from small counters in the first of them."""


async def count_on(rig: Rig) -> None:
    """Continue the shard's counter far above 32 bits."""
    await rig.run(b"SET", rig.keys.counter(shard_of("alice")), BEFORE)


async def test_a_big_id_is_told_whole(rig: Rig):
    """The id that issue answers, verify answers and the index finds is the same, to the bit."""
    await count_on(rig)
    made = await rig.make(name=b"bind:x")

    assert BEFORE + 1 == made.outcome.counter == (await rig.make(name=b"bind:x")).outcome.counter
    number = (await rig.use(made)).token_id
    assert (BEFORE + 1, made.shard) == split_id(number)
    assert token_id(BEFORE + 1, made.shard) == number < 1 << 56
    found = await rig.records.by_id(number)
    assert found is not None
    assert made.digest == found.digest
    reply = await rig.call("revoke", [made.key, rig.index("alice")], "alice")
    assert ["ok", BEFORE + 1, b"t"] == reply


async def test_marks_keep_all_their_bits(rig: Rig):
    """A mark kills what is below it and nothing above, for issue, verify and amend alike."""
    await count_on(rig)
    old = await rig.make(name=b"bind:x")
    await rig.store.revoke_owner("alice")
    new = await rig.make(name=b"bind:x")

    assert old.digest != new.digest == (await rig.make(name=b"bind:x")).digest
    assert [Word.REVOKED, Word.OK] == [await rig.word(each) for each in (old, new)]
    assert [Word.REVOKED, Word.OK] == [
        await rig.store.amend("alice", each.digest, flags=b"w") for each in (old, new)
    ]
    await rig.owners.change("alice", {"email": "x"})
    assert Word.REVOKED == await rig.word(old)
    await rig.store.bury_all("alice")
    assert 1 == await rig.run(b"ZCARD", rig.index("alice"))


async def test_floors_keep_all_their_bits(rig: Rig):
    """Small counters of before are below a big floor, the newest are above it."""
    two = replace(TOWER, per_user=2)
    node = rig.node(two, NETBOX)
    made = [await node.make(policy=two)]
    await count_on(rig)
    made += [await node.make(policy=two) for _ in range(3)]

    assert [False, False, True, True] == await node.live(made)
    one = rig.node(replace(TOWER, per_user=1), NETBOX)
    assert [False, False, False, True] == await one.live(made)
    assert Word.EVICTED == await rig.store.amend("alice", made[2].digest, flags=b"w")
    await rig.store.bury_all("alice")
    assert [Word.EVICTED] * 3 == [await one.word(each) for each in made[:3]]


async def test_a_mark_far_above_small_ids_is_not_cut(rig: Rig):
    """A token with a small counter is dead under a mark whose low bytes are smaller still."""
    made = [await rig.make() for _ in range(9)]
    await rig.set_state("alice", b"a", 1 << 32)
    assert Word.REVOKED == await rig.word(made[8])

    await rig.set_state("alice", b"a")
    await rig.set_floor("alice", "t", 1 << 32, 1000)
    assert Word.EVICTED == await rig.word(made[8])
    assert Word.ISSUED == (await rig.make(name=b"bind:x")).outcome.word


async def test_asked_twice_an_endless_and_a_fixed_token_tell_their_end(rig: Rig):
    """A repeated wish answers the same counter and end, for each way to end."""
    await count_on(rig)
    end = await rig.now() + 60_000
    for new in (
        rig.new("alice", NETBOX),
        rig.new("alice", replace(NETBOX, lifetime_ms=60_000), end_ms=end),
    ):
        first, second = [await rig.store.issue(new) for _ in range(2)]
        assert (first.counter, first.expires_ms) == (second.counter, second.expires_ms)
        assert first.created_ms == second.created_ms
