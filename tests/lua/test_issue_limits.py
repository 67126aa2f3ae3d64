"""issue and how many tokens an owner may hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.model import Word
from service.store.keys import shard_of
from tests.lua.test_issue import rig_issue
from tests.makers import NETBOX, PUPPET, TOWER, Rig

THREE = replace(TOWER, per_user=3)


async def test_one_more_evicts_the_oldest(rig: Rig):
    """The token above the limit takes the oldest one's place, and that one says evicted."""
    node = rig.node(THREE, NETBOX)

    made = [await node.make(policy=THREE) for _ in range(5)]

    assert [False, False, True, True, True] == await node.live(made)
    assert Word.EVICTED == await node.word(made[0])


async def test_dead_tokens_do_not_count(rig: Rig):
    """Revoked, expired and vanished tokens leave their place to live ones."""
    node = rig.node(THREE)
    made = [await node.make(policy=THREE) for _ in range(3)]
    await node.store.revoke(made[1].shard, made[1].digest)

    more = await node.make(policy=THREE)
    assert [True, False, True, True] == await node.live([*made, more])

    await rig.run(b"PEXPIRE", made[2].key, THREE.grave_ms)
    await rig.run(b"DEL", more.key)
    last = [await node.make(policy=THREE) for _ in range(2)]
    assert [True, True, True] == await node.live([made[0], *last])


async def test_other_policies_and_owners_do_not_count(rig: Rig):
    """A limit is per owner and policy."""
    node = rig.node(THREE, NETBOX)
    await rig.owner("bob")
    made = [await node.make(policy=policy) for _ in range(3) for policy in (THREE, NETBOX)]
    made += [await node.make("bob", policy=THREE) for _ in range(3)]

    assert 9 == sum(await node.live(made))


async def test_a_limit_of_none_at_all_evicts_each_at_birth(rig: Rig):
    """With limit 0 every token is evicted at once."""
    none = replace(TOWER, per_user=0)
    node = rig.node(none)

    made = [await node.make(policy=none) for _ in range(2)]

    assert [Word.EVICTED] * 2 == [await node.word(each) for each in made]


async def test_a_lowered_limit_holds_at_the_next_login(rig: Rig):
    """issue under a lower limit raises the floor over all that are too many."""
    made = [await rig.make() for _ in range(5)]
    node = rig.node(replace(TOWER, per_user=2))

    more = await node.make(policy=node.policies[0])

    assert [False, False, False, False, True, True] == await node.live([*made, more])


async def test_the_floor_never_falls(rig: Rig):
    """Revoking the newest tokens does not bring the evicted back."""
    node = rig.node(THREE)
    made = [await node.make(policy=THREE) for _ in range(4)]
    for each in made[2:]:
        await node.store.revoke(each.shard, each.digest)

    made.append(await node.make(policy=THREE))

    assert [False, True, False, False, True] == await node.live(made)


async def test_tokens_made_since_the_look_count_as_alive(rig: Rig):
    """Entries above the highest one seen are counted, though the caller did not send them."""
    made = [await rig.make() for _ in range(4)]
    new = rig.new("alice", THREE)

    reply = await rig_issue(rig, new, top=1, whole=b"1")

    node = rig.node(THREE)
    assert ("issued", 5) == (reply[0], reply[1])
    assert [False, False, True, True] == await node.live(made)


async def test_too_few_seen_asks_for_more(rig: Rig):
    """A window that shows fewer live tokens than the limit is widened before anything is made."""
    await rig.make()
    before = await rig.everything()

    assert ["again", b"more"] == await rig_issue(rig, rig.new("alice", THREE), top=1)
    assert before == await rig.everything()


async def test_a_window_full_of_other_tokens_is_widened(rig: Rig):
    """Tokens of another policy, newer than all of this one's, do not hide the oldest."""
    one = replace(TOWER, per_user=1)
    node = rig.node(one, NETBOX)
    first = await node.make(policy=one)
    for _ in range(40):
        await node.make(policy=NETBOX)

    second = await node.make(policy=one)

    assert [False, True] == await node.live([first, second])


async def test_a_full_house_refuses(rig: Rig):
    """Above max_tokens nothing is made; a freed place is given again."""
    few = replace(NETBOX, max_tokens=3)
    node = rig.node(TOWER, few)
    made = [await node.make(policy=few) for _ in range(3)]
    before = await rig.run(b"GET", rig.keys.counter(shard_of("alice")))

    assert Word.FULL == (await node.make(policy=few)).outcome.word
    assert before == await rig.run(b"GET", rig.keys.counter(shard_of("alice")))

    await node.store.revoke(made[0].shard, made[0].digest)
    assert Word.ISSUED == (await node.make(policy=few)).outcome.word


async def test_a_full_house_counts_one_policy(rig: Rig):
    """Tokens of another policy do not fill this one's house."""
    few = replace(NETBOX, max_tokens=3)
    node = rig.node(TOWER, few)
    for _ in range(5):
        await node.make(policy=TOWER)

    words = [(await node.make(policy=few)).outcome.word for _ in range(4)]

    assert [Word.ISSUED] * 3 + [Word.FULL] == words


async def test_a_full_house_of_the_dead_is_tidied(rig: Rig):
    """Entries of vanished tokens do not count against max_tokens."""
    few = replace(NETBOX, max_tokens=3)
    node = rig.node(TOWER, few)
    for _ in range(3):
        await rig.run(b"DEL", (await node.make(policy=few)).key)

    assert Word.ISSUED == (await node.make(policy=few)).outcome.word


async def test_a_full_house_of_the_expired_has_room(rig: Rig):
    """As many as are alive count against max_tokens; none of these is let go."""
    few = replace(PUPPET, max_tokens=3)
    node = rig.node(TOWER, few)
    made = [await node.make(policy=few) for _ in range(3)]
    for each in made[:2]:
        await rig.edit(each, end_ms=await rig.now() - 1)

    words = [(await node.make(policy=few)).outcome.word for _ in range(3)]

    assert [Word.ISSUED, Word.ISSUED, Word.FULL] == words
    assert [False, False, True] == await node.live(made)
    assert 3 == await rig.run(b"ZCARD", rig.index("alice"))


async def test_every_issue_tidies_a_little(rig: Rig):
    """Entries and names of vanished tokens go, a few with each new token."""
    for number in range(8):
        await rig.run(b"DEL", (await rig.make(name=b"bind:%d" % number)).key)

    for _ in range(30):
        await rig.make(name=b"bind:new")

    assert 1 == await rig.run(b"ZCARD", rig.index("alice"))
    assert [b"bind:new"] == await rig.run(b"HKEYS", rig.names("alice"))


@pytest.mark.parametrize("limit", [1, 15, 16, 17, 40])
async def test_a_limit_of_any_size_is_exact(rig: Rig, limit: int):
    """Exactly as many live tokens as the limit are left, whatever the window."""
    policy = replace(TOWER, per_user=limit)
    node = rig.node(policy)

    made = [await node.make(policy=policy) for _ in range(limit + 3)]

    assert [False] * 3 + [True] * limit == await node.live(made)


async def test_a_limit_holds_beneath_thousands_of_other_tokens(rig: Rig):
    """However many tokens of another policy came in between, login and trim find their own."""
    one = replace(TOWER, per_user=1)
    node = rig.node(one, NETBOX)
    old = [await rig.make(), await rig.make()]
    index = {b"%020d" % n + b"n": n + 10 for n in range(6_000)}
    pairs = [part for entry, score in index.items() for part in (score, entry)]
    await rig.run(b"ZADD", rig.index("alice"), *pairs)

    assert [False, True] == await node.live(old)
    new = await node.make(policy=one)
    assert [False, False, True] == await node.live([*old, new])
