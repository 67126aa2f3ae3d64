"""Labels: one token for each of a user's, and what may be one."""

from __future__ import annotations

from typing import Any

import pytest

from service.dialects.puppet import texts
from tests.unit.dialects.puppet.maker import LOGIN, Puppet, puppet, refused

BOB = {"login": "bob", "password": "secret"}


async def test_a_label_that_lives_gives_its_token_again(house: Puppet, anybody: Any):
    """The same text; another lifetime does not prolong it."""
    wish = {**BOB, "label": "ws", "lifetime": "4m"}
    first = (await anybody.post(LOGIN, json=wish)).json()["token"]

    again = await anybody.post(LOGIN, json={**wish, "label": " ws ", "lifetime": "2d"})

    assert (200, first) == (again.status_code, again.json()["token"])
    token = await house.record(first)
    assert 240_000 == token.expires_ms - token.created_ms
    assert 1 == len(await house.live())


async def test_the_password_comes_before_the_label(house: Puppet, anybody: Any):
    """Who does not know it gets neither the token nor to know of it (CVE-2017-2297)."""
    first = (await anybody.post(LOGIN, json={**BOB, "label": "ws"})).json()["token"]

    wrong = await anybody.post(LOGIN, json={"login": "bob", "password": "x", "label": "ws"})

    assert (401, texts.UNAUTHENTICATED) == refused(wrong)
    assert first not in wrong.text


@pytest.mark.parametrize("label", ["x" * 200, "ü" * 200, "a b", "  " + "x" * 200 + "  "])
async def test_a_label_has_up_to_two_hundred_characters(house: Puppet, anybody: Any, label: str):
    """Counted after trimming."""
    answer = await anybody.post(LOGIN, json={**BOB, "label": label})

    assert label.strip() == (await house.record(answer.json()["token"])).label


async def test_two_users_may_share_a_label(anybody: Any):
    """Labels are unique for one user only."""
    wishes = [{"login": name, "password": "secret", "label": "ws"} for name in ("bob", "carol")]

    tokens = {(await anybody.post(LOGIN, json=wish)).json()["token"] for wish in wishes}

    assert 2 == len(tokens)


async def test_a_label_is_free_again_when_its_token_is_dead(house: Puppet, anybody: Any):
    """Revoked by text here; a fresh token takes its place."""
    wish = {**BOB, "label": "ws"}
    first = (await anybody.post(LOGIN, json=wish)).json()["token"]
    await house.house.tokens.revoke(first.encode())

    second = (await anybody.post(LOGIN, json=wish)).json()["token"]

    assert first != second
    assert (False, True) == (await house.passes(first), await house.passes(second))


async def test_a_label_is_free_again_when_its_token_has_expired(house: Puppet, anybody: Any):
    """The old one is still kept, and is not prolonged."""
    old = await house.token(label="ws", end_ms=1_000_000_000_000)

    new = (await anybody.post(LOGIN, json={**BOB, "label": "ws"})).json()["token"]

    assert old != new
    assert (False, True) == (await house.passes(old), await house.passes(new))


async def test_a_label_is_free_again_when_its_user_was_revoked(house: Puppet, anybody: Any):
    """Reinstated he gets a fresh token for it, whether the old one was tidied away or not."""
    for tidied in (False, True):
        old = (await anybody.post(LOGIN, json={**BOB, "label": "ws"})).json()["token"]
        await house.house.users.owners.change("bob", {}, state="d", mark=True)
        if tidied:
            await house.house.tokens.store.bury_all("bob")
        await house.house.users.enable("bob")

        new = (await anybody.post(LOGIN, json={**BOB, "label": "ws"})).json()["token"]

        assert old != new
        assert (False, True) == (await house.passes(old), await house.passes(new))


async def test_a_token_of_another_api_is_not_shown_for_its_label(house: Puppet, anybody: Any):
    """Its label is taken all the same."""
    other = await house.token(policy="netbox", label="ws")

    answer = await anybody.post(LOGIN, json={**BOB, "label": "ws"})

    assert (409, texts.CONFLICT) == refused(answer)
    assert other not in answer.text
    assert await house.passes(other)


async def test_a_label_can_be_made_a_conflict():
    """As the documents can be read, too; with the right password only."""
    async with (
        puppet(policy={"puppet": {"label_conflict": "reject"}}) as house,
        house.client() as anybody,
    ):
        wish = {**BOB, "label": "ws"}
        first = await anybody.post(LOGIN, json=wish)
        second = await anybody.post(LOGIN, json=wish)
        wrong = await anybody.post(LOGIN, json={**wish, "password": "x"})

        assert 200 == first.status_code
        assert (409, texts.CONFLICT) == refused(second)
        assert "There was a database conflict due to the value(s): ws" == second.json()["msg"]
        assert first.json()["token"] not in second.text
        assert (401, texts.UNAUTHENTICATED) == refused(wrong)
