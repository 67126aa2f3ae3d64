"""issue: a new token, the one that is there already, or a reason why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.errors import NotSetUp, StoreDown
from service.model import Head, Life, Word
from service.store.keys import shard_of
from tests.makers import MINUTE, NETBOX, PUPPET, TOWER, Made, Rig

NAME = b"bind:x"


async def key_of(rig: Rig, digest: bytes, owner: str = "alice") -> bytes:
    """The key of one of the owner's tokens."""
    return rig.keys.token(shard_of(owner), digest)


async def test_a_new_token_has_head_owner_birth_index_and_end(rig: Rig):
    """What issue writes is a whole record, listed under its owner, with a TTL."""
    before = await rig.now()
    made = await rig.make(nonce=b"n" * 20, fields={b"m": b"label\0x"})

    head = Head.unpack(await rig.field(made, "h") or b"")
    outcome = made.outcome
    assert (Word.ISSUED, 1) == (outcome.word, outcome.counter)
    assert before <= outcome.created_ms <= await rig.now()
    assert outcome.created_ms + TOWER.idle_ms == outcome.expires_ms
    assert rig.head(TOWER, counter=1) == head
    assert b"alice" == await rig.field(made, "o")
    assert b"n" * 20 + outcome.created_ms.to_bytes(6, "big") == await rig.field(made, "c")
    assert b"label\0x" == await rig.field(made, "m")
    assert 1.0 == float(await rig.run(b"ZSCORE", rig.index("alice"), made.digest + b"t"))
    assert TOWER.idle_ms < await rig.ttl(made) <= TOWER.idle_ms + TOWER.grave_ms


async def test_counters_of_a_shard_only_grow(rig: Rig):
    """Each token of a shard gets the next number, whoever owns it and however many are dead."""
    first = await rig.make()
    await rig.store.revoke(first.shard, first.digest)
    await rig.store.revoke_owner("alice")

    assert [2, 3] == [(await rig.make()).outcome.counter for _ in range(2)]


@pytest.mark.parametrize(
    ("idle", "age", "end_in", "life", "left"),
    [
        (30, 0, 0, Life.SLIDING, 30),
        (30, 60, 0, Life.SLIDING, 30),
        (30, 20, 0, Life.SLIDING, 20),
        (30, 60, 10, Life.SLIDING, 10),
        (0, 60, 0, Life.FIXED, 60),
        (0, 60, 10, Life.FIXED, 10),
        (0, 10, 60, Life.FIXED, 10),
        (0, 0, 60, Life.FIXED, 60),
        (0, 0, -5, Life.FIXED, -5),
        (0, 0, 0, Life.NEVER, None),
    ],
)
async def test_the_nearest_end_counts(
    rig: Rig, idle: int, age: int, end_in: int, life: Life, left: int | None
):
    """Of idle time, age and absolute end (in minutes) the nearest one ends the token."""
    now = await rig.now()
    policy = replace(TOWER, idle_ms=idle * MINUTE)
    end = now + end_in * MINUTE if end_in else 0

    made = await rig.make(policy=policy, age_ms=age * MINUTE, end_ms=end, life=life)

    ttl = await rig.ttl(made)
    if left is None:
        assert (0, -1) == (made.outcome.expires_ms, ttl)
    else:
        assert 0 <= made.outcome.expires_ms - now - left * MINUTE <= 5_000
        assert 0 <= max(left, 0) * MINUTE + TOWER.grave_ms - ttl <= 5_000


async def test_a_token_born_after_its_end_is_expired(rig: Rig):
    """An absolute end in the past makes a token that says expired, not one that lives."""
    made = await rig.make(policy=PUPPET, age_ms=0, end_ms=await rig.now() - 1)

    assert Word.EXPIRED == await rig.word(made)


async def test_nobody_and_the_disabled_get_nothing(rig: Rig):
    """An owner without state is unknown, a disabled one inactive; neither leaves a trace."""
    await rig.owner("bob")
    await rig.owners.change("bob", {}, state="d")
    before = await rig.everything()

    words = [(await rig.make(owner)).outcome.word for owner in ("nobody", "bob")]

    assert [Word.UNKNOWN, Word.INACTIVE] == words
    assert before == await rig.everything()


async def test_an_unknown_owner_of_an_emptied_store_is_no_verdict(rig: Rig):
    """Where the mark of birth is missing nobody is told that a user does not exist."""
    await rig.run(b"FLUSHALL")

    with pytest.raises(NotSetUp):
        await rig.make()


@pytest.mark.parametrize(
    ("stored", "proof", "word"),
    [
        ("$a$salt$hash", b"$a$salt", Word.ISSUED),
        ("$a$salt$hash", b"", Word.ISSUED),
        ("$a$tlas$hash", b"$a$salt", Word.AGAIN),
        ("", b"$a$salt", Word.AGAIN),
        ("$a", b"$a$salt", Word.AGAIN),
    ],
)
async def test_a_password_that_changed_since_its_check_counts_for_nothing(
    rig: Rig, stored: str, proof: bytes, word: Word
):
    """The hash that was checked must still be the user's when the token is made."""
    await rig.owners.change("alice", {"password": stored})
    before = await rig.everything()

    made = await rig.make(password=proof)

    assert word == made.outcome.word
    if word is Word.AGAIN:
        assert "user" == made.outcome.again
        assert before == await rig.everything()


async def test_the_same_name_gives_the_same_token(rig: Rig):
    """A second wish under the name of a live token gets that token, slid to a whole idle time."""
    first = await rig.make(name=NAME, nonce=b"n" * 20)
    await rig.age(first, 10 * MINUTE)

    again = await rig.make(name=NAME, nonce=b"m" * 20)

    assert (Word.REUSED, first.digest) == (again.outcome.word, again.digest)
    assert b"n" * 20 == again.outcome.nonce[:20]
    assert first.outcome.created_ms == again.outcome.created_ms
    assert (1, 1) == (again.outcome.counter, await rig.run(b"ZCARD", rig.index("alice")))
    assert 0 <= TOWER.idle_ms + TOWER.grave_ms - await rig.ttl(first) <= 5_000
    assert 0 <= again.outcome.expires_ms - first.outcome.expires_ms <= 5_000


async def test_a_reused_token_with_a_fixed_end_keeps_it(rig: Rig):
    """Reusing moves no end that does not slide."""
    first = await rig.make(policy=PUPPET, name=b"label:a", conflict="reuse", nonce=b"n" * 20)
    await rig.age(first, MINUTE)
    ttl = await rig.ttl(first)

    again = await rig.make(policy=PUPPET, name=b"label:a", conflict="reuse")

    assert (Word.REUSED, first.outcome.expires_ms) == (again.outcome.word, again.outcome.expires_ms)
    assert (1, b"n" * 20) == (again.outcome.counter, again.outcome.nonce[:20])
    assert first.outcome.created_ms == again.outcome.created_ms
    assert await rig.ttl(first) <= ttl


async def test_a_reused_token_that_never_ends_never_ends(rig: Rig):
    """Reusing gives no TTL to a token that has none, and tells 0 as its end."""
    first = await rig.make(policy=NETBOX, name=b"label:a")

    again = await rig.make(policy=NETBOX, name=b"label:a")

    assert (Word.REUSED, 0, -1) == (again.outcome.word, again.outcome.expires_ms, -1)
    assert -1 == await rig.ttl(first)


@pytest.mark.parametrize(("made_with", "asked_with"), [(TOWER, 0), (PUPPET, 30 * MINUTE)])
async def test_reuse_leaves_the_end_of_a_token_made_under_other_rules(
    rig: Rig, made_with, asked_with: int
):
    """What slides no longer, or never did, is given again with the life it has left."""
    policy = replace(made_with, idle_ms=asked_with)
    first = await rig.make(policy=made_with, name=NAME)
    await rig.age(first, MINUTE)
    ttl = await rig.ttl(first)

    again = await rig.make(policy=policy, name=NAME, life=Life.FIXED, age_ms=MINUTE)

    assert (Word.REUSED, first.digest) == (again.outcome.word, again.digest)
    assert ttl - 5_000 <= await rig.ttl(first) <= ttl
    left = 29 if made_with is TOWER else 60
    assert abs(again.outcome.expires_ms - await rig.now() - left * MINUTE) <= 5_000


async def test_different_names_give_different_tokens(rig: Rig):
    """Another name, or none, is another token."""
    made = [await rig.make(name=name) for name in (b"bind:x", b"bind:y", b"", b"")]

    assert 4 == len({each.digest for each in made})


async def test_a_name_that_a_token_of_another_policy_bears_is_taken(rig: Rig):
    """It is neither given away as if it were of this policy, nor lost."""
    await rig.make(policy=NETBOX, name=b"label:a")
    made = await rig.make(policy=PUPPET, name=b"label:a", conflict="reuse")

    assert Word.CONFLICT == made.outcome.word


async def test_rejecting_tells_a_live_name_only(rig: Rig):
    """A label in use is a conflict; the label of a dead token is free."""
    first = await rig.make(policy=NETBOX, name=b"label:a", conflict="reject")
    before = await rig.everything()

    assert Word.CONFLICT == (
        (await rig.make(policy=NETBOX, name=b"label:a", conflict="reject")).outcome.word
    )
    assert before == await rig.everything()

    await rig.store.revoke(first.shard, first.digest)
    second = await rig.make(policy=NETBOX, name=b"label:a", conflict="reject")
    assert Word.ISSUED == second.outcome.word
    assert second.digest == await rig.run(b"HGET", rig.names("alice"), b"label:a")


@pytest.mark.parametrize(
    ("name", "texts", "then"),
    [(NAME, b"client\0c", b""), (b"label:a", b"label\0a\0client\0c", b"label\0a")],
)
async def test_replacing_takes_the_name_and_lets_the_old_token_live(
    rig: Rig, name: bytes, texts: bytes, then: bytes
):
    """The name points to the new token, and the old one stays good, with a label no more."""
    first = await rig.make(name=name, fields={b"m": texts})

    second = await rig.make(name=name, replaces=first.digest, fields={b"m": then})

    assert Word.ISSUED == second.outcome.word
    assert second.digest == await rig.run(b"HGET", rig.names("alice"), name)
    assert [True, True] == await rig.live([first, second])
    assert [b"client\0c", then] == [await rig.field(made, "m") for made in (first, second)]


async def test_what_has_no_other_text_is_left_without_any(rig: Rig):
    """A label alone."""
    first = await rig.make(name=b"label:a")

    await rig.make(name=b"label:a", replaces=first.digest)

    assert not await rig.field(first, "m")


async def test_only_what_was_seen_is_replaced(rig: Rig):
    """Once somebody else took the name his token is given, and nothing of it changes."""
    first = await rig.make(name=b"label:a")
    second = await rig.make(name=b"label:a", replaces=first.digest)
    before = await rig.everything()

    third = await rig.make(name=b"label:a", replaces=first.digest)

    assert (Word.REUSED, second.digest) == (third.outcome.word, third.digest)
    assert before == await rig.everything()


async def test_a_label_has_one_token_up_to_its_end(rig: Rig):
    """Also with less than one idle time left, when a login without a label gets a new one."""
    now, end = await rig.now(), {"end_ms": await rig.now() + 40 * MINUTE}
    login, label = await rig.make(name=NAME, **end), await rig.make(name=b"label:a", **end)
    for made in (login, label):
        await rig.age(made, 25 * MINUTE)
        await rig.edit(made, end_ms=now + 20 * MINUTE)

    assert Word.ISSUED == (await rig.make(name=NAME, **end)).outcome.word

    again = await rig.make(name=b"label:a", **end)

    assert (Word.REUSED, label.digest) == (again.outcome.word, again.digest)
    assert abs(again.outcome.expires_ms - now - 20 * MINUTE) <= 5_000
    assert 0 <= 20 * MINUTE + TOWER.grave_ms - await rig.ttl(label) <= 5_000


async def dead_by_revoke(rig: Rig, made: Made) -> None:
    """Revoked."""
    await rig.store.revoke(made.shard, made.digest)


async def dead_by_mark(rig: Rig, made: Made) -> None:
    """Below the owner's mark."""
    await rig.store.revoke_owner(made.owner)


async def dead_by_floor(rig: Rig, made: Made) -> None:
    """Below the floor."""
    await rig.set_floor(made.owner, "t", made.outcome.counter, 9999)


async def dead_by_time(rig: Rig, made: Made) -> None:
    """In its grave."""
    await rig.run(b"PEXPIRE", made.key, TOWER.grave_ms)


async def gone(rig: Rig, made: Made) -> None:
    """Out of its grave."""
    await rig.run(b"DEL", made.key)


async def immortal(rig: Rig, made: Made) -> None:
    """A zombie without TTL."""
    await rig.run(b"PERSIST", made.key)


async def nearly_over(rig: Rig, made: Made) -> None:
    """Its absolute end is nearer than one idle time."""
    await rig.edit(made, end_ms=await rig.now() + TOWER.idle_ms - 5_000)


@pytest.mark.parametrize(
    "die",
    [dead_by_revoke, dead_by_mark, dead_by_floor, dead_by_time, gone, immortal, nearly_over],
    ids=lambda die: die.__name__,
)
async def test_a_dead_token_is_never_reused(rig: Rig, die):
    """The same login gets a new token once the old one is dead, or not worth handing out."""
    first = await rig.make(name=NAME)
    await die(rig, first)

    second = await rig.make(name=NAME)

    assert Word.ISSUED == second.outcome.word
    assert first.digest != second.digest
    assert Word.OK == await rig.word(second)


async def test_reuse_looks_at_the_limit_first(rig: Rig):
    """A login after the limit was lowered is not given a token that the limit evicts."""
    first = await rig.make(name=NAME)
    others = [await rig.make(name=b"bind:%d" % n) for n in range(3)]
    node = rig.node(replace(TOWER, per_user=2))

    again = await node.make(policy=node.policies[0], name=NAME)

    assert Word.ISSUED == again.outcome.word
    assert [False, False, False, True, True] == await node.live([first, *others, again])


async def test_the_name_must_still_be_what_the_node_saw(rig: Rig):
    """A name that came, went or moved between look and issue is answered with again."""
    new, other = rig.new("alice", name=NAME), await rig.make(name=NAME)
    before = await rig.everything()

    for seen in (b"", b"y" * 20):
        assert ["again", b"name"] == await rig_issue(rig, new, seen=seen)

    assert before == await rig.everything()
    assert "reused" == (await rig_issue(rig, new, seen=other.digest))[0]


async def rig_issue(rig: Rig, new, *, seen: bytes = b"", **changes) -> list:
    """The script itself, with a name seen as *seen* and no tokens looked at."""
    shard = shard_of(new.owner)
    token = rig.keys.token(shard, new.digest)
    keys = [
        token,
        rig.keys.owners(shard),
        rig.keys.counter(shard),
        rig.index(new.owner),
        rig.names(new.owner),
        rig.keys.user(shard, new.owner),
        rig.keys.token(shard, seen) if seen else token,
    ]
    late = {"top": 0, "limit": new.policy.limit, "whole": b"0", "ceiling": 10_000, **changes}
    args = [new.owner, b"", new.name, seen, new.conflict, *late.values()]
    ends = [new.policy.idle_ms, new.age_ms, new.end_ms]
    return await rig.call("issue", keys, *args, new.head.pack(), *ends, new.nonce)


async def test_asked_twice_it_answers_the_same(rig: Rig):
    """The very same wish again, as after a lost reply, is the same token and one entry."""
    new = rig.new("alice")
    first = await rig_issue(rig, new)
    before = await rig.everything()

    second = await rig_issue(rig, new)

    assert first[:3] == second[:3]
    assert abs(first[3] - second[3]) <= 5_000
    assert before == await rig.everything()


async def test_a_name_that_keeps_moving_is_no_verdict(rig: Rig):
    """A node that never sees what issue sees gives up with StoreDown."""
    made = await rig.make(name=NAME)

    async def stale(shard, new, window):
        look = await type(rig.store)._look(rig.store, shard, new, window)
        return replace(look, seen=b"y" * 20)

    rig.store._look = stale
    with pytest.raises(StoreDown):
        await rig.make(name=NAME)
    assert [made.digest] == await rig.run(b"HVALS", rig.names("alice"))
