"""Somebody's tokens: which, in what order, a part of them."""

from __future__ import annotations

from typing import Any

import pytest

from service.core.ids import to_uuid
from service.dialects.puppet import texts
from tests.unit.dialects.puppet.maker import CONSOLE, NOBODYS, USERS, Puppet, puppet, refused

KEYS = {
    "id",
    "creation_date",
    "expiration_date",
    "last_active_date",
    "client",
    "description",
    "session_timeout",
    "label",
}


async def listed(house: Puppet, client: Any, name: str = "bob", **query: object) -> Any:
    """The tokens of the user *name* as *client* sees them."""
    return await client.get(f"{USERS}/{await house.sid(name)}/tokens", params=query)


async def labels(house: Puppet, client: Any, **query: object) -> list[str]:
    """The labels of bob's tokens in the order of the list."""
    answer = await listed(house, client, **query)
    assert 200 == answer.status_code, answer.text
    return [item["label"] for item in answer.json()["items"] if item["label"]]


@pytest.fixture
async def three(house: Puppet) -> Puppet:
    """bob has three more tokens, labelled b, c and a, which end in the order c, a, b."""
    for label, minutes, client in (("b", 30, "y"), ("c", 10, "z"), ("a", 20, "x")):
        await house.token(label=label, lifetime_ms=minutes * 60_000, client=client)
    return house


async def test_a_token_is_shown_without_its_text(house: Puppet, bob: Any):
    """With the id by which it is revoked."""
    text = await house.token(label="l", description="d", client="c")
    record, born = await house.record(text), await house.house.tokens.born()

    answer = await listed(house, bob)
    (item,) = [each for each in answer.json()["items"] if each["label"]]

    assert KEYS == set(item)
    assert (str(to_uuid(record.token_id, born)), "l", "d", "c", None) == (
        item["id"],
        item["label"],
        item["description"],
        item["client"],
        item["session_timeout"],
    )
    assert item["creation_date"] == item["last_active_date"] < item["expiration_date"]
    assert text not in answer.text
    assert {
        "limit": None,
        "offset": 0,
        "order_by": "creation_date",
        "order": "asc",
        "total": 2,
    } == (answer.json()["pagination"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "bca"),
        ({"order": "desc"}, "acb"),
        ({"order_by": "creation_date"}, "bca"),
        ({"order_by": "expiration_date"}, "cab"),
        ({"order_by": "expiration_date", "order": "desc"}, "bac"),
        ({"order_by": "client"}, "abc"),
        ({"order_by": "client", "order": "desc"}, "cba"),
        ({"order_by": "last_active_date"}, "bca"),
        ({"order_by": "client", "limit": 2, "offset": 1}, "ab"),
    ],
)
async def test_a_list_is_in_the_order_that_was_asked_for(
    three: Puppet, bob: Any, query: dict[str, object], expected: str
):
    """Ascending by creation where nobody says otherwise; who has no client comes first."""
    found = await labels(three, bob, **query)

    # The token that bob sends has no label and ends last.
    assert list(expected) == found


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"limit": 0}, 0),
        ({"limit": 2}, 2),
        ({"limit": 20}, 4),
        ({"offset": 3}, 1),
        ({"offset": 4}, 0),
        ({"limit": 2, "offset": 3}, 1),
        ({"limit": 2, "order_by": "client"}, 2),
        ({"offset": 9, "order_by": "client"}, 0),
    ],
)
async def test_a_part_of_a_list_knows_the_whole(
    three: Puppet, bob: Any, query: dict[str, int], count: int
):
    """The total is what there is without limit and offset, which are said back."""
    body = (await listed(three, bob, **query)).json()

    assert (count, 4) == (len(body["items"]), body["pagination"]["total"])
    assert (query.get("limit"), query.get("offset", 0)) == (
        body["pagination"]["limit"],
        body["pagination"]["offset"],
    )


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "x"},
        {"limit": ""},
        {"limit": "٣"},
        {"limit": "9" * 20},
        {"offset": "-1"},
        {"offset": "1.5"},
        {"order_by": "label"},
        {"order_by": ""},
        {"order": "up"},
    ],
)
async def test_a_query_that_means_nothing_is_refused(
    house: Puppet, bob: Any, query: dict[str, str]
):
    """Rather than answered with another list."""
    assert (400, texts.MALFORMED) == refused(await listed(house, bob, **query))


async def test_only_tokens_of_this_kind_that_are_not_revoked_are_listed(house: Puppet, alice: Any):
    """Expired ones are while they are kept; other products list their own."""
    await house.token("carol", policy="netbox", label="netbox")
    dead = await house.token("carol", label="dead")
    await house.house.tokens.revoke(dead.encode())
    await house.token("carol", label="late", end_ms=1_000_000_000_000)
    await house.token("carol", label="live")

    body = (await listed(house, alice, "carol")).json()

    assert ["late", "live"] == [item["label"] for item in body["items"]]
    assert 2 == body["pagination"]["total"]


async def test_others_lists_are_for_superusers(house: Puppet, bob: Any, alice: Any):
    """Anybody else does not learn who there is."""
    assert (403, texts.DENIED) == refused(await listed(house, bob, "carol"))
    assert (403, texts.DENIED) == refused(await bob.get(f"{USERS}/{NOBODYS}/tokens"))
    assert (404, texts.NOT_FOUND) == refused(await alice.get(f"{USERS}/{NOBODYS}/tokens"))
    assert (400, texts.INVALID_UUID) == refused(await alice.get(f"{USERS}/current/tokens"))
    assert 200 == (await listed(house, alice, "carol")).status_code


async def test_api_user_has_none():
    """Not even where somebody is called so."""
    sections = {"dialects": {"puppet": {"cert_allowlist": [CONSOLE]}}}
    async with puppet(**sections) as house, house.client(cert=CONSOLE) as console:
        await house.house.users.add("api_user", "secret")
        await house.token("api_user")
        body = (await console.get(f"{USERS}/{texts.API_USER_ID}/tokens")).json()

    assert ([], 0) == (body["items"], body["pagination"]["total"])
