"""Superusers see everybody; everybody else sees himself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.tower.maker import Tower

USERS = "/api/v2/users/"


@pytest.fixture
async def alice(house: Tower) -> AsyncIterator[Any]:
    """A client that is the superuser."""
    headers = {"Authorization": f"Token {await house.login('alice')}"}
    async with house.client(headers=headers) as client:
        yield client


@pytest.fixture
async def bob(house: Tower) -> AsyncIterator[Any]:
    """A client that is not."""
    headers = {"Authorization": f"Token {await house.login('bob')}"}
    async with house.client(headers=headers) as client:
        yield client


def names(response: Any) -> list[str]:
    """The names in a list of users."""
    return [user["username"] for user in response.json()["results"]]


async def test_me_is_a_list_of_one(bob: Any):
    """It has exactly what Tower's has of a user."""
    body = (await bob.get("/api/v2/me/")).json()
    (user,) = body.pop("results")

    assert {"count": 1, "next": None, "previous": None} == body
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", user.pop("created"))
    assert {
        "id": 2,
        "type": "user",
        "url": "/api/v2/users/2/",
        "related": {},
        "summary_fields": {},
        "username": "bob",
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_superuser": False,
        "is_system_auditor": False,
        "ldap_dn": "",
        "external_account": None,
        "auth": [],
    } == user


async def test_a_superuser_sees_everybody(alice: Any):
    """In the order of their numbers."""
    assert ["alice", "bob"] == names(await alice.get(USERS))


async def test_others_see_themselves(bob: Any):
    """Whatever they ask for."""
    assert ["bob"] == names(await bob.get(USERS))
    assert ["bob"] == names(await bob.get(f"{USERS}?username=bob"))
    assert [] == names(await bob.get(f"{USERS}?username=alice"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("username=bob", ["bob"]),
        ("username=nobody", []),
        ("username=", []),
        ("username=alice&id=2", []),
        ("email=alice@example.org", ["alice"]),
        ("id=2", ["bob"]),
        ("is_superuser=true", ["alice"]),
        ("is_superuser=False", ["bob"]),
        ("is_superuser=perhaps", []),
        ("page=1&order_by=username&format=json&token=x", ["alice", "bob"]),
    ],
)
async def test_users_are_selected_by_exact_values(alice: Any, query: str, expected: list[str]):
    """All filters must fit; what only orders or presents is no filter."""
    assert expected == names(await alice.get(f"{USERS}?{query}"))


async def test_a_filter_we_do_not_know_is_refused(alice: Any):
    """To ignore it would be to hand out more than was asked for."""
    response = await alice.get(f"{USERS}?username__iexact=BOB")

    detail = "User has no field named 'username__iexact'"
    assert (400, {"detail": detail}) == (response.status_code, response.json())


async def test_users_come_a_page_at_a_time(house: Tower, alice: Any):
    """The links lead to the pages around, with the rest of the query and nothing unknown."""
    for number in range(3):
        await house.house.users.add(f"user{number}", "pw")
    body = (await alice.get(f"{USERS}?page_size=2&page=2&token=secret")).json()

    assert ["user0", "user1"] == [user["username"] for user in body["results"]]
    assert 5 == body["count"]
    assert "/api/v2/users/?page=3&page_size=2" == body["next"]
    assert "/api/v2/users/?page=1&page_size=2" == body["previous"]
    assert ["user2"] == names(await alice.get(f"{USERS}?page_size=2&page=last"))
    assert 5 == len(names(await alice.get(f"{USERS}?page_size=1000")))


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("0", "That page number is less than 1"),
        ("-1", "That page number is less than 1"),
        ("2", "That page contains no results"),
        ("x", "That page number is not an integer"),
        ("9" * 30, "That page number is not an integer"),
    ],
)
async def test_a_page_that_is_not_there_is_404(alice: Any, page: str, why: str):
    """The text says what is wrong with its number."""
    response = await alice.get(f"{USERS}?page={page}")

    detail = f'Invalid page "{page}": {why}.'
    assert (404, {"detail": detail}) == (response.status_code, response.json())


@pytest.mark.parametrize("size", ["0", "-5", "x", ""])
async def test_a_page_size_that_is_none_is_the_usual_one(alice: Any, size: str):
    """As in the product."""
    assert 2 == len(names(await alice.get(f"{USERS}?page_size={size}")))


async def test_one_user_is_found_by_number(alice: Any, bob: Any):
    """Where he may be seen."""
    for client, number, name in ((alice, 1, "alice"), (alice, 2, "bob"), (bob, 2, "bob")):
        response = await client.get(f"{USERS}{number}/")

        assert (200, name) == (response.status_code, response.json()["username"])


async def test_a_user_who_may_not_be_seen_is_like_none(alice: Any, bob: Any):
    """Nobody counts users by trying numbers."""
    for client, number in ((alice, 99), (bob, 99), (bob, 1)):
        response = await client.get(f"{USERS}{number}/")

        assert (404, {"detail": "Not found."}) == (response.status_code, response.json())
