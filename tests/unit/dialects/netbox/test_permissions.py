"""Who may do what with tokens: with and without permissions, exemptions and required logins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dialects.netbox.maker import KEY, PROVISION, TOKENS, Netbox, netbox

FORBIDDEN = "You do not have permission to perform this action."
UNKNOWN = "Authentication credentials were not provided."
NOT_FOR_OTHERS = "This user does not have permission to create tokens for other users."
EXPLICIT = {"explicit_permissions": True}
METHODS = ("GET", "POST", "PATCH", "DELETE")
OF_METHOD = dict(zip(METHODS, ("view", "add", "change", "delete"), strict=True))


@pytest.mark.parametrize("permitted", METHODS)
async def test_each_method_takes_its_permission(permitted: str):
    """None of them stands in for another; the body is not read before it is there."""
    async with netbox(EXPLICIT) as made:
        await made.allow("alice", f"users.{OF_METHOD[permitted]}_token")
        async with made.client(await made.token()) as caller:
            statuses = {
                method: (await caller.request(method, TOKENS, content=b"{")).status_code
                for method in METHODS
            }

    expected = {"GET": 200, "POST": 415, "PATCH": 415, "DELETE": 415}
    assert {**dict.fromkeys(METHODS, 403), permitted: expected[permitted]} == statuses


async def test_superusers_need_none():
    """They see and change everybody's."""
    async with netbox(EXPLICIT) as made:
        issued = await made.issued("alice")
        async with made.client(await made.token("admin")) as caller:
            answer = await caller.patch(f"{TOKENS}{issued.token_id}/", json={"description": "x"})

    assert (200, "alice") == (answer.status_code, answer.json()["user"]["username"])


@pytest.mark.parametrize(
    ("permissions", "explicit", "status"),
    [
        ((), False, 403),
        (("users.add_token",), False, 403),
        (("users.grant_token", "users.add_token"), False, 201),
        (("users.grant_token",), True, 403),
        (("users.grant_token", "users.add_token"), True, 201),
    ],
)
async def test_tokens_for_others_take_a_grant(
    permissions: tuple[str, ...], explicit: bool, status: int
):
    """Both permissions, where they are asked for."""
    async with netbox({"explicit_permissions": explicit}) as made:
        await made.allow("alice", *permissions)
        async with made.client(await made.token()) as caller:
            answer = await caller.post(TOKENS, json={"user": 3})

    assert status == answer.status_code


@pytest.mark.parametrize("user", [3, 999, {"username": "bob"}, {"username": "x"}, {"first": "x"}])
async def test_who_may_not_grant_does_not_learn_who_there_is(client: Any, user: Any):
    """The answer is the same for those who exist and those who do not."""
    answer = await client.post(TOKENS, json={"user": user})

    assert (403, {"detail": NOT_FOR_OTHERS}) == (answer.status_code, answer.json())


@pytest.mark.parametrize("user", [2, "2", {"username": "alice"}, {"id": 2}, {"username": " alice"}])
async def test_one_may_name_oneself_in_many_ways(client: Any, user: Any):
    """By number and by name."""
    answer = await client.post(TOKENS, json={"user": user})

    assert (201, "alice") == (answer.status_code, answer.json()["user"]["username"])


@pytest.mark.parametrize(
    ("rule", "who", "owner", "status"),
    [
        ("own", "alice", 2, 201),
        ("own", "admin", 1, 201),
        ("own", "admin", 2, 201),
        ("superuser", "alice", 2, 400),
        ("superuser", "admin", 2, 201),
        ("never", "alice", 2, 400),
        ("never", "admin", 1, 400),
    ],
)
async def test_keys_are_chosen_by_whom_the_config_lets(
    rule: str, who: str, owner: int, status: int
):
    """All others are told under the field."""
    settings = {"client_keys": rule}
    async with netbox(settings) as made, made.client(await made.token(who)) as caller:
        answer = await caller.post(TOKENS, json={"user": owner, "key": KEY})

    assert status == answer.status_code
    said = {"key": ["You may not choose the key of this token. Leave it out to get a random one."]}
    assert (KEY if status == 201 else said) == (
        answer.json()["key"] if status == 201 else answer.json()
    )


async def test_a_grant_does_not_choose_the_keys_of_others():
    """Whoever knows a key can be its user."""
    async with netbox() as made:
        await made.allow("alice", "users.grant_token", "users.add_token")
        async with made.client(await made.token()) as caller:
            answer = await caller.post(TOKENS, json={"user": 3, "key": KEY})

    assert (400, ["key"]) == (answer.status_code, list(answer.json()))


@pytest.mark.parametrize(
    ("contract", "exempt", "status"),
    [
        ("3.3", [], 403),
        ("3.3", ["*"], 200),
        ("3.3", ["users.token"], 200),
        ("3.3", ["users.user"], 403),
        ("4.6", ["*"], 403),
        ("4.6", ["users.token"], 200),
    ],
)
async def test_tokens_may_be_exempt_from_permissions(contract: str, exempt: list[str], status: int):
    """To whoever asks, who sees none; since 3.6 only by their name."""
    async with netbox({"contract": contract, "exempt_view": exempt}) as made:
        issued = await made.issued()
        async with made.client() as caller:
            listed = await caller.get(TOKENS)
            one = await caller.get(f"{TOKENS}{issued.token_id}/")
            post = await caller.post(TOKENS, json={})

    assert status == listed.status_code
    assert (404 if status == 200 else 403) == one.status_code
    assert (403, {"detail": UNKNOWN}) == (post.status_code, post.json())


@pytest.mark.parametrize(
    ("contract", "path", "status"),
    [
        ("3.3", "/api/", 200),
        ("3.3", "/api/users/", 200),
        ("3.3", "/api/status/", 403),
        ("4.6", "/api/", 403),
        ("4.6", "/api/users/", 403),
        ("4.6", "/api/status/", 403),
    ],
)
async def test_a_login_may_be_required(contract: str, path: str, status: int):
    """The older contract shows its maps all the same, and both let one provision."""
    settings = {"contract": contract, "login_required": True, "exempt_view": ["users.token"]}
    async with netbox(settings) as made, made.client() as caller:
        answers = [await caller.get(path), await caller.get(TOKENS)]
        options = await caller.options(TOKENS)
        login = await caller.post(PROVISION, json={"username": "alice", "password": "pw"})

    assert [status, 403] == [answer.status_code for answer in answers]
    assert (403, 201) == (options.status_code, login.status_code)


async def test_a_token_for_reading_writes_nothing(house: Netbox):
    """The methods that are not there are refused before they are missed."""
    async with house.client(await house.token(write=False)) as caller:
        answers = [
            await caller.request(method, TOKENS)
            for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE")
        ]
        read = await caller.get(TOKENS)

    assert [(403, {"detail": FORBIDDEN})] * 5 == [(a.status_code, a.json()) for a in answers]
    assert 200 == read.status_code


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "X-Y"])
async def test_other_methods_are_405(client: Any, method: str):
    """With those that there are."""
    answer = await client.request(method, TOKENS)

    said = {"detail": f'Method "{method}" not allowed.'}
    assert (405, said) == (answer.status_code, answer.json())
    assert "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS" == answer.headers["allow"]
