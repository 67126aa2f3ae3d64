"""trim: an owner is held to a limit that was lowered."""

from __future__ import annotations

from dataclasses import replace

from service.model import Word
from service.store.keys import shard_of
from tests.makers import NETBOX, TOWER, Made, Rig


async def trim(rig: Rig, limit: int, made: list[Made], top: int, whole: bytes = b"1") -> list:
    """The script itself, with *made* as the tokens looked at, newest first."""
    keys = [rig.keys.owners(shard_of("alice")), rig.index("alice"), *(each.key for each in made)]
    return await rig.call("trim", keys, "alice", b"t", limit, top, whole)


async def test_the_newest_stay(rig: Rig):
    """As many as the limit are left, the newest ones; the rest is evicted."""
    made = [await rig.make() for _ in range(5)]

    assert ["ok", 3] == await trim(rig, 2, made[::-1], 5)

    assert [False, False, False, True, True] == await rig.live(made)
    assert Word.EVICTED == await rig.word(made[0])


async def test_fewer_than_the_limit_all_stay(rig: Rig):
    """Where there are no more than allowed the floor stays down, and is noted."""
    made = [await rig.make() for _ in range(2)]

    assert ["ok", 0] == await trim(rig, 2, made[::-1], 2)
    assert [True, True] == await rig.node(replace(TOWER, per_user=2)).live(made)


async def test_only_the_living_count(rig: Rig):
    """Dead ones among the newest make no live one evicted."""
    made = [await rig.make() for _ in range(4)]
    await rig.store.revoke(made[3].shard, made[3].digest)
    await rig.run(b"PEXPIRE", made[2].key, TOWER.grave_ms)

    assert ["ok", 0] == await trim(rig, 2, made[::-1], 4)
    assert [True, True, False, False] == await rig.live(made)


async def test_a_limit_of_none_evicts_all(rig: Rig):
    """Limit 0 leaves nobody."""
    made = [await rig.make() for _ in range(2)]

    assert ["ok", 2] == await trim(rig, 0, made[::-1], 2)
    assert [False, False] == await rig.live(made)


async def test_entries_not_looked_at_count_as_alive(rig: Rig):
    """Tokens made since the look take their part of the limit."""
    made = [await rig.make() for _ in range(4)]

    assert ["ok", 2] == await trim(rig, 2, made[1::-1], 2)
    assert [False, False, True, True] == await rig.live(made)


async def test_too_few_looked_at_asks_for_more(rig: Rig):
    """A look that was cut short decides nothing."""
    made = [await rig.make() for _ in range(4)]
    before = await rig.everything()

    assert ["again", b"more"] == await trim(rig, 2, made[:2:-1], 4, b"0")
    assert before == await rig.everything()


async def test_other_policies_are_left_alone(rig: Rig):
    """The floor is one policy's."""
    others = [await rig.make(policy=NETBOX) for _ in range(3)]
    made = [await rig.make() for _ in range(3)]
    node = rig.node(replace(TOWER, per_user=1), NETBOX)

    assert [True, True, True] == await node.live(others)
    assert [False, False, True] == await node.live(made)
    assert [True, True, True] == await node.live(others)


async def test_the_floor_never_falls(rig: Rig):
    """A later trim to a higher limit, or with fewer alive, revives nothing."""
    made = [await rig.make() for _ in range(4)]
    await trim(rig, 1, made[::-1], 4)
    await rig.store.revoke(made[3].shard, made[3].digest)

    assert ["ok", 3] == await trim(rig, 3, made[::-1], 4)
    assert [False] * 4 == await rig.live(made)


async def test_nobody_is_unknown(rig: Rig):
    """An owner who does not exist gets no floor."""
    await rig.owners.delete("alice")
    before = await rig.everything()

    assert ["unknown"] == await trim(rig, 1, [], 0)
    assert before == await rig.everything()


async def test_it_can_be_repeated(rig: Rig):
    """Twice is once."""
    made = [await rig.make() for _ in range(3)]
    first = await trim(rig, 1, made[::-1], 3)
    before = await rig.everything()

    assert first == await trim(rig, 1, made[::-1], 3)
    assert before == await rig.everything()
