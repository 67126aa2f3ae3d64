"""Changing one token from many sides at once."""

from __future__ import annotations

import asyncio
import ipaddress

from service.core.amending import Change
from service.errors import TokenChanged
from service.model import Token
from tests.makers import NETBOX, Rig
from tests.race.conftest import Pair

MANY = 10
ROUNDS = 5


async def token(rig: Rig) -> Token:
    """A new token of alice."""
    made = await rig.make(policy=NETBOX)
    return next(each for each in await rig.tokens.of_owner("alice") if each.digest == made.digest)


async def test_of_many_who_saw_the_same_one_changes_it(pair: Pair):
    """On two nodes; all the others are told so, and what the one wrote stands."""
    for _ in range(ROUNDS):
        seen = await token(pair[0])

        async def change(number: int, seen: Token = seen) -> str | None:
            said = f"change {number}"
            try:
                await pair[number % 2].tokens.amend(seen, Change(description=said), exact=True)
            except TokenChanged:
                return None
            return said

        done = [said for said in await asyncio.gather(*map(change, range(MANY))) if said]

        assert [(await pair[0].tokens.get(seen.token_id)).description] == done


async def test_one_ends_what_he_saw_or_another_changes_it(pair: Pair):
    """Never both."""
    for _ in range(ROUNDS * 4):
        seen = await token(pair[0])
        done = await asyncio.gather(
            pair[0].tokens.amend(seen, Change(write=False), exact=True),
            pair[1].tokens.revoke_token(seen, exact=True),
            return_exceptions=True,
        )
        state = (await pair[0].tokens.get(seen.token_id)).state if done[1] else "revoked"

        assert 1 == done.count(None)
        assert ("live" if done[0] is None else "revoked") == state


async def test_one_ends_what_two_saw(pair: Pair):
    """The other one is told that it is not there any more as he saw it."""
    for _ in range(ROUNDS * 4):
        seen = await token(pair[0])
        done = await asyncio.gather(
            *(rig.tokens.revoke_token(seen, exact=True) for rig in pair), return_exceptions=True
        )

        assert [TokenChanged] == [type(each) for each in done if each is not None]


async def test_changes_of_different_things_stand_beside_each_other(pair: Pair):
    """Description and networks are kept in one place; whoever comes later leaves the other's."""
    home = ipaddress.ip_network("192.0.2.0/24")
    for number in range(ROUNDS * 4):
        seen = await token(pair[0])
        await asyncio.gather(
            pair[0].tokens.amend(seen, Change(description=f"change {number}")),
            pair[1].tokens.amend(seen, Change(networks=() if number % 2 else (home,))),
            pair[0].tokens.amend(seen, Change(enabled=False)),
        )
        found = await pair[1].tokens.get(seen.token_id)

        assert (f"change {number}", False) == (found.description, found.enabled)
        assert (() if number % 2 else (home,)) == found.networks
