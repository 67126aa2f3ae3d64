"""amend: another end, write flag or text for a token that is not dead for good."""

from __future__ import annotations

from typing import Any

import pytest

from service.core.amending import Change
from service.model import Head, Life, Word
from service.store.keys import shard_of
from tests.makers import MINUTE, NETBOX, PUPPET, TOWER, Made, Rig


async def amend(rig: Rig, made: Made, **changes) -> Word:
    """What amending answers; *changes* are ``write``, ``enabled``, and what the store takes."""
    flags = Change(write=changes.pop("write", None), enabled=changes.pop("enabled", None)).flags
    return await rig.store.amend(made.owner, made.digest, flags=flags, **changes)


async def test_a_disabled_token_keeps_what_it_may(rig: Rig):
    """Both flags are changed one at a time, and what is not named stays as it is."""
    made, seen = await rig.make(), []
    for flags in ({"enabled": False}, {"write": False}, {"description": 1}, {"enabled": True}):
        fields = {} if "description" not in flags else {b"m": b"x"}
        flags = {name: flag for name, flag in flags.items() if name != "description"}
        assert Word.OK == await amend(rig, made, fields=fields, **flags)
        now = await head(rig, made)
        seen.append((now.enabled, now.write, await rig.word(made)))

    assert [
        (False, True, Word.DISABLED),
        (False, False, Word.DISABLED),
        (False, False, Word.DISABLED),
        (True, False, Word.OK),
    ] == seen


async def head(rig: Rig, made: Made) -> Head:
    """The token's head."""
    return Head.unpack(await rig.field(made, "h") or b"")


async def test_an_end_can_be_given_and_taken(rig: Rig):
    """A token without end gets one, and loses it again, key and head together."""
    made = await rig.make(policy=NETBOX)
    end = await rig.now() + 10 * MINUTE

    assert Word.OK == await amend(rig, made, end=(Life.FIXED, end))
    verdict = await rig.use(made)
    assert 9 * MINUTE < verdict.remaining_ms <= 10 * MINUTE
    assert (Life.FIXED, end) == ((await head(rig, made)).life, (await head(rig, made)).end_ms)
    assert 0 < await rig.ttl(made) <= 10 * MINUTE + NETBOX.grave_ms

    assert Word.OK == await amend(rig, made, end=(Life.NEVER, 0))
    assert (-1, -1) == ((await rig.use(made)).remaining_ms, await rig.ttl(made))
    assert 0 == (await head(rig, made)).end_ms


async def test_an_end_in_the_past_expires_and_a_later_one_revives(rig: Rig):
    """Within its grave a token of a fixed end can be given more time."""
    made = await rig.make(policy=PUPPET)
    now = await rig.now()

    await amend(rig, made, end=(Life.FIXED, now - MINUTE))
    assert Word.EXPIRED == await rig.word(made)
    assert PUPPET.grave_ms - 5_000 < await rig.ttl(made) <= PUPPET.grave_ms

    await amend(rig, made, end=(Life.FIXED, now + MINUTE))
    assert Word.OK == await rig.word(made)


async def test_a_sliding_token_that_expired_stays_expired(rig: Rig):
    """Only an end that was fixed can be moved; one that came by idleness cannot."""
    made = await rig.make(policy=TOWER)
    await rig.age(made, TOWER.idle_ms + MINUTE)

    assert Word.EXPIRED == await amend(rig, made, write=False)
    assert Word.EXPIRED == await amend(rig, made, end=(Life.NEVER, 0))
    assert Word.EXPIRED == await rig.word(made)


async def test_the_write_flag_can_be_taken_and_given(rig: Rig):
    """A token made read-only refuses writes and reads on."""
    made = await rig.make()
    ttl = await rig.ttl(made)

    assert Word.OK == await amend(rig, made, write=False)
    assert Word.READ_ONLY == await rig.word(made, write=True)
    assert await rig.ttl(made) <= ttl
    assert Word.OK == await rig.word(made, write=False)

    await amend(rig, made, write=True)
    assert Word.OK == await rig.word(made, write=True)


async def test_texts_come_and_go(rig: Rig):
    """A field is written, and removed by an empty value; the rest of the record stays."""
    made = await rig.make()
    before = await rig.everything()

    await amend(rig, made, fields={b"m": b"label\0x", b"n": bytes(17)})
    assert b"label\0x" == await rig.field(made, "m")
    await amend(rig, made, fields={b"m": b"", b"n": b""})

    assert before == await rig.everything()


async def test_the_end_stays_when_only_the_rest_changes(rig: Rig):
    """Changing flag or text moves no end and no TTL."""
    made = await rig.make(policy=PUPPET)
    before = await head(rig, made)
    await rig.age(made, MINUTE)
    ttl = await rig.ttl(made)

    await amend(rig, made, write=True, fields={b"m": b"x"})

    assert before == await head(rig, made)
    assert ttl - 5_000 < await rig.ttl(made) <= ttl


async def revoked(rig: Rig, made: Made) -> None:
    """By itself."""
    await rig.store.revoke(made.shard, made.digest)


async def marked(rig: Rig, made: Made) -> None:
    """With all of its owner's."""
    await rig.store.revoke_owner(made.owner)


async def evicted(rig: Rig, made: Made) -> None:
    """By the limit, told by the floor."""
    await rig.set_floor(made.owner, "t", made.outcome.counter, 3)


async def evicted_itself(rig: Rig, made: Made) -> None:
    """By the limit, told by the record."""
    await rig.run(b"HSET", made.key, b"d", b"evicted")


@pytest.mark.parametrize(
    ("die", "word"),
    [
        (revoked, Word.REVOKED),
        (marked, Word.REVOKED),
        (evicted, Word.EVICTED),
        (evicted_itself, Word.EVICTED),
    ],
)
async def test_the_dead_are_not_revived(rig: Rig, die, word: Word):
    """A revoked or evicted token says so, and nothing of it changes, its TTL least of all."""
    made = await rig.make()
    await die(rig, made)
    before, ttl = await rig.everything(), await rig.ttl(made)

    assert word == await amend(rig, made, end=(Life.NEVER, 0), write=False, fields={b"m": b"x"})

    assert before == await rig.everything()
    assert 0 < await rig.ttl(made) <= ttl


async def test_a_buried_token_is_not_revived(rig: Rig):
    """Nor is one that the tidying has given its grave's TTL."""
    made = await rig.make(policy=NETBOX)
    await rig.store.revoke_owner("alice")
    await rig.store.bury_all("alice")

    assert Word.REVOKED == await amend(rig, made, end=(Life.NEVER, 0))
    assert 0 < await rig.ttl(made)


async def test_nothing_and_strangers_are_unknown(rig: Rig):
    """A digest nobody has, another's token and a deleted owner's are unknown; nothing is made."""
    made = await rig.make()
    await rig.owner("bob")
    key, owners = made.key, rig.keys.owners(shard_of("alice"))
    before = await rig.everything()

    assert Word.UNKNOWN == await rig.store.amend("alice", b"x" * 20, end=(Life.NEVER, 0))
    assert ["unknown"] == await rig.call("amend", [key, owners], "bob", b"", b"n", 0, b"")
    await rig.owners.delete("alice")
    await rig.owner("carol")
    assert ["unknown"] == await rig.call("amend", [key, owners], "alice", b"", b"n", 0, b"")
    assert before[key] == (await rig.everything())[key]


async def test_it_can_be_repeated(rig: Rig):
    """Twice is once."""
    made = await rig.make()
    change = {"end": (Life.FIXED, await rig.now() + MINUTE), "write": False}
    await amend(rig, made, **change, fields={b"m": b"x"})
    before = await rig.everything()

    assert Word.OK == await amend(rig, made, **change, fields={b"m": b"x"})
    assert before == await rig.everything()
    assert await rig.ttl(made) <= MINUTE + TOWER.grave_ms


async def test_the_reply_tells_the_end(rig: Rig):
    """What is answered is the absolute end that holds now."""
    made = await rig.make(policy=PUPPET)
    keys = [made.key, rig.keys.owners(made.shard)]

    reply = await rig.call("amend", keys, "alice", b"", b"", 0, b"r")

    assert ["ok", made.outcome.expires_ms] == reply


@pytest.mark.parametrize(
    "change",
    [{"write": False}, {"fields": {b"m": b"label\0y"}}, {"fields": {b"n": bytes(17)}}],
    ids=["head", "texts", "networks"],
)
async def test_only_what_was_seen_is_changed(rig: Rig, change: dict[str, Any]):
    """Whoever says what he saw changes nothing else, and nothing of what another one wrote."""
    made = await rig.make(fields={b"m": b"label\0x"})
    seen = (await rig.tokens.of_owner("alice"))[0].seen
    assert Word.OK == await amend(rig, made, seen=seen, enabled=False)
    changed = (await rig.tokens.of_owner("alice"))[0].seen
    assert Word.OK == await amend(rig, made, **change)
    before = await rig.everything()

    stale = {"seen": changed, "end": (Life.NEVER, 0), "fields": {b"m": b""}}
    assert [Word.AGAIN] * 2 == [
        await amend(rig, made, **stale),
        (await rig.store.revoke(made.shard, made.digest, changed)).word,
    ]
    assert before == await rig.everything()
    fresh = (await rig.tokens.of_owner("alice"))[0].seen
    assert Word.OK == (await rig.store.revoke(made.shard, made.digest, fresh)).word


async def test_a_use_is_no_change(rig: Rig):
    """What was seen before a token was used and slid is still what there is."""
    made = await rig.make(policy=TOWER)
    seen = (await rig.tokens.of_owner("alice"))[0].seen
    await rig.age(made, MINUTE)
    assert Word.OK == await rig.word(made)

    assert Word.OK == await amend(rig, made, seen=seen, write=False)
