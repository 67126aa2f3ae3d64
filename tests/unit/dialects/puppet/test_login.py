"""From a name and a password to a token; labels; what is said to who fails."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from service.dialects.puppet import texts
from service.errors import Busy, StoreDown
from tests.unit.dialects.puppet.maker import (
    LOGIN,
    PUPPET,
    Puppet,
    puppet,
    refused,
)

BOB = {"login": "bob", "password": "secret"}


async def test_a_login_answers_with_a_token_and_nothing_else(house: Puppet, anybody: Any):
    """Compact and in one line, for scripts that read it with awk."""
    answer = await anybody.post(LOGIN, json=BOB)

    token = answer.json()["token"]
    assert (200, f'{{"token":"{token}"}}') == (answer.status_code, answer.text)
    assert re.fullmatch(PUPPET, token)
    assert "no-store" == answer.headers["cache-control"]
    assert await house.passes(token)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Accept": "text/html"},
        {"Accept": "*/*"},
    ],
)
async def test_neither_content_type_nor_accept_matters(anybody: Any, headers: dict[str, str]):
    """Callers leave them out or send what their library sends; answers are always JSON."""
    answer = await anybody.post(
        LOGIN, content=b'{"login":"bob","password":"secret"}', headers=headers
    )

    assert (200, texts.JSON) == (answer.status_code, answer.headers["content-type"])


async def test_null_is_absent(house: Puppet, anybody: Any):
    """Clients send it for what they were not told."""
    wish = dict.fromkeys(("lifetime", "label", "description", "client"))

    answer = await anybody.post(LOGIN, json={**BOB, **wish})

    token = await house.record(answer.json()["token"])
    assert ("", "", "", 3_600_000) == (
        token.label,
        token.description,
        token.client,
        token.expires_ms - token.created_ms,
    )


async def test_what_is_said_of_a_token_is_kept(house: Puppet, anybody: Any):
    """The label is trimmed at both ends, and only there."""
    wish = {"label": "  my token label ", "description": "for CI", "client": "PE console"}

    answer = await anybody.post(LOGIN, json={**BOB, **wish})

    token = await house.record(answer.json()["token"])
    assert ("my token label", "for CI", "PE console") == (
        token.label,
        token.description,
        token.client,
    )


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, {"login", "password"}),
        ({"login": "bob"}, {"password"}),
        ({"login": None, "password": "secret"}, {"login"}),
        ({"login": 5, "password": "secret"}, {"login"}),
        ({"login": "bob", "password": ["secret"]}, {"password"}),
        ({**BOB, "username": "bob"}, {"username"}),
        ({**BOB, "lifetime": "1h30m", "label": ","}, {"lifetime", "label"}),
        ({**BOB, "label": " \t "}, {"label"}),
        ({**BOB, "label": ""}, {"label"}),
        ({**BOB, "label": "x" * 201}, {"label"}),
        ({**BOB, "label": "a,b"}, {"label"}),
        ({**BOB, "label": "a\0b"}, {"label"}),
        ({**BOB, "label": 7}, {"label"}),
        ({**BOB, "description": "x" * 1001}, {"description"}),
        ({**BOB, "description": {}}, {"description"}),
        ({**BOB, "client": "a\0b"}, {"client"}),
    ],
)
async def test_what_does_not_fit_is_named(house: Puppet, anybody: Any, body: Any, names: set[str]):
    """Everything that is wrong at once, and no token."""
    answer = await anybody.post(LOGIN, json=body)

    assert (400, texts.SCHEMA) == refused(answer)
    assert names == set(answer.json()["details"]["error"])
    assert {"submitted", "schema", "error"} == set(answer.json()["details"])
    assert [] == await house.live()


@pytest.mark.parametrize(
    "body",
    [
        {"login": "bob", "password": "hunter2-Zaphod", "nonsense": 1},
        {"login": "bob", "Password": "hunter2-Zaphod"},
        {"login": "bob", "password": ["hunter2-Zaphod"]},
        {"login": ["hunter2-Zaphod"]},
        ["hunter2-Zaphod"],
    ],
)
async def test_no_password_is_ever_said_back(anybody: Any, body: Any):
    """Not even where its name was mistyped."""
    answer = await anybody.post(LOGIN, json=body)

    assert (400, texts.SCHEMA) == refused(answer)
    assert "Zaphod" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"login=bob", b'{"login":"bob",}', b"\xff{}"])
async def test_a_body_that_is_not_json_says_so(anybody: Any, body: bytes):
    """With what the parser found."""
    answer = await anybody.post(LOGIN, content=body)

    assert (400, texts.MALFORMED) == refused(answer)
    assert texts.NOT_JSON == answer.json()["msg"]
    assert answer.json()["details"]["error"]


@pytest.mark.parametrize("body", [b'"x"', b"5", b"[]", b"null", b'{"\\ud800":"\\ud800"}'])
async def test_json_that_is_no_such_object_is_a_violation(anybody: Any, body: bytes):
    """Whatever it is, the answer can be written."""
    assert (400, texts.SCHEMA) == refused(await anybody.post(LOGIN, content=body))


async def test_a_body_that_is_too_large_is_413(anybody: Any):
    """Also in the envelope."""
    answer = await anybody.post(LOGIN, content=b" " * 70_000)

    assert (413, texts.TOO_LARGE) == refused(answer)


async def test_a_body_in_a_coding_is_415(anybody: Any):
    """Nothing is unpacked."""
    answer = await anybody.post(LOGIN, content=b"x", headers={"Content-Encoding": "gzip"})

    assert (415, texts.UNREADABLE) == refused(answer)


@pytest.mark.parametrize(
    ("login", "password"),
    [("bob", "wrong"), ("nobody", "secret"), ("", "secret"), ("b\0b", "x"), ("x" * 300, "x")],
)
async def test_a_wrong_password_and_an_unknown_login_read_the_same(
    house: Puppet, anybody: Any, login: str, password: str
):
    """In the product's sentence."""
    answer = await anybody.post(LOGIN, json={"login": login, "password": password})

    assert (401, texts.UNAUTHENTICATED) == refused(answer)
    assert f"User {login[:200]} failed to login" == answer.json()["msg"]
    assert "www-authenticate" not in answer.headers


async def test_half_a_surrogate_pair_is_a_failed_login(anybody: Any):
    """And can be said back."""
    answer = await anybody.post(LOGIN, content=b'{"login":"\\ud800","password":"\\udfff"}')

    assert (401, texts.UNAUTHENTICATED) == refused(answer)


async def test_a_revoked_user_hears_it_only_with_the_right_password(house: Puppet, anybody: Any):
    """Nobody else learns that he is one."""
    await house.house.users.revoke("bob")

    right = await anybody.post(LOGIN, json=BOB)
    wrong = await anybody.post(LOGIN, json={**BOB, "password": "wrong"})

    assert (401, texts.REVOKED_USER) == refused(right)
    assert (401, texts.UNAUTHENTICATED) == refused(wrong)


@pytest.mark.parametrize("login", ["api_user", " api_user "])
async def test_api_user_has_no_password(anybody: Any, login: str):
    """Whatever is tried."""
    answer = await anybody.post(LOGIN, json={"login": login, "password": "x"})

    assert (401, texts.API_LOGIN) == refused(answer)


async def test_a_login_is_noted(house: Puppet, anybody: Any):
    """In the time of the store; a failed one is not."""
    await anybody.post(LOGIN, json={**BOB, "password": "wrong"})
    assert 0 == (await house.house.users.get("bob")).last_login_ms

    token = (await anybody.post(LOGIN, json={**BOB, "login": " bob "})).json()["token"]

    noted = (await house.house.users.get("bob")).last_login_ms
    assert 0 <= noted - (await house.record(token)).created_ms < 5_000


async def test_a_note_that_cannot_be_written_costs_nobody_his_token(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch
):
    """The token is made by then."""

    async def fail(_: str) -> None:
        raise StoreDown("timeout")

    monkeypatch.setattr(house.house.users, "note_login", fail)

    assert 200 == (await anybody.post(LOGIN, json=BOB)).status_code


@pytest.mark.parametrize(("error", "wait"), [(Busy(3), "3 seconds"), (StoreDown("x"), "1 second")])
async def test_what_passes_is_no_failed_login(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, wait: str
):
    """Clients take 400 and 401 for final, unless the kind says server-error."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(house.house.logins, "issue", fail)
    answer = await anybody.post(LOGIN, json=BOB)

    assert (503, "puppetlabs.rbac/server-error") == refused(answer)
    assert answer.json()["msg"].endswith(f" Try again in {wait}.")
    assert wait.split()[0] == answer.headers["retry-after"]


async def test_a_bug_is_a_server_error_without_its_data(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The log says where, and holds no password."""

    secret = "-".join(("hunter2", "Zaphod"))  # the log quotes this very source

    async def fail(*_: object, **__: object) -> None:
        raise ValueError(secret)

    monkeypatch.setattr(house.house.logins, "issue", fail)
    with caplog.at_level(logging.INFO):
        answer = await anybody.post(LOGIN, json=BOB)

    assert (500, texts.SERVER) == refused(answer)
    assert "ValueError" in caplog.text
    assert secret not in caplog.text + answer.text


async def test_logins_are_written_down(
    house: Puppet, anybody: Any, caplog: pytest.LogCaptureFixture
):
    """Who and from where; neither a password nor a token."""
    with caplog.at_level(logging.INFO):
        token = (await anybody.post(LOGIN, json=BOB)).json()["token"]
        await anybody.post(LOGIN, json={"login": "x\ny", "password": "hunter2-Zaphod"})

    assert "user bob logged in from 192.0.2.1" in caplog.text
    assert "login failed for user x\\ny from 192.0.2.1" in caplog.text
    assert token not in caplog.text
    assert "Zaphod" not in caplog.text


async def test_a_token_too_many_is_400():
    """The one who asks can do something about it."""
    rules = {"puppet": {"max_tokens": 2}}
    async with puppet(policy=rules) as house, house.client() as anybody:
        found = [await anybody.post(LOGIN, json=BOB) for _ in range(3)]

        assert [200, 200, 400] == [answer.status_code for answer in found]
        assert (400, texts.TOO_MANY) == refused(found[2])


async def test_a_policy_that_binds_needs_an_address():
    """A trusted proxy that names nobody makes no token for nobody's address."""
    sections = {
        "policy": {"puppet": {"bind_ip": "strict"}},
        "server": {"trusted_proxies": ["192.0.2.1"]},
    }
    async with (
        puppet(**sections) as house,
        house.client(await house.token(address=b"\1" * 16)) as bob,
    ):
        login = await bob.post(LOGIN, json=BOB)

        assert (400, texts.MALFORMED) == refused(login)
