"""set_owner: making, changing, disabling and deleting an owner, state and record together."""

from __future__ import annotations

import pytest

from service.errors import NoSuchUser, UserExists
from service.model import Word
from service.store.keys import shard_of
from tests.makers import NETBOX, TOWER, Rig


async def set_owner(rig: Rig, owner: str, *args: bytes) -> list:
    """The script itself: state, expect, mark, letters, now and pairs of fields."""
    shard = shard_of(owner)
    keys = [rig.keys.user(shard, owner), rig.keys.owners(shard), rig.keys.counter(shard)]
    return await rig.call("set_owner", [*keys, rig.names(owner)], owner, *args)


async def test_a_new_owner_is_active_and_has_a_record(rig: Rig):
    """Making an owner writes state, record and the time of Redis."""
    before = await rig.now()
    await rig.owner("bob", email="b@example.org")

    user = await rig.owners.get("bob")

    assert user is not None
    assert (True, "b@example.org") == (user.active, user.email)
    assert before <= user.created_ms <= await rig.now()


async def test_an_owner_is_made_once(rig: Rig):
    """A second one of that name is refused and changes nothing."""
    before = await rig.everything()

    assert ["exists"] == await set_owner(rig, "alice", b"a", b"new", b"", b"t", b"", b"id", b"9")

    assert before == await rig.everything()
    with pytest.raises(UserExists):
        await rig.owner("alice")


@pytest.mark.parametrize("wanted", [b"a", b"d", b"=", b"-"])
@pytest.mark.parametrize("expect", [b"any", b"=", b"=hash"])
async def test_nobody_cannot_be_changed(rig: Rig, wanted: bytes, expect: bytes):
    """Whatever is wanted of an owner who does not exist, it is unknown and makes nobody."""
    before = await rig.everything()

    assert ["unknown"] == await set_owner(rig, "bob", wanted, expect, b"1", b"t", b"", b"id", b"9")
    assert before == await rig.everything()


async def test_names_are_told_apart_exactly(rig: Rig):
    """A name that differs in case or in a trailing letter is another one."""
    await rig.owner("Alice")

    for name in ("ALICE", "alicea", "alic"):
        with pytest.raises(NoSuchUser):
            await rig.owners.change(name, {"email": "x"})


async def test_disabling_refuses_and_enabling_gives_back(rig: Rig):
    """A disabled owner's tokens are inactive; enabled again they work as before."""
    made = await rig.make()

    await rig.owners.change("alice", {}, state="d")
    assert Word.INACTIVE == await rig.word(made)

    await rig.owners.change("alice", {}, state="a")
    assert Word.OK == await rig.word(made)


async def test_disabling_with_a_mark_kills_for_good(rig: Rig):
    """With the mark set in the same write the tokens stay dead when the owner is enabled."""
    made = await rig.make()

    await rig.owners.change("alice", {}, state="d", mark=True)
    await rig.owners.change("alice", {}, state="a")

    assert Word.REVOKED == await rig.word(made)
    assert Word.OK == await rig.word(await rig.make())


async def test_changing_fields_leaves_state_and_tokens_alone(rig: Rig):
    """Writing the record neither enables, nor disables, nor marks."""
    made = await rig.make()
    await rig.owners.change("alice", {"email": "x"})
    assert Word.OK == await rig.word(made)

    await rig.owners.change("alice", {}, state="d")
    await rig.owners.change("alice", {"email": "y"})

    assert Word.INACTIVE == await rig.word(made)


async def test_a_mark_never_falls(rig: Rig):
    """Disabling and enabling keep the mark of an earlier revoke_owner."""
    made = await rig.make()
    await rig.store.revoke_owner("alice")

    for state in ("d", "a", "="):
        await rig.owners.change("alice", {"email": "x"}, state=state)

    assert Word.REVOKED == await rig.word(made)


async def test_a_deleted_owner_has_nothing_left(rig: Rig):
    """Delete takes state, floors, record and names; the tokens are unknown."""
    made = [await rig.make(policy=TOWER, name=b"bind:x"), await rig.make(policy=NETBOX)]
    await rig.set_floor("alice", "t", 0, 5)
    await rig.set_floor("alice", "n", 0, 5)

    await rig.owners.delete("alice")

    assert [Word.UNKNOWN] * 2 == [await rig.word(each) for each in made]
    shard = shard_of("alice")
    left = (rig.keys.owners(shard), rig.keys.user(shard, "alice"), rig.names("alice"))
    assert [0, 0, 0] == [await rig.run(b"EXISTS", key) for key in left]
    assert await rig.owners.get("alice") is None


async def test_deleting_keeps_the_counter(rig: Rig):
    """Ids of a shard are never given twice, not even after its last owner is gone."""
    await rig.make()
    await rig.owners.delete("alice")
    await rig.owner("alice")

    assert 2 == (await rig.make()).outcome.counter


async def test_tokens_of_a_deleted_owner_stay_dead_for_the_next_of_that_name(rig: Rig):
    """A new owner's mark starts where the shard's counter stands."""
    made = [await rig.make(policy=policy) for policy in (TOWER, NETBOX)]
    await rig.owners.delete("alice")
    await rig.owner("alice")

    assert [Word.REVOKED] * 2 == [await rig.word(each) for each in made]
    assert Word.OK == await rig.word(await rig.make())


async def test_a_floor_does_not_reach_the_next_of_that_name(rig: Rig):
    """The floors of a deleted owner go with him."""
    await rig.set_floor("alice", "t", 1 << 30, 1)
    await rig.owners.delete("alice")
    await rig.owner("alice")

    assert Word.OK == await rig.word(await rig.make())


async def test_a_password_is_replaced_only_where_the_old_one_stands(rig: Rig):
    """Of two changes of the same hash the second one is told that it came too late."""
    await rig.owners.change("alice", {"password": "one"})

    assert await rig.owners.change_password("alice", "one", "two")
    before = await rig.everything()

    assert not await rig.owners.change_password("alice", "one", "three")
    assert before == await rig.everything()
    assert ["changed"] == await set_owner(
        rig, "alice", b"=", b"=one", b"", b"", b"", b"password", b"three"
    )


async def test_it_can_be_repeated(rig: Rig):
    """Each change asked twice leaves what it left the first time."""
    await rig.make()
    for args in ((b"d", b"any", b"1"), (b"a", b"any", b""), (b"=", b"any", b"")):
        fields = (b"tnp", b"", b"email", b"x")
        first = await set_owner(rig, "alice", *args, *fields)
        before = await rig.everything()

        assert first == await set_owner(rig, "alice", *args, *fields)
        assert before == await rig.everything()

    assert ["ok", 0] == await set_owner(rig, "alice", b"-", b"any", b"", b"tnp", b"")
    assert ["unknown"] == await set_owner(rig, "alice", b"-", b"any", b"", b"tnp", b"")


@pytest.mark.parametrize("owner", ["#", "al}{ice", "ü" * 150, "名前", "-", "="])
async def test_any_name_can_be_an_owner(rig: Rig, owner: str):
    """Names that look like syntax, or are long, are names."""
    await rig.owner(owner)
    await rig.owners.change(owner, {"email": "x"}, state="d")

    user = await rig.owners.get(owner)

    assert user is not None
    assert (owner, False, "x") == (user.name, user.active, user.email)
    await rig.owners.delete(owner)
    assert await rig.owners.get(owner) is None
