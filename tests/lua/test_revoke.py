"""revoke: one token dies for good and says so for the length of its grave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.errors import NotSetUp
from service.model import Word
from tests.makers import AWAY, NETBOX, PUPPET, TOWER, Made, Rig


async def revoke(rig: Rig, made: Made) -> Word:
    """What revoking answers."""
    return (await rig.store.revoke(made.shard, made.digest))[0]


@pytest.mark.parametrize("policy", [TOWER, NETBOX, PUPPET], ids=lambda policy: policy.name)
async def test_a_revoked_token_says_so_until_its_grave_ends(rig: Rig, policy):
    """The record stays for one grave with its reason, and leaves the index."""
    made = await rig.make(policy=policy)

    assert Word.OK == await revoke(rig, made)

    assert Word.REVOKED == await rig.word(made)
    assert b"revoked" == await rig.field(made, "d")
    assert 0 < await rig.ttl(made) <= policy.grave_ms
    assert 0 == await rig.run(b"ZCARD", rig.index("alice"))


async def test_the_others_live_on(rig: Rig):
    """Revoking one token touches no other."""
    made = [await rig.make() for _ in range(3)]

    await revoke(rig, made[1])

    assert [True, False, True] == await rig.live(made)


async def test_a_second_revoke_is_told_and_changes_nothing(rig: Rig):
    """What is revoked already is answered as revoked, and its grave does not grow."""
    made = await rig.make()
    await revoke(rig, made)
    before, ttl = await rig.everything(), await rig.ttl(made)

    assert Word.REVOKED == await revoke(rig, made)

    assert before == await rig.everything()
    assert await rig.ttl(made) <= ttl


async def test_an_expired_token_keeps_what_is_left_of_its_grave(rig: Rig):
    """Revoking the expired says revoked from then on, for no longer than it had."""
    made = await rig.make()
    await rig.run(b"PEXPIRE", made.key, 5_000)

    assert Word.OK == await revoke(rig, made)

    assert 0 < await rig.ttl(made) <= 5_000
    assert Word.REVOKED == await rig.word(made)


async def test_nothing_is_unknown(rig: Rig):
    """A digest nobody has is unknown, and nothing is made of it."""
    made = replace(await rig.make(), digest=b"x" * 20)
    before = await rig.everything()

    assert Word.UNKNOWN == await revoke(rig, made)
    assert before == await rig.everything()


async def test_the_owner_must_be_the_one_seen(rig: Rig):
    """A token that is another owner's by now is not touched."""
    made = await rig.make()
    before = await rig.everything()

    reply = await rig.call("revoke", [made.key, rig.index("bob")], "bob")

    assert ["unknown"] == reply
    assert before == await rig.everything()


async def test_the_reply_names_counter_and_policy(rig: Rig):
    """What was revoked is told as counter and policy letter."""
    made = await rig.make()

    assert ["ok", 1, b"t"] == await rig.call("revoke", [made.key, rig.index("alice")], "alice")


async def test_an_alias_is_followed(rig: Rig):
    """Revoking by a text whose shard holds an alias kills the record itself."""
    made = await rig.make()
    await rig.run(b"HSET", rig.keys.token(b"\0\1", made.digest), b"a", made.shard)

    assert Word.OK == (await rig.store.revoke(b"\0\1", made.digest))[0]
    assert Word.REVOKED == await rig.word(made)


async def test_unknown_in_an_emptied_store_is_no_verdict(rig: Rig):
    """Where the mark of birth is missing a revoke has not succeeded."""
    made = await rig.make()
    await rig.run(b"FLUSHALL")

    with pytest.raises(NotSetUp):
        await revoke(rig, made)


async def test_binding_is_still_told_first(rig: Rig):
    """Whoever may not use a token does not learn that it was revoked."""
    made = await rig.make()
    await revoke(rig, made)

    assert Word.MISMATCH == await rig.word(made, address=AWAY)


async def test_disabled_owners_tokens_can_be_revoked(rig: Rig):
    """Disabling keeps nobody from revoking; enabled again the token stays dead."""
    made = await rig.make()
    await rig.owners.change("alice", {}, state="d")

    assert Word.OK == await revoke(rig, made)

    await rig.owners.change("alice", {}, state="a")
    assert Word.REVOKED == await rig.word(made)
