"""Owners: user records, their state, and the directory of names."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import NoSuchUser, StoreDown, UserExists
from service.store.keys import shard_of
from tests.makers import Rig


async def test_a_user_comes_back_as_he_was_written(rig: Rig):
    """Every field of the record is read."""
    await rig.owner(
        "bob", first="B", last="Ob", email="e", super="1", perms="add change", password="h"
    )

    user = await rig.owners.get("bob")

    assert user is not None
    assert ("bob", 2, True, "h", "B", "Ob", "e", True, ("add", "change")) == (
        user.name,
        user.user_id,
        user.active,
        user.password,
        user.first_name,
        user.last_name,
        user.email,
        user.superuser,
        user.permissions,
    )


async def test_many_are_read_at_once_in_order(rig: Rig):
    """Users asked for together come in that order, None for those who are not there."""
    await rig.owner("bob")

    found = await rig.owners.get_all(["bob", "nobody", "alice"])

    assert ["bob", None, "alice"] == [user and user.name for user in found]
    assert [] == await rig.owners.get_all([])


async def test_half_a_user_is_none(rig: Rig):
    """A record without state, or a state without record, is nobody."""
    shard = shard_of("alice")
    await rig.run(b"HDEL", rig.keys.owners(shard), b"alice")
    assert await rig.owners.get("alice") is None

    await rig.owner("bob")
    await rig.run(b"DEL", rig.keys.user(shard_of("bob"), "bob"))
    assert await rig.owners.get("bob") is None


@pytest.mark.parametrize("field", [(b"id", b"x"), (b"created", b"x")])
async def test_a_record_that_cannot_be_read_is_the_stores_fault(rig: Rig, field):
    """A broken record is StoreDown, not a user and not none."""
    await rig.run(b"HSET", rig.keys.user(shard_of("alice"), "alice"), *field)

    with pytest.raises(StoreDown):
        await rig.owners.get("alice")


async def test_one_of_many_makers_wins(rig: Rig):
    """Ten who make the same user at once: one succeeds, and the directory has one entry."""
    found = await asyncio.gather(*(rig.owner("bob") for _ in range(10)), return_exceptions=True)

    assert 1 == found.count("bob")
    assert {UserExists} == {type(each) for each in found if each != "bob"}
    assert 2 == await rig.owners.count()
    user = await rig.owners.get("bob")
    assert user is not None
    assert user == await rig.owners.by_id(user.user_id)


async def test_the_directory_tolerates_names_without_users(rig: Rig):
    """A name whose record is gone is left out of pages, and no id leads to it."""
    await rig.run(b"ZADD", rig.keys.users, 50, "ghost")

    assert ["alice"] == [user.name for user in await rig.owners.page(0, 10)]
    assert await rig.owners.by_id(50) is None


async def test_a_delete_that_died_half_way_can_be_repeated(rig: Rig):
    """Deleting again whom the script has removed already clears the directory, too."""
    await rig.owners._set("alice", "-", "any", {})

    with pytest.raises(NoSuchUser):
        await rig.owners.delete("alice")
    assert 0 == await rig.owners.count()


async def test_a_create_that_died_half_way_can_be_repeated(rig: Rig):
    """A user whom no directory lists is listed when somebody wants to make him again."""
    await rig.run(b"DEL", rig.keys.users)

    with pytest.raises(UserExists):
        await rig.owner("alice")

    assert ["alice"] == [user.name for user in await rig.owners.page(0, 10)]
