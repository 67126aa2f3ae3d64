"""Logins at the same moment on two nodes: one token for one login, never more than the limit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from service.errors import BadCredentials
from service.model import Word, split_id
from service.store.keys import shard_of
from tests.makers import HOME, NETBOX, TOWER, Rig, agent, wish
from tests.race.conftest import Pair


async def login(rig: Rig, **changes):
    """A token for alice's right password."""
    return await rig.logins.issue(wish("alice", **changes), "right", address=HOME)


async def test_twenty_first_logins_are_one_token(pair: Pair):
    """Twenty same logins at once on two nodes all get the same text, and one of them made it."""
    found = await asyncio.gather(*(login(pair[n % 2]) for n in range(20)))

    assert 1 == len({issued.text for issued in found})
    assert 1 == [issued.reused for issued in found].count(False)
    assert 1 == await pair[0].run(b"ZCARD", pair[0].index("alice"))


async def test_a_limit_of_three_leaves_three(pair: Pair):
    """Fifty logins from different agents at once leave exactly three live tokens, the newest."""
    three = replace(TOWER, per_user=3)
    nodes = [rig.node(three) for rig in pair]

    found = await asyncio.gather(
        *(login(nodes[n % 2], policy=three, agent=agent(n)) for n in range(50))
    )

    uses = [
        await nodes[0].tokens.verify(i.text.encode(), address=HOME, agent=agent(n), write=True)
        for n, i in enumerate(found)
    ]
    live = sorted(i.token_id for i, use in zip(found, uses, strict=True) if use.allowed)
    assert sorted(i.token_id for i in found)[-3:] == live
    assert {Word.OK, Word.EVICTED} == {use.word for use in uses}


async def test_a_label_is_given_once(pair: Pair):
    """Of twenty wishes for one label at once one is granted."""
    made = await asyncio.gather(
        *(pair[n % 2].make(policy=NETBOX, name=b"label:x", conflict="reject") for n in range(20))
    )

    words = [each.outcome.word for each in made]
    assert (1, 19) == (words.count(Word.ISSUED), words.count(Word.CONFLICT))


async def test_max_tokens_is_not_passed(pair: Pair):
    """Thirty wishes at once where ten fit: ten are granted."""
    ten = replace(NETBOX, max_tokens=10)
    nodes = [rig.node(ten) for rig in pair]

    made = await asyncio.gather(*(nodes[n % 2].make(policy=ten) for n in range(30)))

    words = [each.outcome.word for each in made]
    assert (10, 20) == (words.count(Word.ISSUED), words.count(Word.FULL))


async def test_ids_are_never_given_twice(pair: Pair):
    """Two hundred tokens made at once have two hundred ids."""
    made = await asyncio.gather(*(pair[n % 2].make(policy=NETBOX) for n in range(200)))

    assert set(range(1, 201)) == {each.outcome.counter for each in made}


async def change_password(rig: Rig) -> None:
    """The password becomes another."""
    await rig.users.set_password("alice", "other")


async def disable(rig: Rig) -> None:
    """The user is disabled."""
    await rig.users.disable("alice")


async def delete(rig: Rig) -> None:
    """The user is deleted."""
    await rig.users.delete("alice")


async def replace_user(rig: Rig) -> None:
    """The user is deleted, and another one made of that name."""
    await rig.users.delete("alice")
    await rig.users.add("alice", "other")


@pytest.mark.parametrize("change", [change_password, disable, delete, replace_user])
async def test_no_login_in_flight_outlives_a_change(pair: Pair, change):
    """Once the change returned no login with the old password makes a token, begun or not."""
    one, two = pair
    one.guard._attempts = two.guard._attempts = 0
    made: list[int] = []

    async def try_login(number: int) -> None:
        await asyncio.sleep(number * 0.0005)
        with suppress(BadCredentials):
            issued = await login(pair[number % 2], agent=agent(number))
            made.append(split_id(issued.token_id)[0])

    async def change_amid() -> int:
        await asyncio.sleep(0.012)
        await change(one)
        return int(await one.run(b"GET", one.keys.counter(shard_of("alice"))) or 0)

    last, *_ = await asyncio.gather(change_amid(), *(try_login(n) for n in range(50)))

    assert last >= max(made, default=0)
    with pytest.raises(BadCredentials):
        await login(two, agent=agent(99))
