"""revoke_owner: every token of one owner dies with one write."""

from __future__ import annotations

from service.model import Word
from service.store.keys import shard_of
from tests.makers import NETBOX, PUPPET, TOWER, Rig


async def test_all_tokens_of_all_policies_die_at_once(rig: Rig):
    """When it returns no token of the owner passes, whatever its policy, tidied or not."""
    made = [await rig.make(policy=policy) for policy in (TOWER, NETBOX, PUPPET) for _ in range(3)]

    assert Word.OK == (await rig.store.revoke_owner("alice"))[0]

    assert {Word.REVOKED} == {await rig.word(each) for each in made}


async def test_tokens_made_afterwards_live(rig: Rig):
    """The mark is a point in time: what comes after it is good."""
    await rig.make()
    await rig.store.revoke_owner("alice")

    assert Word.OK == await rig.word(await rig.make())


async def test_other_owners_of_the_shard_are_left_alone(rig: Rig):
    """A mark is the owner's, though the counter is the shard's."""
    shard = shard_of("alice")
    await rig.set_state("neighbour", b"a")
    made = await rig.make()
    key = rig.keys.owners(shard)

    await rig.run(b"HSET", key, b"neighbour", b"a" + bytes(5))
    reply = await rig.call("revoke_owner", [key, rig.keys.counter(shard)], "neighbour")

    assert ["ok", 1] == reply
    assert Word.OK == await rig.word(made)


async def test_an_owner_without_tokens_has_a_mark_too(rig: Rig):
    """Revoking everything of somebody who has nothing is fine."""
    assert Word.OK == (await rig.store.revoke_owner("alice"))[0]
    assert b"a" + bytes(5) == await rig.run(b"HGET", rig.keys.owners(shard_of("alice")), b"alice")


async def test_nobody_is_unknown(rig: Rig):
    """An owner who does not exist is not made by revoking."""
    before = await rig.everything()

    assert Word.UNKNOWN == (await rig.store.revoke_owner("nobody"))[0]
    assert before == await rig.everything()


async def test_the_disabled_stay_disabled(rig: Rig):
    """The flag stays as it is: enabled again, the revoked tokens stay dead."""
    made = await rig.make()
    await rig.owners.change("alice", {}, state="d")
    await rig.store.revoke_owner("alice")

    assert Word.INACTIVE == await rig.word(made)
    await rig.owners.change("alice", {}, state="a")
    assert Word.REVOKED == await rig.word(made)


async def test_it_can_be_repeated(rig: Rig):
    """Twice is once."""
    await rig.make()
    await rig.store.revoke_owner("alice")
    before = await rig.everything()

    await rig.store.revoke_owner("alice")

    assert before == await rig.everything()


async def test_it_writes_one_field_however_many_tokens_there_are(rig: Rig):
    """Only the owner's state changes; tokens and index are left to bury."""
    for _ in range(20):
        await rig.make()
    before = await rig.everything()

    await rig.store.revoke_owner("alice")

    after = await rig.everything()
    assert [rig.keys.owners(shard_of("alice"))] == [k for k in after if before[k] != after[k]]


async def test_the_dead_still_say_revoked_when_they_are_buried(rig: Rig):
    """Tidying up behind it does not change the reason that a token is refused with."""
    made = [await rig.make(policy=policy) for policy in (TOWER, NETBOX, PUPPET)]
    await rig.store.revoke_owner("alice")

    assert 3 == await rig.store.bury_all("alice")

    assert {Word.REVOKED} == {await rig.word(each) for each in made}
