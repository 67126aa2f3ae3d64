"""One may look at oneself, and at everybody with a permission for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dialects.netbox.maker import HOST, USERS, Netbox, netbox

EXPLICIT = {"explicit_permissions": True}


async def test_a_user_has_the_members_of_the_product(client: Any):
    """Nothing of them is secret."""
    answer = await client.get(f"{USERS}2/")
    body = answer.json()
    joined = body.pop("date_joined")

    assert joined.endswith("Z")
    assert {
        "id": 2,
        "url": f"{HOST}{USERS}2/",
        "display": "alice (Alice Liddell)",
        "username": "alice",
        "first_name": "Alice",
        "last_name": "Liddell",
        "email": "",
        "is_staff": False,
        "is_active": True,
        "groups": [],
    } == body


async def test_the_newer_contract_has_others(newer: Netbox):
    """In the order of the product."""
    async with newer.client(await newer.token()) as client:
        body = (await client.get(f"{USERS}2/")).json()
        same = (await client.get("/api/authentication-check/")).json()

    assert body == same
    assert [
        "id",
        "url",
        "display_url",
        "display",
        "username",
        "first_name",
        "last_name",
        "email",
        "is_active",
        "date_joined",
        "last_login",
        "groups",
        "permissions",
    ] == list(body)


@pytest.mark.parametrize("argument", ["1", "3", "999", "x"])
async def test_others_are_not_found(client: Any, argument: str):
    """Whether they exist or not."""
    answer = await client.get(f"{USERS}{argument}/")

    assert (404, {"detail": "Not found."}) == (answer.status_code, answer.json())


async def test_the_newer_contract_names_what_is_not_found(newer: Netbox):
    """Unless it is no number."""
    async with newer.client(await newer.token()) as client:
        said = [(await client.get(f"{USERS}{each}/")).json()["detail"] for each in ("9", "x")]

    assert ["No User matches the given query.", "Not found."] == said


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["admin", "alice", "bob"]),
        ("?limit=1&offset=1", ["alice"]),
        ("?username=bob", ["bob"]),
        ("?username__ic=B", ["bob"]),
        ("?id__gte=2", ["alice", "bob"]),
        ("?first_name=Alice", ["alice"]),
        ("?last_name__empty=true", ["admin", "bob"]),
        ("?is_active=false", []),
        ("?q=LIDD", ["alice"]),
        ("?ordering=-username", ["bob", "alice", "admin"]),
        ("?bogus=1", ["admin", "alice", "bob"]),
    ],
)
async def test_superusers_choose_among_everybody(admin: Any, query: str, names: list[str]):
    """A part at a time, as with tokens."""
    body = (await admin.get(USERS + query)).json()

    assert names == [each["username"] for each in body["results"]]


async def test_brief_is_what_other_objects_show(admin: Any):
    """Four members."""
    body = (await admin.get(f"{USERS}3/?brief=1")).json()

    assert ["id", "url", "display", "username"] == list(body)


async def test_one_is_alone_in_ones_list(client: Any):
    """Without a permission for more."""
    body = (await client.get(USERS)).json()

    assert ["alice"] == [each["username"] for each in body["results"]]


@pytest.mark.parametrize(
    ("permissions", "settings", "count"),
    [
        ((), EXPLICIT, None),
        (("users.view_token",), EXPLICIT, None),
        (("users.view_user",), EXPLICIT, 3),
        (("users.view_user",), {}, 3),
        ((), {"exempt_view": ["*"]}, 1),
        ((), {"exempt_view": ["users.user"]}, 3),
        ((), {**EXPLICIT, "exempt_view": ["users.user"]}, 3),
    ],
)
async def test_everybody_is_seen_with_a_permission(
    permissions: tuple[str, ...], settings: dict[str, Any], count: int | None
):
    """Or without one, where users are exempt by name; ``*`` has never covered them."""
    async with netbox(settings) as house:
        await house.allow("alice", *permissions)
        async with house.client(await house.token()) as client:
            answer = await client.get(USERS)

    assert (200 if count else 403) == answer.status_code
    assert count == answer.json().get("count")


@pytest.mark.parametrize(
    ("settings", "get", "options"),
    [
        ({}, 403, 200),
        ({"exempt_view": ["users.user"]}, 200, 200),
        ({"exempt_view": ["users.user"], "login_required": True}, 403, 403),
    ],
)
async def test_nobody_sees_them_unless_they_are_exempt(
    settings: dict[str, Any], get: int, options: int
):
    """And unless logins are required."""
    async with netbox(settings) as house, house.client() as client:
        statuses = [(await client.request(each, USERS)).status_code for each in ("GET", "OPTIONS")]

    assert [get, options] == statuses


async def test_users_cannot_be_changed_here(client: Any, admin: Any):
    """Those who could are told that nobody can."""
    path = f"{USERS}2/"

    assert 403 == (await client.patch(path, json={})).status_code
    answer = await admin.patch(path, json={})
    assert (405, "GET, HEAD, OPTIONS") == (answer.status_code, answer.headers["allow"])
