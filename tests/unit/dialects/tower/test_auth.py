"""Protected paths tell who is asking from who is not, in Tower's words."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.core.tokens import Wish
from service.dialects.tower.texts import REFUSED
from service.model import Verdict, Word
from tests.unit.dialects.tower.maker import Tower, tower

ME = "/api/v2/me/"
BASIC = 'Basic realm="api"'
NONE = "Authentication credentials were not provided."
IDLE_MS = 30 * 60_000
"""How long a token lasts that nobody uses, by default."""


@pytest.fixture
async def no_basic() -> AsyncIterator[Tower]:
    """A Tower that takes no names and passwords."""
    async with tower(dialects={"tower": {"auth_basic": False}}) as made:
        yield made


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Token {}"},
        {"Authorization": "token   {}"},
        {"X-Auth-Token": "Token {}"},
        {"X-Auth-Token": "Token {}", "Authorization": "Basic bm9ib2R5Om5vcGU="},
        {"X-Auth-Token": "Token {}", "Authorization": "Token bad", "Cookie": "token=bad"},
        {"X-Auth-Token": "{}", "Authorization": "Token {}"},
        {"Cookie": "a=b; token=%22{}%22"},
        {"Cookie": "token={}"},
        {"Cookie": "token={}", "Authorization": "Bearer x"},
    ],
)
async def test_a_token_is_taken_from_all_of_its_places(
    house: Tower, client: Any, version: str, headers: dict[str, str]
):
    """A token of either version opens both."""
    token = await house.login("bob")
    sent = {name: text.format(token) for name, text in headers.items()}
    response = await client.get(f"/api/{version}/me/", headers=sent)

    assert 200 == response.status_code
    assert "bob" == response.json()["results"][0]["username"]


@pytest.mark.parametrize(
    ("headers", "basic", "without", "detail"),
    [
        ({}, (401, BASIC), (403, None), NONE),
        ({"Authorization": "Bearer x"}, (401, BASIC), (403, None), NONE),
        ({"X-Auth-Token": "bare"}, (401, BASIC), (403, None), NONE),
        ({"Cookie": "token=bad"}, (401, BASIC), (403, None), "Invalid token"),
        ({"Authorization": "Token bad"}, (401, "Token"), (401, "Token"), "Invalid token"),
        ({"Authorization": "token bad"}, (401, BASIC), (403, None), "Invalid token"),
        ({"X-Auth-Token": "Token bad"}, (401, BASIC), (403, None), "Invalid token"),
        (
            {"X-Auth-Token": "Token bad", "Authorization": "Token {}"},
            (401, "Token"),
            (401, "Token"),
            "Invalid token",
        ),
        (
            {"Authorization": "Token"},
            (401, "Token"),
            (401, "Token"),
            "Invalid token header. No credentials provided.",
        ),
        (
            {"Authorization": "Token {} {}"},
            (401, "Token"),
            (401, "Token"),
            "Invalid token header. Token string should not contain spaces.",
        ),
    ],
)
async def test_who_is_not_known_is_challenged_or_forbidden(
    house: Tower,
    no_basic: Tower,
    headers: dict[str, str],
    *,
    basic: tuple[int, str | None],
    without: tuple[int, str | None],
    detail: str,
):
    """The text is the same with and without Basic; status and challenge are not."""
    for made, expected in ((house, basic), (no_basic, without)):
        token = await made.login()
        sent = {name: text.replace("{}", token) for name, text in headers.items()}
        async with made.client() as client:
            response = await client.get(ME, headers=sent)

        assert expected == (response.status_code, response.headers.get("www-authenticate"))
        assert {"detail": detail} == response.json()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["me/", "config/", "users/", "users/1/"])
async def test_who_is_not_known_learns_nothing_by_any_method(client: Any, method: str, path: str):
    """Who is asking comes before what is asked for and how it should look."""
    headers = {"Accept": "application/xml"}
    response = await client.request(method, f"/api/v2/{path}?format=odd", headers=headers)

    assert (401, {"detail": NONE}) == (response.status_code, response.json())


@pytest.mark.parametrize("other", [{"address": "192.0.2.2"}, {"agent": "Agent"}])
async def test_a_token_in_other_hands_is_invalid(house: Tower, other: dict[str, str]):
    """Another address or agent is told what a token that never was is told."""
    token = await house.login()
    async with house.client(**other) as client:
        response = await client.get(ME, headers={"Authorization": f"Token {token}"})

    assert (401, {"detail": "Invalid token"}) == (response.status_code, response.json())


async def test_no_agent_is_an_empty_agent(house: Tower):
    """A client that sends no User-Agent may send an empty one later."""
    token = await house.login(agent="")
    async with house.client() as client:
        del client.headers["User-Agent"]
        response = await client.get(ME, headers={"Authorization": f"Token {token}"})

    assert 200 == response.status_code


async def test_a_token_that_was_not_used_is_expired(house: Tower, client: Any):
    """It is told apart from one that never was, and a login does not revive it."""
    token = await house.login()
    await house.age(IDLE_MS)
    response = await client.get(ME, headers={"Authorization": f"Token {token}"})

    assert (401, {"detail": "Token is expired"}) == (response.status_code, response.json())
    assert token != await house.login()


@pytest.mark.parametrize("path", [ME, "/api/v2/users/99/", "/api/v2/users/?page=9"])
async def test_every_use_prolongs_a_token(house: Tower, client: Any, path: str):
    """Also one that the resource then refuses."""
    headers = {"Authorization": f"Token {await house.login()}"}
    whole = await house.age()
    for _ in range(3):
        aged = await house.age(IDLE_MS * 2 // 3)
        await client.get(path, headers=headers)

        assert aged < whole - IDLE_MS // 2 < await house.age()
    assert 200 == (await client.get(ME, headers=headers)).status_code


async def test_tokens_rest_while_their_user_is_disabled(house: Tower, client: Any):
    """They work again when he is enabled."""
    headers = {"Authorization": f"Token {await house.login('bob')}"}
    await house.house.users.disable("bob")
    response = await client.get(ME, headers=headers)
    await house.house.users.enable("bob")

    detail = {"detail": "User inactive or deleted"}
    assert (401, detail) == (response.status_code, response.json())
    assert 200 == (await client.get(ME, headers=headers)).status_code


async def test_tokens_of_a_deleted_user_are_invalid(house: Tower, client: Any):
    """Nobody learns that there was such a user."""
    headers = {"Authorization": f"Token {await house.login('bob')}"}
    await house.house.users.delete("bob")
    response = await client.get(ME, headers=headers)

    assert (401, {"detail": "Invalid token"}) == (response.status_code, response.json())


async def test_a_user_who_goes_between_two_looks_is_invalid(
    house: Tower, client: Any, monkeypatch: Any
):
    """A verdict about a user who is gone a moment later lets nobody in."""

    async def gone(*_: Any, **__: Any) -> Verdict:
        return Verdict(word=Word.OK, owner="carol")

    monkeypatch.setattr(house.house.tokens, "verify", gone)
    response = await client.get(ME, headers={"Authorization": "Token x"})

    assert (401, {"detail": "Invalid token"}) == (response.status_code, response.json())


async def test_a_changed_password_keeps_tokens(house: Tower, client: Any):
    """As in the product."""
    headers = {"Authorization": f"Token {await house.login('bob')}"}
    await house.house.users.set_password("bob", "new")

    assert 200 == (await client.get(ME, headers=headers)).status_code


@pytest.mark.parametrize("word", REFUSED)
async def test_every_verdict_has_its_text(house: Tower, client: Any, monkeypatch: Any, word: Word):
    """Whatever verify refuses with is 401 in Tower's words."""

    async def refuse(*_: Any, **__: Any) -> Verdict:
        return Verdict(word=word)

    monkeypatch.setattr(house.house.tokens, "verify", refuse)
    response = await client.get(ME, headers={"Authorization": "Token x"})

    assert (401, {"detail": REFUSED[word]}) == (response.status_code, response.json())


async def test_a_token_of_another_policy_works_here(house: Tower, client: Any):
    """A token that is bound to nothing opens Tower's resources from anywhere."""
    wish = Wish(owner="bob", policy=house.house.policies["netbox"])
    token = (await house.house.tokens.issue(wish)).text
    response = await client.get(ME, headers={"Authorization": f"Token {token}"})

    assert 200 == response.status_code


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("HEAD", 200), ("OPTIONS", 200), ("POST", 403)]
)
async def test_a_token_for_reading_cannot_write(
    house: Tower, client: Any, method: str, status: int
):
    """What is not GET, HEAD or OPTIONS counts as a write."""
    wish = Wish(owner="bob", policy=house.house.policies["netbox"], write=False)
    token = (await house.house.tokens.issue(wish)).text
    response = await client.request(method, ME, headers={"Authorization": f"Token {token}"})

    assert status == response.status_code
    if status == 403:
        detail = "You do not have permission to perform this action."
        assert {"detail": detail} == response.json()


async def test_a_name_and_password_may_stand_in_for_a_token(client: Any):
    """By HTTP Basic, from any agent."""
    response = await client.get(ME, auth=("bob", "pw"))

    assert "bob" == response.json()["results"][0]["username"]


@pytest.mark.parametrize("auth", [("bob", "no"), ("nobody", "pw"), ("bob", " pw"), ("", "")])
async def test_a_wrong_password_by_basic_is_401(client: Any, auth: tuple[str, str]):
    """Blanks are not trimmed here."""
    response = await client.get(ME, auth=auth)

    assert (401, BASIC) == (response.status_code, response.headers["www-authenticate"])
    assert {"detail": "Invalid username/password."} == response.json()


async def test_basic_is_not_read_where_it_is_off(no_basic: Tower):
    """The right password is no credential then."""
    async with no_basic.client() as client:
        response = await client.get(ME, auth=("bob", "pw"))

    assert (403, {"detail": NONE}) == (response.status_code, response.json())


async def test_guessing_by_basic_is_slowed_down_and_written_down(
    caplog: pytest.LogCaptureFixture,
):
    """It counts as a login, and no line has the password."""
    caplog.set_level(logging.DEBUG)
    async with tower(login={"attempts": 1}) as made, made.client() as client:
        statuses = [(await client.get(ME, auth=("bob", "hunter2"))).status_code for _ in "12"]

    assert [401, 429] == statuses
    assert "login failed for user bob from 192.0.2.1 (TooManyAttempts)" in caplog.messages
    assert "hunter2" not in caplog.text
