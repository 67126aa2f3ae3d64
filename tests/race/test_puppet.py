"""Labels, revoked users and lock-outs at the same moment on two nodes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from service.core.making import PasswordChanged
from service.errors import BadCredentials, DisabledLogin, LabelTaken
from service.model import Issued, Word
from service.store.keys import shard_of
from tests.makers import AWAY, HOME, MINUTE, NETBOX, PUPPET, Rig, wish
from tests.race.conftest import Pair
from tests.race.test_revoke import commands, plant
from tests.servers import Server

MANY = 10_000


async def login(rig: Rig, password: str = "right", **changes: object) -> Issued:
    """A token with the label ``ws`` for alice's password."""
    wanted = {"policy": PUPPET, "label": "ws", "conflict": "reuse", **changes}
    return await rig.logins.issue(wish("alice", **wanted), password, address=HOME)


async def passes(rig: Rig, issued: Issued) -> bool:
    """Whether a token is accepted."""
    text = issued.text.encode()
    verdict = await rig.tokens.verify(text, address=HOME, agent=bytes(16), write=True)
    return verdict.allowed


async def test_fifty_logins_with_one_label_are_one_token(pair: Pair):
    """One of them made it, and all of them hold the same text."""
    found = await asyncio.gather(*(login(pair[n % 2]) for n in range(50)))

    assert 1 == len({issued.text for issued in found})
    assert 1 == [issued.reused for issued in found].count(False)
    assert 1 == await pair[0].run(b"ZCARD", pair[0].index("alice"))


async def test_fifty_logins_with_one_label_are_one_token_that_slides(pair: Pair):
    """Also when it has to end before it can be idle for long, at first or by now."""
    nodes = [rig.node(replace(PUPPET, idle_ms=30 * MINUTE)) for rig in pair]
    for left in (60, 4):
        changes = {
            "policy": nodes[0].policies[0],
            "label": f"l{left}",
            "lifetime_ms": left * MINUTE,
        }
        found = await asyncio.gather(*(login(nodes[n % 2], **changes) for n in range(50)))
        (made,) = [issued for issued in found if not issued.reused]
        for end_ms in (made.expires_ms, made.created_ms + 3 * MINUTE):
            token = await pair[0].records.by_name("alice", f"label:l{left}".encode())
            assert token is not None
            await pair[0].edit(pair[0].made(token), end_ms=end_ms)
            found += await asyncio.gather(*(login(nodes[n % 2], **changes) for n in range(50)))

        assert {made.text} == {issued.text for issued in found}
        assert max(made.expires_ms, made.created_ms + left * MINUTE) >= found[-1].expires_ms


async def test_fifty_logins_where_the_key_of_a_label_is_gone_are_one_new_token(pair: Pair):
    """The old one keeps its life, and loses the label once."""
    old = await login(pair[0])
    nodes = [rig.node(secrets=[b"o" * 32]) for rig in pair]

    found = await asyncio.gather(*(login(nodes[n % 2]) for n in range(50)))

    assert 1 == len({issued.text for issued in found} - {old.text})
    listed = await pair[0].records.of_owner("alice")
    assert ["ws", ""] == [token.label for token in listed]
    assert await passes(nodes[0], old)


async def test_of_fifty_logins_with_one_label_one_wins_where_that_is_a_conflict(pair: Pair):
    """The others hear of it, and nothing of theirs is left."""
    found = await asyncio.gather(
        *(login(pair[n % 2], conflict="reject") for n in range(50)), return_exceptions=True
    )

    kinds = Counter(type(each) for each in found)
    assert {Issued: 1, LabelTaken: 49} == kinds
    assert 1 == await pair[0].run(b"ZCARD", pair[0].index("alice"))


async def test_no_wrong_password_finds_the_token_of_a_label(pair: Pair):
    """However many right ones arrive beside it."""
    right = [login(pair[n % 2]) for n in range(20)]
    wrong = [login(pair[n % 2], "wrong") for n in range(5)]

    found = await asyncio.gather(*right, *wrong, return_exceptions=True)

    assert {Issued: 20, BadCredentials: 5} == Counter(type(each) for each in found)
    assert 1 == await pair[0].run(b"ZCARD", pair[0].index("alice"))


async def test_a_label_whose_token_was_revoked_gives_a_fresh_one(pair: Pair):
    """Once the revocation returned no login gets the dead token, and all get the same new one."""
    one, two = pair
    for _ in range(10):
        before = await login(one)
        await two.tokens.revoke(before.text.encode())
        after = await asyncio.gather(*(login(pair[n % 2]) for n in range(10)))

        assert 1 == len({issued.text for issued in after})
        assert before.text != after[0].text
        assert (False, True) == (await passes(one, before), await passes(two, after[0]))


async def test_logins_beside_revocations_of_their_label_end_with_one_token(pair: Pair):
    """Whatever comes first: at most one of them is alive, and it is the one of the label."""
    one, two = pair
    for _ in range(10):
        made = await asyncio.gather(
            *(login(pair[n % 2]) for n in range(10)),
            *(revoke_label(pair[n % 2]) for n in range(3)),
        )
        issued = [each for each in made if each is not None]
        live = {each.text for each in issued if await passes(two, each)}
        last = await login(one)

        assert len(live) <= 1
        assert not live or {last.text} == live


async def revoke_label(rig: Rig) -> None:
    """Revoke what has the label now, if anything has."""
    token = await rig.records.by_name("alice", b"label:ws")
    if token is not None:
        await rig.store.revoke(shard_of("alice"), token.digest)


async def test_revoking_a_user_costs_the_same_for_one_token_as_for_ten_thousand(
    pair: Pair, redis_server: Server
):
    """The same few commands, and every token is dead when they have run."""
    one, two = pair
    costs = []
    for count in (1, MANY):
        await one.users.enable("alice")
        await plant(one, count - 1)
        made = await one.make(policy=NETBOX)
        before = commands(redis_server)
        await one.users.revoke("alice")
        # The tidying behind it has not begun: nothing was awaited since.
        costs.append(commands(redis_server) - before)
        assert Word.INACTIVE == await two.word(made)
        await one.tokens.settle()
        await one.users.enable("alice")
        assert Word.REVOKED == await two.word(made)

    assert costs[0] == costs[1] < 10


async def test_no_login_in_flight_outlives_the_revocation_of_its_user(pair: Pair):
    """Once the revocation returned no token that a login made passes, reinstated or not."""
    one, two = pair
    one.guard._attempts = two.guard._attempts = 0

    for _ in range(5):
        await one.users.enable("alice")
        made = await asyncio.gather(
            *(login(pair[n % 2], label=f"l{n}") for n in range(30)),
            one.users.revoke("alice"),
            return_exceptions=True,
        )
        issued = [each for each in made if isinstance(each, Issued)]
        others = {type(each) for each in made} - {Issued, type(None)}

        assert others <= {DisabledLogin, PasswordChanged}
        assert not any([await passes(two, each) for each in issued])
        await two.users.enable("alice")
        assert not any([await passes(one, each) for each in issued])


async def test_a_password_is_replaced_by_exactly_one_of_many(pair: Pair):
    """All of them saw the same old one."""
    seen = await pair[0].users.get("alice")

    done = await asyncio.gather(
        *(pair[n % 2].users.replace_password(seen, f"password {n}") for n in range(20))
    )

    stored = (await pair[1].users.get("alice")).password
    (winner,) = [n for n, won in enumerate(done) if won]
    assert await pair[1].passwords.check("alice", stored, f"password {winner}")


@pytest.mark.parametrize("attempts", [1, 10])
async def test_of_guesses_at_once_the_last_one_uses_the_account_up(pair: Pair, attempts: int):
    """Exactly the one that is decided last, on whichever node, and none while it is not."""
    nodes = [rig.node(attempts=attempts) for rig in pair]

    async def guess(number: int) -> bool:
        with pytest.raises(BadCredentials) as refused:
            await nodes[number % 2].logins.check("alice", "wrong", address=AWAY)
        return refused.value.used_up

    found = await asyncio.gather(*(guess(number) for number in range(attempts)))

    assert 1 == found.count(True)


async def test_a_last_login_is_noted_by_any_of_many(pair: Pair):
    """In Redis's time, and nothing else of the user changes."""
    before = await pair[0].users.get("alice")

    await asyncio.gather(*(pair[n % 2].users.note_login("alice") for n in range(20)))

    after = await pair[1].users.get("alice")
    assert after.last_login_ms > 0
    assert before == replace(after, last_login_ms=0)
