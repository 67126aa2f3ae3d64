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
    TOKENS,
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


# -- labels ------------------------------------------------------------------------------------


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


# -- lifetimes ---------------------------------------------------------------------------------

YEAR = 365 * 86_400


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [
        (None, 3_600),
        ("4m", 240),
        ("90", 90),
        ("90s", 90),
        ("12h", 43_200),
        ("2d", 172_800),
        ("1y", YEAR),
        ("0", 10 * YEAR),
        ("0h", 10 * YEAR),
        ("10y", 10 * YEAR),
        (720, 720),
        (0, 10 * YEAR),
    ],
)
async def test_a_lifetime_is_exact(house: Puppet, anybody: Any, lifetime: object, seconds: int):
    """From its creation on, to the millisecond."""
    answer = await anybody.post(LOGIN, json={**BOB, "lifetime": lifetime})

    token = await house.record(answer.json()["token"])
    assert seconds * 1000 == token.expires_ms - token.created_ms


@pytest.mark.parametrize(
    "lifetime",
    [
        "1h30m",
        "1 h",
        "-5",
        "1H",
        "h",
        "",
        "1.5h",
        " 1h",
        "1w",
        "٣h",
        "1e3",
        "0x10",
        -5,
        1.5,
        True,
        [],
    ],
)
async def test_what_is_no_lifetime_is_refused(house: Puppet, anybody: Any, lifetime: object):
    """And no token is made."""
    answer = await anybody.post(LOGIN, json={**BOB, "lifetime": lifetime})

    assert (400, texts.SCHEMA) == refused(answer)
    assert {"lifetime"} == set(answer.json()["details"]["error"])
    assert [] == await house.live()


@pytest.mark.parametrize("lifetime", ["11y", "315360001", "9" * 20 + "y", "9" * 5000, 10**18])
async def test_more_than_the_maximum_is_refused(house: Puppet, anybody: Any, lifetime: object):
    """It is not cut short behind the client's back."""
    answer = await anybody.post(LOGIN, json={**BOB, "lifetime": lifetime})

    assert (400, texts.SCHEMA) == refused(answer)
    assert [] == await house.live()


async def test_zero_is_for_ever_where_there_is_no_maximum():
    """And a hundred years is the most that can be said otherwise."""
    async with (
        puppet(policy={"puppet": {"max_lifetime": "0"}}) as house,
        house.client() as anybody,
    ):
        ever = await anybody.post(LOGIN, json={**BOB, "lifetime": "0"})
        long = await anybody.post(LOGIN, json={**BOB, "lifetime": "100y"})
        longer = await anybody.post(LOGIN, json={**BOB, "lifetime": "101y"})

        assert 0 == (await house.record(ever.json()["token"])).expires_ms
        token = await house.record(long.json()["token"])
        assert 100 * YEAR * 1000 == token.expires_ms - token.created_ms
        assert (400, texts.SCHEMA) == refused(longer)


async def test_the_age_that_a_policy_allows_is_a_maximum_too():
    """The lesser of both counts."""
    rules = {"puppet": {"max_age": "2h"}}
    async with puppet(policy=rules) as house, house.client() as anybody:
        most = await anybody.post(LOGIN, json={**BOB, "lifetime": "0"})
        more = await anybody.post(LOGIN, json={**BOB, "lifetime": "3h"})

        token = await house.record(most.json()["token"])
        assert 7_200_000 == token.expires_ms - token.created_ms
        assert (400, texts.SCHEMA) == refused(more)


# -- too many ----------------------------------------------------------------------------------


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
    assert 1 <= int(right.headers["retry-after"]) <= 30
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


@pytest.mark.parametrize(("error", "status"), [(Busy(3), 503), (StoreDown("x"), 503)])
async def test_what_passes_is_no_failed_login(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
):
    """Clients take 400 and 401 for final, unless the kind says server-error."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(house.house.logins, "issue", fail)
    answer = await anybody.post(LOGIN, json=BOB)

    assert (status, "puppetlabs.rbac/server-error") == refused(answer)
    assert int(answer.headers["retry-after"]) >= 1


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


# -- another one -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{}", b'{"lifetime":null}'])
async def test_a_token_makes_another(house: Puppet, bob: Any, content: bytes):
    """Everything in the body is optional, and so is the body."""
    answer = await bob.post(TOKENS, content=content)

    token = answer.json()["token"]
    assert (200, f'{{"token":"{token}"}}') == (answer.status_code, answer.text)
    assert re.fullmatch(PUPPET, token)
    record = await house.record(token)
    assert ("bob", 3_600_000) == (record.owner, record.expires_ms - record.created_ms)


async def test_another_token_is_as_it_was_wished(house: Puppet, bob: Any):
    """As with a login; and its label is the same user's."""
    wish = {"lifetime": "4m", "description": "d", "client": "PEClient/0.3.0", "label": "l"}

    answer = await bob.post(TOKENS, json=wish)
    again = await bob.post(TOKENS, json={"label": "l"})

    record = await house.record(answer.json()["token"])
    assert (240_000, "d", "PEClient/0.3.0", "l") == (
        record.expires_ms - record.created_ms,
        record.description,
        record.client,
        record.label,
    )
    assert answer.json() == again.json()


@pytest.mark.parametrize("body", [{"login": "bob"}, {"lifetime": "x"}, []])
async def test_a_wish_for_another_that_does_not_fit_is_refused(
    house: Puppet, bob: Any, body: object
):
    """As with a login."""
    assert (400, texts.SCHEMA) == refused(await bob.post(TOKENS, json=body))
    assert 1 == len(await house.live())


async def test_another_token_needs_a_token(house: Puppet, anybody: Any):
    """That may write; a password does not count here."""
    reader = await house.token(policy="netbox", write=False)

    nothing = await anybody.post(TOKENS, json=BOB)
    reading = await anybody.post(TOKENS, json={}, headers={"X-Authentication": reader})

    assert (401, texts.UNAUTHENTICATED) == refused(nothing)
    assert (403, texts.DENIED) == refused(reading)


async def test_another_label_can_be_a_conflict_too():
    """Under the same setting."""
    rules = {"puppet": {"label_conflict": "reject"}}
    async with puppet(policy=rules) as house, house.client(await house.token(label="l")) as bob:
        assert (409, texts.CONFLICT) == refused(await bob.post(TOKENS, json={"label": "l"}))
