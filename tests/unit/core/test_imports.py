"""Tokens whose text was chosen or brought along: their place, their uniqueness, their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from service.core.amending import Change
from service.core.making import PasswordChanged
from service.core.secret import Form, digest_of, shard_of_text
from service.errors import (
    KeyTaken,
    NoSuchToken,
    NoSuchUser,
    TokenChanged,
    TooManyTokens,
    UserDisabled,
)
from service.model import Issued, Life, Trace, Word
from service.store.imports import GRAVE_MS
from service.store.keys import shard_of
from tests.makers import CURL, HOME, MINUTE, NETBOX, Rig, wish

KEY = "0123456789abcdef0123456789abcdef01234567"
MINE = shard_of("alice").hex() + KEY[4:]
"""A text that names the owner's own shard."""
TEXTS = [KEY, MINE, "z" * 30 + "Zebra-Key!", "nbt_" + "zzz" + "a" * 9 + "." + "b" * 40]


async def word(rig: Rig, text: str, *, write: bool = True) -> Word:
    """What a use of *text* gets."""
    use = {"address": HOME, "agent": CURL, "write": write}
    return (await rig.tokens.verify(text.encode(), **use)).word


def chosen(text: str, owner: str = "alice", **more: object):
    """A wish for a token with that *text*."""
    return wish(owner, NETBOX, text=text, **more)


@pytest.mark.parametrize("text", TEXTS)
async def test_a_chosen_text_works_and_is_shown_again(rig: Rig, text: str) -> None:
    """Wherever the text points; the list shows it with all that was wished."""
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    issued = await rig.tokens.issue(
        chosen(text, description="moved", write=False, networks=networks)
    )
    token = (await rig.tokens.of_owner("alice"))[0]

    assert Word.NETWORK == await word(rig, text)
    assert text == issued.text == rig.tokens.text_of(token)
    assert issued.token_id == token.token_id
    assert (networks, "moved", False, "live") == (
        token.networks, token.description, token.write, token.state,
    )  # fmt: skip
    await rig.tokens.amend(token, Change(networks=None, write=True))
    assert Word.OK == await word(rig, text)


@pytest.mark.parametrize("text", TEXTS)
async def test_nobody_gets_a_text_twice(rig: Rig, text: str) -> None:
    """Not its owner while it lives, and nobody else ever while its grave lasts."""
    await rig.owner("bob")
    await rig.tokens.issue(chosen(text))
    for owner in ("alice", "bob"):
        with pytest.raises(KeyTaken):
            await rig.tokens.issue(chosen(text, owner))
    assert await rig.tokens.revoke(text.encode())

    with pytest.raises(KeyTaken):
        await rig.tokens.issue(chosen(text, "bob"))
    assert Word.REVOKED == await word(rig, text)
    await rig.tokens.issue(chosen(text))
    assert Word.OK == await word(rig, text)
    assert 1 == len(await rig.tokens.of_owner("alice"))


async def test_a_text_made_here_cannot_be_chosen_by_another(rig: Rig) -> None:
    """The place its text names is taken by the record itself."""
    await rig.owner("bob")
    issued = await rig.tokens.issue(wish("alice", NETBOX))

    with pytest.raises(KeyTaken):
        await rig.tokens.issue(chosen(issued.text, "bob"))
    assert Word.OK == await word(rig, issued.text)


async def test_an_alias_without_its_record_is_no_obstacle(rig: Rig) -> None:
    """What is left of a deleted user's token is taken over."""
    await rig.owner("bob")
    await rig.tokens.issue(chosen(KEY))
    digest = digest_of(KEY.encode())
    await rig.run(b"DEL", rig.keys.token(shard_of("alice"), digest))

    await rig.tokens.issue(chosen(KEY, "bob"))

    assert Word.OK == await word(rig, KEY)
    assert ["bob"] == [token.owner for token in await rig.tokens.of_owners(["alice", "bob"])]


BOBS = shard_of("bob").hex() + KEY[4:]
"""A text of alice's that names bob's shard."""


async def test_a_text_that_names_another_owner_s_shard_is_not_his(rig: Rig) -> None:
    """Where her alias is his record would be."""
    await rig.owner("bob")
    token = await rig.tokens.get((await rig.tokens.issue(chosen(BOBS))).token_id)

    with pytest.raises(KeyTaken):
        await rig.tokens.issue(chosen(BOBS, "bob"))
    use = {"address": HOME, "agent": CURL, "write": True}
    assert "alice" == (await rig.tokens.verify(BOBS.encode(), **use)).owner
    await rig.tokens.amend(token, Change(end_ms=await rig.now() + 60_000))
    assert Word.OK == await word(rig, BOBS)
    await rig.tokens.revoke(BOBS.encode())
    with pytest.raises(KeyTaken):
        await rig.tokens.issue(chosen(BOBS, "bob"))
    assert Word.REVOKED == await word(rig, BOBS)


async def test_whoever_got_a_text_later_does_not_pay_for_what_was_there(rig: Rig) -> None:
    """An alias that led nowhere gives way to a record, and what is done about it harms nobody."""
    await rig.owner("bob")
    token = await rig.tokens.get((await rig.tokens.issue(chosen(BOBS))).token_id)
    await rig.run(b"DEL", rig.keys.token(shard_of("alice"), token.digest))
    await rig.tokens.issue(chosen(BOBS, "bob"))
    record = rig.keys.token(shard_of("bob"), token.digest)

    with pytest.raises(NoSuchToken):
        await rig.tokens.amend(token, Change(end_ms=await rig.now() + 60_000))
    with pytest.raises(NoSuchToken):
        await rig.tokens.amend(token, Change(end_ms=0))
    assert [b"c", b"h", b"o", b"x"] == sorted((await rig.run(b"HGETALL", record))[::2])
    assert -1 == await rig.run(b"PTTL", record)
    use = {"address": HOME, "agent": CURL, "write": True}
    assert "bob" == (await rig.tokens.verify(BOBS.encode(), **use)).owner


@pytest.mark.parametrize("shard", ["", "user0", "user3"])
async def test_of_many_who_want_the_same_text_one_gets_it(rig: Rig, shard: str) -> None:
    """At once, from several nodes; it works for the one who was told so."""
    owners = [f"user{number}" for number in range(8)]
    for owner in owners:
        await rig.owner(owner)
    for turn in range(20):
        text = f"{turn:04d}" + KEY[4:]
        if shard:
            text = f"{shard_of(shard).hex()}{turn:04d}" + KEY[8:]
        wishes = (rig.tokens.issue(chosen(text, owner)) for owner in owners)
        told = await asyncio.gather(*wishes, return_exceptions=True)
        winners = [o for o, each in zip(owners, told, strict=True) if isinstance(each, Issued)]

        assert len(winners) <= 1
        assert all(isinstance(each, Issued | KeyTaken) for each in told)
        use = {"address": HOME, "agent": CURL, "write": True}
        verdict = await rig.tokens.verify(text.encode(), **use)
        assert winners == ([verdict.owner] if verdict.allowed else [])


async def test_a_place_lost_in_between_is_a_token_lost(rig: Rig) -> None:
    """Whoever took the place over while the record was being made has the text."""
    await rig.owner("bob")
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    imports, run = rig.tokens.imports, rig.store.client.run
    stolen = False

    async def steal(*steps: object) -> list[object]:
        nonlocal stolen
        replies = await run(*steps)
        if not stolen and replies and replies[0][0] == b"issued":
            stolen = True
            await run((b"HSET", alias, b"a", shard_of("bob")))
        return replies

    rig.store.client.run = steal  # type: ignore[method-assign]
    outcome = (await imports.many([rig.tokens.foreign(chosen(KEY))]))[0]
    rig.store.client.run = run  # type: ignore[method-assign]

    assert Word.CONFLICT == outcome.word
    assert [] == await rig.tokens.of_owner("alice")


@pytest.mark.parametrize(("end_ms", "state"), [(-60_000, Word.EXPIRED), (60_000, Word.OK)])
async def test_an_end_may_lie_in_the_past(rig: Rig, end_ms: int, state: Word) -> None:
    """Such a token says that it has expired for as long as its grave lasts, alias and all."""
    issued = await rig.tokens.issue(chosen(KEY, end_ms=await rig.now() + end_ms))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))

    assert state == await word(rig, KEY)
    assert abs(await rig.run(b"PTTL", alias) - max(end_ms, 0) - NETBOX.grave_ms) < 10_000
    token = await rig.tokens.get(issued.token_id)
    await rig.tokens.amend(token, Change(end_ms=0))
    assert Word.OK == await word(rig, KEY)
    assert -1 == await rig.run(b"PTTL", alias)
    assert Life.NEVER == (await rig.tokens.get(issued.token_id)).life


async def test_a_change_that_came_too_late_leaves_the_alias_its_end(rig: Rig) -> None:
    """Whoever meant another state than there is prolongs nothing, and ends nothing."""
    issued = await rig.tokens.issue(chosen(KEY, end_ms=await rig.now() + 60_000))
    seen = await rig.tokens.get(issued.token_id)
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.tokens.amend(seen, Change(write=False))

    with pytest.raises(TokenChanged):
        await rig.tokens.amend(seen, Change(end_ms=0), exact=True)

    assert abs(await rig.run(b"PTTL", alias) - 60_000 - GRAVE_MS) < 10_000
    assert issued.expires_ms == (await rig.tokens.get(issued.token_id)).expires_ms
    use = {"address": HOME, "agent": CURL, "write": False}
    assert Word.OK == (await rig.tokens.verify(KEY.encode(), **use)).word


async def test_a_new_end_takes_the_alias_along(rig: Rig) -> None:
    """It outlives the record by as long as any grave may be, and not for ever."""
    issued = await rig.tokens.issue(chosen(KEY))
    end_ms = await rig.now() + 60_000
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))

    await rig.tokens.amend(await rig.tokens.get(issued.token_id), Change(end_ms=end_ms))

    assert Word.OK == await word(rig, KEY)
    assert abs(await rig.run(b"PTTL", alias) - 60_000 - GRAVE_MS) < 10_000


@pytest.mark.parametrize("change", [{"lifetime_ms": 60_000}, {"max_lifetime_ms": 60_000}])
async def test_a_chosen_text_lives_as_long_as_its_policy_lets_it(
    rig: Rig, change: dict[str, int]
) -> None:
    """The default and the longest life hold for it, too."""
    node = rig.node(replace(NETBOX, **change))
    issued = await node.tokens.issue(wish("alice", node.policies[0], text=KEY))

    assert 60_000 == issued.expires_ms - issued.created_ms
    assert Word.OK == await word(rig, KEY)


async def test_a_chosen_text_slides_where_tokens_slide(rig: Rig) -> None:
    """Idle time is idle time; an end beside it is the latest."""
    node = rig.node(replace(NETBOX, idle_ms=60_000))
    policy, now = node.policies[0], await rig.now()
    issued = await node.tokens.issue(wish("alice", policy, text=KEY))
    ending = await node.tokens.issue(wish("alice", policy, text=KEY[::-1], end_ms=now + 5_000))

    assert abs(issued.expires_ms - now - 60_000) < 5_000
    assert now + 5_000 == ending.expires_ms
    token = await node.tokens.get(issued.token_id)
    key = rig.keys.token(shard_of("alice"), token.digest)
    await rig.run(b"PEXPIRE", key, await rig.run(b"PTTL", key) - 30_000)
    use = {"address": HOME, "agent": CURL, "write": True}
    assert (await node.tokens.verify(KEY.encode(), **use)).remaining_ms > 59_000


@pytest.mark.parametrize("text", ["", KEY])
async def test_a_new_end_is_no_later_than_the_policy_s(rig: Rig, text: str) -> None:
    """For ever is as long as it may live, and so is any later moment."""
    node = rig.node(replace(NETBOX, max_lifetime_ms=60_000))
    issued = await node.tokens.issue(wish("alice", node.policies[0], text=text))
    last = issued.created_ms + 60_000
    for end_ms, ends in ((0, last), (last + 5_000, last), (last - 5_000, last - 5_000)):
        await node.tokens.amend(await node.tokens.get(issued.token_id), Change(end_ms=end_ms))

        assert ends == (await node.tokens.get(issued.token_id)).expires_ms


async def test_a_new_end_does_not_stop_a_token_from_sliding(rig: Rig) -> None:
    """It goes on sliding until that end, and for ever when the end is taken away."""
    node = rig.node(replace(NETBOX, idle_ms=60_000))
    issued = await node.tokens.issue(wish("alice", node.policies[0]))
    now = await rig.now()
    for end_ms, left_ms in ((now + 20_000, 20_000), (0, 60_000)):
        await node.tokens.amend(await node.tokens.get(issued.token_id), Change(end_ms=end_ms))
        use = {"address": HOME, "agent": CURL, "write": True}
        verdict = await node.tokens.verify(issued.text.encode(), **use)

        assert abs(verdict.remaining_ms - left_ms) < 5_000
        assert Life.SLIDING == (await node.tokens.get(issued.token_id)).life


async def test_a_password_changed_since_the_check_makes_no_token(rig: Rig) -> None:
    """As with any other login under way."""
    await rig.run(b"HSET", rig.keys.user(shard_of("alice"), "alice"), b"password", b"new")
    with pytest.raises(PasswordChanged):
        await rig.tokens.issue(chosen(KEY, password=b"old"))

    await rig.tokens.issue(chosen(KEY, password=b"new"))


async def test_a_repeat_finishes_what_was_cut_off(rig: Rig) -> None:
    """The record was there, its alias still about to end: the second try says so and mends it."""
    await rig.tokens.issue(chosen(KEY))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.run(b"PEXPIRE", alias, 60_000)

    with pytest.raises(KeyTaken):
        await rig.tokens.issue(chosen(KEY))
    assert -1 == await rig.run(b"PTTL", alias)


async def test_the_alias_goes_with_the_record(rig: Rig) -> None:
    """A revoked token's alias lives as long as its grave."""
    await rig.tokens.issue(chosen(KEY))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    assert -1 == await rig.run(b"PTTL", alias)
    await rig.tokens.revoke(KEY.encode())

    assert 0 < await rig.run(b"PTTL", alias) <= NETBOX.grave_ms


async def test_a_text_is_for_somebody(rig: Rig) -> None:
    """An owner who is not there or disabled gets none, and one with too many gets no more."""
    with pytest.raises(NoSuchUser):
        await rig.tokens.issue(chosen(KEY, "nobody"))
    await rig.owner("carol")
    await rig.users.disable("carol")
    with pytest.raises(UserDisabled):
        await rig.tokens.issue(chosen(KEY, "carol"))
    few = rig.node(type(NETBOX)(name="netbox", letter="n", max_tokens=1))
    await few.tokens.issue(wish("alice", few.policies[0], text=KEY))
    with pytest.raises(TooManyTokens):
        await few.tokens.issue(wish("alice", few.policies[0], text=KEY[::-1]))


async def test_a_dead_token_is_not_amended(rig: Rig) -> None:
    """Revoked is revoked."""
    issued = await rig.tokens.issue(wish("alice", NETBOX))
    token = await rig.tokens.get(issued.token_id)
    await rig.tokens.revoke(issued.text.encode())

    with pytest.raises(NoSuchToken):
        await rig.tokens.amend(token, Change(description="alive?"))


async def test_the_alias_of_a_token_that_ended_meanwhile_ends_too(rig: Rig) -> None:
    """Nothing is left of an attempt to let it live on."""
    issued = await rig.tokens.issue(chosen(KEY))
    token = await rig.tokens.get(issued.token_id)
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.run(b"DEL", rig.keys.token(shard_of("alice"), token.digest), alias)

    with pytest.raises(NoSuchToken):
        await rig.tokens.amend(token, Change(end_ms=0))
    assert 0 < await rig.run(b"PTTL", alias) <= GRAVE_MS


def just_before(rig: Rig, script: str, change: Callable[[], Awaitable[object]]) -> None:
    """Make a *change* when *rig* is about to run *script* for the first time."""
    run = rig.client.run

    async def held(*steps: Any) -> Any:
        if any(getattr(step, "script", None) is rig.store.scripts[script] for step in steps):
            rig.client.run = run  # type: ignore[method-assign]
            await change()
        return await run(*steps)

    rig.client.run = held  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "end_ms", [0, 300 * 1440 * MINUTE, MINUTE], ids=["never", "later", "sooner"]
)
async def test_an_alias_that_is_let_go_waits_for_a_new_token(rig: Rig, end_ms: int) -> None:
    """One that has the text again meanwhile: the alias lives as long as that, or its grave."""
    await rig.tokens.issue(chosen(KEY))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    again = chosen(KEY, end_ms=end_ms and await rig.now() + end_ms)

    just_before(rig, "release", lambda: rig.tokens.issue(again))
    await rig.tokens.revoke(KEY.encode())

    left_ms = await rig.run(b"PTTL", alias)
    assert left_ms == -1 if not end_ms else abs(left_ms - end_ms - NETBOX.grave_ms) < 10_000
    assert Word.OK == await word(rig, KEY)


@pytest.mark.parametrize("behind", [False, True])
async def test_of_two_new_ends_at_once_the_alias_keeps_the_record_s(rig: Rig, behind: bool) -> None:
    """Whoever of the two lets go of it last, here where the record is to live for ever."""
    end_ms = await rig.now() + MINUTE
    await rig.tokens.issue(chosen(KEY, end_ms=end_ms))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    token = (await rig.tokens.of_owner("alice"))[0]

    def amend(to_ms: int) -> Awaitable[object]:
        return rig.tokens.amend(token, Change(end_ms=to_ms))

    if behind:  # the other has let go, and has looked at the record before it changed
        just_before(rig, "amend", lambda: amend(end_ms))
        await amend(0)
    else:
        just_before(rig, "release", lambda: amend(0))
        await amend(end_ms)

    ends_ms = (await rig.tokens.of_owner("alice"))[0].expires_ms
    assert (0, -1) == (ends_ms, await rig.run(b"PTTL", alias))


async def test_a_token_that_is_dead_already_leaves_its_alias_alone(rig: Rig) -> None:
    """Somebody may be about to have its text again."""
    await rig.tokens.issue(chosen(KEY))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.tokens.revoke(KEY.encode())
    await rig.run(b"PERSIST", alias)

    assert not await rig.tokens.revoke(KEY.encode())
    assert -1 == await rig.run(b"PTTL", alias)


async def test_netbox_s_second_form_is_made_and_shown(rig: Rig) -> None:
    """``nbt_<12>.<40>``: it names its owner's shard, so it needs no alias."""
    issued = await rig.tokens.issue(wish("alice", NETBOX, form=Form.NBT))
    token = await rig.tokens.get(issued.token_id)

    key, _, secret = issued.text.removeprefix("nbt_").partition(".")
    assert (12, 40) == (len(key), len(secret))
    assert shard_of("alice") == shard_of_text(issued.text.encode())
    assert issued.text == rig.tokens.text_of(token)
    assert Word.OK == await word(rig, issued.text)


async def test_a_use_can_leave_no_trace(rig: Rig) -> None:
    """Decided all the same, and not noted: not the first one, and not after an age."""
    text = (await rig.tokens.issue(wish("alice", NETBOX))).text.encode()
    use = {"address": HOME, "agent": CURL, "write": True}
    assert (await rig.tokens.verify(text, trace=Trace.SLIDE, **use)).allowed
    assert 0 == (await rig.tokens.of_owner("alice"))[0].last_used_ms

    await rig.tokens.verify(text, **use)

    assert 0 < (await rig.tokens.of_owner("alice"))[0].last_used_ms


async def test_a_use_can_be_no_use_at_all(rig: Rig) -> None:
    """A token that slides is looked at without being prolonged, and still ends when it must."""
    issued = await rig.tokens.issue(wish("alice"))
    text, use = issued.text.encode(), {"address": HOME, "agent": CURL, "write": True}
    verdict = await rig.tokens.verify(text, **use)
    token = await rig.tokens.used(text, verdict)
    assert token is not None
    made = rig.made(token)
    await rig.age(made, 10 * MINUTE)
    left = await rig.ttl(made)

    looked = await rig.tokens.verify(text, trace=Trace.NONE, **use)

    assert looked.allowed
    assert left - 5_000 < await rig.ttl(made) <= left
    assert 15 * MINUTE < looked.remaining_ms <= 20 * MINUTE
    await rig.age(made, 20 * MINUTE)
    assert Word.EXPIRED == (await rig.tokens.verify(text, trace=Trace.NONE, **use)).word
    assert token.token_id == issued.token_id


async def test_no_text_is_in_the_store(rig: Rig) -> None:
    """Hidden, not written down."""
    await rig.tokens.issue(chosen(KEY))
    everything = repr(await rig.everything())

    assert KEY not in everything
    assert KEY[:20] not in everything


@pytest.mark.parametrize("text", ["", KEY])
async def test_a_token_tells_whose_it_is_or_was(rig: Rig, text: str) -> None:
    """Dead or alive, made here or elsewhere, while it is kept; afterwards nobody knows."""
    issued = await rig.tokens.issue(wish("alice", NETBOX, text=text))
    raw = issued.text.encode()
    token = await rig.tokens.get(issued.token_id)

    assert "alice" == await rig.tokens.owner_of(raw)
    await rig.users.revoke("alice")
    await rig.tokens.settle()
    assert "alice" == await rig.tokens.owner_of(raw)
    await rig.run(b"DEL", rig.made(token).key)
    assert await rig.tokens.owner_of(raw) is None
    assert await rig.tokens.owner_of(b"nothing") is None
