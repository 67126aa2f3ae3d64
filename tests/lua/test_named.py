"""A name, an index entry and a record that do not belong together any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.core.amending import Change
from service.core.tokens import Wish
from service.errors import NoSuchToken
from service.model import Word
from service.store.keys import shard_of
from tests.makers import CURL, HOME, NETBOX, PUPPET, TOWER, Rig, wish

KEY = "0123456789abcdef0123456789abcdef01234567"


async def word(rig: Rig, text: str) -> Word:
    """What a use of *text* gets."""
    return (await rig.tokens.verify(text.encode(), address=HOME, agent=CURL, write=True)).word


def labelled(label: str = "ci") -> Wish:
    """What Puppet's login wishes."""
    return wish("alice", PUPPET, label=label, conflict="return")


async def test_a_login_whose_old_text_is_another_token_by_now_gets_a_new_one(rig: Rig) -> None:
    """The name of a login led to a token that is dead, and its text was chosen for another API."""
    first = await rig.tokens.issue(wish("alice", TOWER))
    await rig.tokens.revoke(first.text.encode())
    await rig.tokens.issue(wish("alice", NETBOX, text=first.text))

    second = await rig.tokens.issue(wish("alice", TOWER))

    assert second.text != first.text
    assert [Word.OK] * 2 == [await word(rig, each.text) for each in (first, second)]


async def test_a_disabled_token_gives_its_label_to_the_next(rig: Rig) -> None:
    """Enabled again it lives on without one: a label is one token's."""
    first = await rig.tokens.issue(labelled())
    token = await rig.tokens.get(first.token_id)
    await rig.tokens.amend(token, Change(enabled=False))
    second = await rig.tokens.issue(labelled())
    await rig.tokens.amend(await rig.tokens.get(first.token_id), Change(enabled=True))

    assert {first.token_id: "", second.token_id: "ci"} == {
        each.token_id: each.label for each in await rig.tokens.of_owner("alice")
    }
    await rig.tokens.revoke_label("alice", "ci")
    assert Word.OK == await word(rig, first.text)
    assert Word.REVOKED == await word(rig, second.text)


async def test_an_expired_token_that_is_revived_has_lost_its_label(rig: Rig) -> None:
    """Meanwhile another one got it."""
    policy = replace(NETBOX, idle_ms=0)
    first = await rig.tokens.issue(
        wish("alice", policy, label="ci", end_ms=await rig.now() - 1_000)
    )
    second = await rig.tokens.issue(wish("alice", policy, label="ci"))
    await rig.tokens.amend(await rig.tokens.get(first.token_id), Change(end_ms=0))

    assert {first.token_id: "", second.token_id: "ci"} == {
        each.token_id: each.label for each in await rig.tokens.of_owner("alice")
    }


async def same_shard(rig: Rig) -> tuple[str, str]:
    """Two users whose keys lie in one shard."""
    seen: dict[bytes, str] = {}
    for number in range(10_000):
        name = f"user{number}"
        other = seen.setdefault(shard_of(name), name)
        if other != name:
            await rig.owner(other)
            await rig.owner(name)
            return other, name
    raise AssertionError


async def test_nobody_s_tidying_reaches_another_owner_s_token(rig: Rig) -> None:
    """A text that was his is another user's of the same shard by now."""
    old, new = await same_shard(rig)
    policy = replace(NETBOX, per_user=1)
    first = await rig.tokens.issue(wish(old, policy, text=KEY))
    token = await rig.tokens.get(first.token_id)
    places = [rig.keys.token(shard, token.digest) for shard in (shard_of(old), token.place)]
    await rig.run(b"DEL", *places)
    await rig.tokens.issue(wish(new, policy, text=KEY))

    await rig.tokens.revoke_owner(old)
    await rig.store.bury_all(old)
    await rig.store.trim(old, policy)

    assert Word.OK == await word(rig, KEY)
    assert [new] == [each.owner for each in await rig.tokens.of_owner(new)]
    assert [] == await rig.tokens.of_owner(old)


async def test_an_old_number_is_no_other_token_s(rig: Rig) -> None:
    """The same text again under another policy: one token, in one place, under its own number."""
    first = await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    token = await rig.tokens.get(first.token_id)
    await rig.run(b"DEL", rig.keys.token(shard_of("alice"), token.digest))
    second = await rig.tokens.issue(wish("alice", PUPPET, text=KEY))

    assert [second.token_id] == [each.token_id for each in await rig.tokens.of_owner("alice")]
    with pytest.raises(NoSuchToken):
        await rig.tokens.get(first.token_id)
    assert 1 == await rig.store.bury_all("alice")
    assert second.token_id == (await rig.tokens.get(second.token_id)).token_id
