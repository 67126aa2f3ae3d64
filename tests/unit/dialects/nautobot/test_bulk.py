"""Many tokens at once: all or none, and never another's."""

from __future__ import annotations

from typing import Any

import pytest

from service.core.maker import BATCH
from service.dialects.nautobot import texts
from service.dialects.nautobot.bulk import MOST
from service.errors import WriteLost
from tests.unit.dialects.nautobot.maker import KEY, NOBODYS, TOKENS, Nautobot, nautobot


async def ids(client: Any) -> list[str]:
    """The ids of every token of *client*'s user."""
    return [token["id"] for token in (await client.get(TOKENS)).json()["results"]]


async def test_a_taken_key_undoes_the_whole_list(house: Nautobot, bob: Any, key: str):
    """The error stands where the fault is, and what was made before it is gone."""
    wanted = [{}, {"key": key}, {}]
    response = await bob.post(TOKENS, json=wanted)

    assert 400 == response.status_code
    assert [{}, {"key": [texts.KEY_TAKEN]}, {}] == response.json()
    assert {key} == await house.keys()


async def test_one_key_twice_is_refused_before_anything_is_made(
    house: Nautobot, bob: Any, key: str
):
    """The product breaks here."""
    response = await bob.post(TOKENS, json=[{"key": KEY}, {"key": KEY}])

    assert (400, [{}, {"key": [texts.KEY_TAKEN]}]) == (response.status_code, response.json())
    assert {key} == await house.keys()


async def test_too_many_tokens_undo_the_whole_list():
    """When the limit is reached half-way."""
    async with nautobot(policy={"nautobot": {"max_tokens": 3}}) as made:
        key = await made.token()
        async with made.client(key) as client:
            response = await client.post(TOKENS, json=[{}, {}, {}])
        left = await made.keys()

    assert (400, {key}) == (response.status_code, left)


async def test_a_store_that_goes_away_half_way_is_503(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """And what was made is taken back."""
    issue = house.house.tokens.store.issue_all

    async def lose_second(news: Any) -> Any:
        made = await issue(news)
        if len(await house.keys()) > BATCH + 1:
            raise WriteLost("timeout")
        return made

    monkeypatch.setattr(house.house.tokens.store, "issue_all", lose_second)
    response = await bob.post(TOKENS, json=[{}] * (BATCH + 2))
    before = len(await house.keys())
    await house.house.tokens.settle()

    assert (503, BATCH + 3) == (response.status_code, before)
    assert 1 == len(await house.keys())


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_list_has_a_bound(bob: Any, method: str):
    """A body of the largest size would make thousands of tokens."""
    response = await bob.request(method, TOKENS, json=[{}] * (MOST + 1))

    assert 400 == response.status_code
    assert {"non_field_errors": [texts.TOO_MANY.format(MOST)]} == response.json()


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_fault_changes_nothing(bob: Any, method: str):
    """Not even what comes before it."""
    await bob.post(TOKENS, json=[{}, {}])
    names = await ids(bob)
    faults = [{"id": name, "description": "new"} for name in names[:2]]
    faults.append({"id": names[2], "write_enabled": "perhaps"})
    response = await bob.request(method, TOKENS, json=faults)
    page = (await bob.get(TOKENS)).json()

    assert (400, {"write_enabled": ["Must be a valid boolean."]}) == (
        response.status_code,
        response.json(),
    )
    assert {""} == {token["description"] for token in page["results"]}


async def test_changes_are_answered_in_their_order(bob: Any):
    """What cannot be seen is left out."""
    await bob.post(TOKENS, json=[{}, {}])
    names = await ids(bob)
    wanted = [{"id": name, "description": name} for name in (names[2], NOBODYS, names[0])]
    response = await bob.patch(TOKENS, json=wanted)

    assert [names[2], names[0]] == [token["id"] for token in response.json()]
    assert [names[2], names[0]] == [token["description"] for token in response.json()]


async def test_a_token_deleted_meanwhile_is_left_out(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """Between the look and the change."""
    await bob.post(TOKENS, json={})
    names = await ids(bob)
    amend = house.house.tokens.amend

    async def revoke_first(token: Any, change: Any) -> None:
        if change.description == "late":
            await house.house.tokens.revoke_id(token.token_id)
        await amend(token, change)

    monkeypatch.setattr(house.house.tokens, "amend", revoke_first)
    wanted = [
        {"id": names[1], "description": "late"},
        {"id": names[0], "description": "in time"},
    ]
    response = await bob.patch(TOKENS, json=wanted)

    assert [names[0]] == [token["id"] for token in response.json()]


async def test_others_tokens_are_left_alone(house: Nautobot, bob: Any):
    """Whoever names them, and whatever he is."""
    key = await house.token("alice")
    async with house.client(key) as alice:
        names = [{"id": name} for name in await ids(bob)]
        deleted = await alice.request("DELETE", TOKENS, json=names)
        changed = await alice.patch(TOKENS, json=[{**names[0], "description": "x"}])

    assert (204, 200, []) == (deleted.status_code, changed.status_code, changed.json())
    assert 1 == len(await house.keys("bob"))


async def test_options_of_the_list(house: Nautobot, bob: Any):
    """POST and PUT, in this order."""
    body = (await bob.options(TOKENS)).json()

    assert ["POST", "PUT"] == list(body["actions"])
