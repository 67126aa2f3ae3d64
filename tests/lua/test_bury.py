"""bury: what dead tokens leave behind goes, what lives stays."""

from __future__ import annotations

import pytest

from service.model import Word
from service.store.keys import shard_of
from tests.makers import NETBOX, PUPPET, TOWER, Made, Rig


async def bury(
    rig: Rig, entries: list[Made], names: dict[bytes, bytes] | None = None, room: str = ""
) -> list:
    """The script itself over index entries and names."""
    shard, names = shard_of("alice"), names or {}
    keys = [rig.keys.owners(shard), rig.index("alice"), rig.names("alice")]
    keys += [each.key for each in entries]
    keys += [rig.keys.token(shard, digest) for digest in names.values()]
    listed = [made.digest + (b"t" if made.outcome.expires_ms else b"n") for made in entries]
    return await rig.call("bury", keys, "alice", len(entries), room, *listed, *names)


async def test_the_living_stay(rig: Rig):
    """A live token keeps its TTL, its entry and its name."""
    made = [await rig.make(name=b"bind:x"), await rig.make(policy=NETBOX)]
    before = await rig.everything()

    assert ["ok", 0] == await bury(rig, made, {b"bind:x": made[0].digest})

    assert before == await rig.everything()
    assert -1 == await rig.ttl(made[1])


async def test_the_expired_stay_listed(rig: Rig):
    """A token in its grave can still be looked up, and revived where its policy allows."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, TOWER.grave_ms - 1_000)

    assert ["ok", 0] == await bury(rig, [made])
    assert Word.EXPIRED == await rig.word(made)


async def test_the_expired_make_room_where_it_is_needed(rig: Rig):
    """Those of one policy leave the index alone; the living, and others, stay."""
    expired, living = await rig.make(), await rig.make()
    other = await rig.make(policy=PUPPET)
    for made, policy in ((expired, TOWER), (other, PUPPET)):
        await rig.run(b"PEXPIRE", made.key, policy.grave_ms - 1_000)
    ttl = await rig.ttl(expired)

    assert ["ok", 0] == await bury(rig, [expired, living], room="n")
    assert ["ok", 1] == await bury(rig, [expired, living], room="t")

    assert [living.digest + b"t", other.digest + b"p"] == (
        await rig.run(b"ZRANGE", rig.index("alice"), 0, -1)
    )
    assert (Word.EXPIRED, True) == (await rig.word(expired), await rig.ttl(expired) <= ttl)


@pytest.mark.parametrize("policy", [TOWER, NETBOX], ids=lambda policy: policy.name)
async def test_the_revoked_get_a_grave(rig: Rig, policy):
    """A token below the mark is unlisted, and lives as a dead one for its grave."""
    made = await rig.make(policy=policy)
    await rig.store.revoke_owner("alice")

    assert ["ok", 1] == await bury(rig, [made])

    assert 0 < await rig.ttl(made) <= policy.grave_ms
    assert 0 == await rig.run(b"ZCARD", rig.index("alice"))
    assert Word.REVOKED == await rig.word(made)


async def test_the_evicted_get_a_grave(rig: Rig):
    """A token below the floor likewise, and it goes on saying evicted."""
    made = await rig.make(policy=NETBOX)
    await rig.set_floor("alice", "n", made.outcome.counter, 9999)

    assert ["ok", 1] == await bury(rig, [made])

    assert 0 < await rig.ttl(made) <= NETBOX.grave_ms
    assert Word.EVICTED == await rig.word(made)


async def test_the_tokens_of_the_deleted_get_a_grave(rig: Rig):
    """A deleted owner's tokens die out, and stay dead when the name comes back."""
    made = await rig.make(policy=NETBOX)
    await rig.owners.delete("alice")

    assert ["ok", 1] == await bury(rig, [made])

    assert 0 < await rig.ttl(made) <= NETBOX.grave_ms
    assert Word.UNKNOWN == await rig.word(made)
    await rig.owner("alice")
    assert Word.REVOKED == await rig.word(made)


async def test_what_is_left_of_a_grave_is_not_prolonged(rig: Rig):
    """A dead token that is deep in its grave stays there."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, 5_000)
    await rig.store.revoke_owner("alice")

    await bury(rig, [made])

    assert 0 < await rig.ttl(made) <= 5_000


async def test_entries_of_the_vanished_go(rig: Rig):
    """An entry whose token is gone is removed, and nothing is made in its place."""
    made = await rig.make()
    await rig.run(b"DEL", made.key)

    assert ["ok", 1] == await bury(rig, [made])
    assert 0 == await rig.run(b"EXISTS", made.key)
    assert 0 == await rig.run(b"EXISTS", rig.index("alice"))


async def test_a_name_goes_only_while_it_points_to_the_vanished(rig: Rig):
    """A name that points elsewhere by now is left alone."""
    gone, alive = await rig.make(name=b"bind:x"), await rig.make(name=b"bind:y")
    await rig.run(b"DEL", gone.key)

    assert ["ok", 0] == await bury(rig, [], {b"bind:y": gone.digest})
    assert ["ok", 1] == await bury(rig, [], {b"bind:x": gone.digest, b"bind:y": alive.digest})
    assert {b"bind:y"} == set(await rig.run(b"HKEYS", rig.names("alice")))


async def test_it_can_be_repeated(rig: Rig):
    """The second time there is nothing left to do."""
    made = [await rig.make(policy=policy) for policy in (TOWER, NETBOX)]
    await rig.store.revoke_owner("alice")
    await bury(rig, made)
    before, ttls = await rig.everything(), [await rig.ttl(each) for each in made]

    assert ["ok", 0] == await bury(rig, made)

    assert before == await rig.everything()
    for each, ttl in zip(made, ttls, strict=True):
        assert await rig.ttl(each) <= ttl


async def test_everything_dead_is_buried_and_only_that(rig: Rig):
    """bury_all walks the whole index, past what lives."""
    for policy in (NETBOX, PUPPET):
        for _ in range(120):
            await rig.make(policy=policy)
    await rig.store.revoke_owner("alice")
    alive = [await rig.make(policy=NETBOX) for _ in range(3)]

    # Each of the three issues has tidied up to eight of them already.
    assert 216 <= await rig.store.bury_all("alice") <= 240

    assert {each.key for each in alive} == set(await rig.immortals())
    assert 3 == await rig.run(b"ZCARD", rig.index("alice"))
    assert [True] * 3 == await rig.live(alive)
