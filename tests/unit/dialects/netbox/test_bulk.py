"""Lists of tokens are made, changed and deleted whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import StoreDown
from tests.unit.dialects.netbox.maker import KEY, TOKENS, Netbox, netbox

ALICE = 2
TAKEN = {"key": ["Token with this Key already exists."]}


async def count(client: Any) -> int:
    """How many tokens the caller has."""
    return (await client.get(f"{TOKENS}?limit=1")).json()["count"]


async def made(client: Any, number: int) -> list[Any]:
    """Several new tokens of alice."""
    body = [{"user": ALICE, "description": f"d{at}"} for at in range(number)]
    answer = await client.post(TOKENS, json=body)
    assert 201 == answer.status_code
    return answer.json()


async def test_faults_stand_where_they_belong(client: Any):
    """What is right has nothing said of it, and nothing is made."""
    body = [{"user": ALICE}, {"user": ALICE, "key": "x"}, "x", {"user": ALICE, "description": None}]
    answer = await client.post(TOKENS, json=body)

    assert 400 == answer.status_code
    assert [
        {},
        {"key": ["Ensure this field has at least 40 characters."]},
        {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]},
        {"description": ["This field may not be null."]},
    ] == answer.json()
    assert 1 == await count(client)


async def test_a_key_that_is_taken_undoes_what_was_made(house: Netbox, client: Any):
    """It is found out only when its turn comes."""
    taken = await house.token("bob")
    body = [{"user": ALICE}, {"user": ALICE, "key": taken}, {"user": ALICE}]
    answer = await client.post(TOKENS, json=body)

    assert (400, [{}, TAKEN, {}]) == (answer.status_code, answer.json())
    assert 1 == await count(client)


async def test_one_key_twice_is_taken_the_second_time(client: Any):
    """Nothing is made."""
    answer = await client.post(TOKENS, json=[{"user": ALICE, "key": KEY}] * 2)

    assert (400, [{}, TAKEN]) == (answer.status_code, answer.json())
    assert 1 == await count(client)


async def test_one_for_somebody_else_refuses_all(client: Any):
    """Whatever else is in the list."""
    answer = await client.post(TOKENS, json=[{"user": ALICE}, {"user": 3}])

    assert 403 == answer.status_code
    assert 1 == await count(client)


async def test_a_user_is_looked_for_once(house: Netbox, monkeypatch: Any):
    """However often a list names him; what it says is heeded in every place."""
    real, asked = house.house.users.by_id, list[int]()

    async def by_id(number: int) -> Any:
        asked.append(number)
        return await real(number)

    monkeypatch.setattr(house.house.users, "by_id", by_id)
    async with house.client(await house.token("admin")) as admin:
        made = await admin.post(TOKENS, json=[{"user": each} for each in (2, 3, 2, 1, 3)])
        lost = await admin.post(TOKENS, json=[{"user": each} for each in (9, 2, 9)])

    assert ["alice", "bob", "alice", "admin", "bob"] == [
        each["user"]["username"] for each in made.json()
    ]
    assert [["user"], [], ["user"]] == [list(each) for each in lost.json()]
    assert [2, 3, 9, 2] == asked


async def test_too_many_tokens_undo_what_was_made():
    """The limit is reached half-way."""
    settings = {"netbox": {"max_tokens": 3}}
    async with netbox(policy=settings) as house, house.client(await house.token()) as client:
        answer = await client.post(TOKENS, json=[{"user": ALICE}] * 4)
        left = await count(client)

    said = "This user already has 3 tokens. Delete one of them first."
    assert (400, {"non_field_errors": [said]}) == (answer.status_code, answer.json())
    assert 1 == left


async def test_what_was_there_before_is_not_taken_back():
    """Where the policy gives a repeated login its token again, the token outlives a fault."""
    settings = {"netbox": {"reuse": True}}
    async with netbox(policy=settings) as house, house.client(await house.token()) as client:
        taken = await house.token("bob")
        answer = await client.post(TOKENS, json=[{"user": ALICE}, {"user": ALICE, "key": taken}])
        left = await count(client)

    assert (400, [{}, TAKEN]) == (answer.status_code, answer.json())
    assert 1 == left


async def test_a_store_that_goes_away_half_way_is_503(house: Netbox, client: Any, monkeypatch: Any):
    """What was made is taken back."""
    store = house.house.tokens.store
    real, calls = store.issue_all, list[int]()

    async def issue_all(news: Any) -> Any:
        calls.append(len(news))
        if len(calls) > 1:
            raise StoreDown("timeout")
        return await real(news)

    with monkeypatch.context() as patch:
        patch.setattr(store, "issue_all", issue_all)
        answer = await client.post(TOKENS, json=[{"user": ALICE}] * 40)
    before = await count(client)
    await house.house.tokens.settle()

    assert (503, "1") == (answer.status_code, answer.headers["retry-after"])
    assert (1 + calls[0], 1) == (before, await count(client))


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_list_has_an_end(client: Any, method: str):
    """A thousand entries are enough."""
    answer = await client.request(method, TOKENS, json=[{"id": 1}] * 1001)

    said = {"non_field_errors": ["Ensure this list has no more than 1000 entries."]}
    assert (400, said) == (answer.status_code, answer.json())


@pytest.mark.parametrize("spelled", [int, str])
async def test_tokens_are_changed_together(client: Any, spelled: Any):
    """Each as its entry says; a number may be text."""
    tokens = await made(client, 2)
    body = [{"id": spelled(each["id"]), "description": f"{each['id']}!"} for each in tokens]
    answer = await client.patch(TOKENS, json=body)

    assert 200 == answer.status_code
    assert [f"{each['id']}!" for each in tokens] == [each["description"] for each in answer.json()]
    assert [each["key"] for each in tokens] == [each["key"] for each in answer.json()]


async def test_one_bad_change_changes_nothing(client: Any):
    """Its faults are all that is said."""
    first, second = await made(client, 2)
    body = [
        {"id": first["id"], "description": "changed"},
        {"id": second["id"], "expires": "tomorrow"},
    ]
    answer = await client.patch(TOKENS, json=body)
    seen = (await client.get(first["url"])).json()

    assert (400, ["expires"]) == (answer.status_code, list(answer.json()))
    assert "d0" == seen["description"]


async def test_to_put_takes_a_user_for_each(client: Any):
    """And takes networks away that are not named."""
    (token,) = await made(client, 1)
    await client.patch(token["url"], json={"allowed_ips": ["10.0.0.0/8"]})
    without = await client.put(TOKENS, json=[{"id": token["id"]}])
    put = await client.put(TOKENS, json=[{"id": token["id"], "user": ALICE}])

    assert (400, {"user": ["This field is required."]}) == (without.status_code, without.json())
    assert [[]] == [each["allowed_ips"] for each in put.json()]


async def test_a_token_deleted_meanwhile_is_left_out(house: Netbox, client: Any, monkeypatch: Any):
    """The others are changed."""
    first, second = await made(client, 2)
    real = house.house.tokens.amend

    async def amend(token: Any, change: Any, **how: Any) -> None:
        await house.house.tokens.revoke(first["key"].encode())
        await real(token, change, **how)

    monkeypatch.setattr(house.house.tokens, "amend", amend)
    body = [{"id": each["id"], "description": "x"} for each in (first, second)]
    answer = await client.patch(TOKENS, json=body)

    assert [second["id"]] == [each["id"] for each in answer.json()]


async def test_tokens_are_deleted_together(client: Any):
    """Those that are not there do not matter, nor do those of others."""
    tokens = await made(client, 2)
    body = [{"id": each["id"]} for each in tokens] + [{"id": 999}, {"id": tokens[0]["id"]}]
    answer = await client.request("DELETE", TOKENS, json=body)

    assert (204, b"") == (answer.status_code, answer.content)
    assert 1 == await count(client)
