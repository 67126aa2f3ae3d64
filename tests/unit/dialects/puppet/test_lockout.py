"""Too many wrong passwords: a delay, or the revoked user of the vendor."""

from __future__ import annotations

from typing import Any

from service.dialects.puppet import texts
from tests.unit.dialects.puppet.maker import LOGIN, Puppet, puppet, refused

BOB = {"login": "bob", "password": "secret"}


async def guesses(client: Any, count: int, name: str = "bob") -> list[tuple[int, str]]:
    """What that many wrong passwords are answered with."""
    wrong = {"login": name, "password": "wrong"}
    return [refused(await client.post(LOGIN, json=wrong)) for _ in range(count)]


async def test_too_many_guesses_read_like_a_lock_out_and_touch_nothing(house: Puppet, anybody: Any):
    """The user is not revoked, and his tokens pass everywhere."""
    tokens = [await house.token(), await house.token(policy="netbox")]

    found = await guesses(anybody, 10)
    right = await anybody.post(LOGIN, json=BOB)

    assert [(401, texts.UNAUTHENTICATED)] * 10 == found
    assert (401, texts.REVOKED_USER) == refused(right)
    wait = right.headers["retry-after"]
    assert 1 <= int(wait) <= 30
    assert right.json()["msg"].endswith(f" Try again in {wait} seconds.")
    assert (await house.house.users.get("bob")).active
    assert [True, True] == [await house.passes(token) for token in tokens]


async def test_the_owner_gets_in_from_elsewhere_under_a_delay(house: Puppet, anybody: Any):
    """An address that has not guessed is let through."""
    await guesses(anybody, 10)

    async with house.client(address="192.0.2.77") as elsewhere:
        assert 200 == (await elsewhere.post(LOGIN, json=BOB)).status_code


REVOKING = {"puppet_lockout": "revoke"}


async def test_too_many_guesses_can_revoke_the_user_as_the_vendor_does():
    """With every token in every dialect; nine do not, and another account is another account."""
    async with puppet(login=REVOKING) as house, house.client() as anybody:
        tokens = [await house.token(), await house.token(policy="netbox")]
        nine = await guesses(anybody, 9)
        assert (await house.house.users.get("bob")).active

        tenth = await guesses(anybody, 1)

        assert [(401, texts.UNAUTHENTICATED)] * 10 == nine + tenth
        assert not (await house.house.users.get("bob")).active
        assert [False, False] == [await house.passes(token) for token in tokens]
        assert (await house.house.users.get("carol")).active
        await house.house.users.enable("bob")
        assert [False, False] == [await house.passes(token) for token in tokens]


async def test_one_address_that_tries_many_accounts_revokes_nobody():
    """It runs out of its own guesses."""
    async with puppet(login=REVOKING) as house, house.client() as anybody:
        for name in ("alice", "carol", "bob"):
            await guesses(anybody, 4, name)

        assert all(user.active for user in await house.house.users.all())


async def test_right_passwords_lock_nobody_out():
    """However many there are between wrong ones."""
    async with puppet(login=REVOKING) as house, house.client() as anybody:
        for _ in range(9):
            await guesses(anybody, 1)
            assert 200 == (await anybody.post(LOGIN, json=BOB)).status_code

        assert (await house.house.users.get("bob")).active


async def test_a_name_that_nobody_has_is_locked_out_like_any_other():
    """Nobody can tell them apart by it."""
    async with puppet(login=REVOKING) as house, house.client() as anybody:
        found = await guesses(anybody, 11, "nobody")

        assert [(401, texts.UNAUTHENTICATED)] * 10 + [(401, texts.REVOKED_USER)] == found
        assert 3 == len(await house.house.users.all())
