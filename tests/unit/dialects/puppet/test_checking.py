"""``authenticate``: what another service is told of a token that it was shown."""

from __future__ import annotations

from typing import Any

import pytest

from service.dialects.puppet import texts
from tests.makers import MINUTE
from tests.unit.dialects.puppet.maker import CHECK, LOGIN, UNKNOWN, Puppet, puppet, refused

KEYS = {
    "description",
    "creation",
    "email",
    "is_revoked",
    "last_active",
    "last_login",
    "expiration",
    "is_remote",
    "client",
    "login",
    "is_superuser",
    "label",
    "id",
    "role_ids",
    "user_id",
    "timeout",
    "display_name",
    "is_group",
}
SECOND = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


async def test_a_good_token_is_told_with_its_owner(house: Puppet, anybody: Any):
    """Exactly the keys of the documented sample."""
    wish = {"login": "bob", "password": "secret", "label": "l", "lifetime": "5m"}
    token = (await anybody.post(LOGIN, json=wish)).json()["token"]

    answer = await anybody.post(CHECK, json={"token": token, "update_last_activity?": False})
    body = answer.json()

    assert (200, KEYS) == (answer.status_code, set(body))
    assert body["id"] == body["user_id"] == await house.sid()
    assert ("bob", "l", None, None, None, []) == (
        body["login"],
        body["label"],
        body["description"],
        body["client"],
        body["timeout"],
        body["role_ids"],
    )
    assert body["creation"] == body["last_active"]
    record = await house.record(token)
    assert 300_000 == record.expires_ms - record.created_ms
    assert token not in answer.text


async def test_moments_are_written_as_in_the_sample(house: Puppet, anybody: Any):
    """Whole seconds, but for the login."""
    import re

    token = (await anybody.post(LOGIN, json={"login": "bob", "password": "secret"})).json()["token"]
    body = (await anybody.post(CHECK, json={"token": token})).json()

    for name in ("creation", "last_active", "expiration"):
        assert re.fullmatch(SECOND + "Z", body[name])
    assert re.fullmatch(SECOND + r"\.\d{3}Z", body["last_login"])


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        ({}, False),
        ({"update_last_activity?": False}, False),
        ({"update_last_activity?": None}, False),
        ({"update_last_activity?": True}, True),
    ],
)
async def test_a_check_is_a_use_only_when_it_says_so(
    house: Puppet, anybody: Any, said: dict[str, Any], noted: bool
):
    """By default it is none."""
    token = await house.token()

    answer = await anybody.post(CHECK, json={"token": token, **said})

    (record,) = await house.live()
    assert (200, noted) == (answer.status_code, record.last_used_ms > 0)


async def test_the_suffix_outweighs_the_flag(house: Puppet, anybody: Any):
    """Whoever passes on what he was shown need not take it apart."""
    token = await house.token()
    body = {"token": f"{token}|no_keepalive", "update_last_activity?": True}

    assert 200 == (await anybody.post(CHECK, json=body)).status_code
    assert 0 == (await house.live())[0].last_used_ms


async def test_a_check_prolongs_nothing():
    """Where tokens slide they do so when they are used."""
    async with puppet(policy={"puppet": {"idle": "30m"}}) as house, house.client() as anybody:
        token = await house.token()
        run = house.house.client.run
        ((key,),) = await run((b"KEYS", b"t:*"))
        (left,) = await run((b"PTTL", key))
        await run((b"PEXPIRE", key, left - 10 * MINUTE))
        (before,) = await house.live()

        checked = await anybody.post(CHECK, json={"token": token})
        (after,) = await house.live()

        assert 200 == checked.status_code
        assert after.expires_ms - before.expires_ms < MINUTE


async def test_a_token_that_never_ends_has_no_expiration(house: Puppet, anybody: Any):
    """Null, as for everything there is not."""
    token = await house.token(policy="netbox")

    body = (await anybody.post(CHECK, json={"token": token})).json()

    assert (None, "bob") == (body["expiration"], body["login"])


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        (UNKNOWN, 403, texts.REVOKED_TOKEN),
        ("eyJh.eyJp.c2ln", 403, texts.REVOKED_TOKEN),
        ("notAToken", 400, texts.INVALID_TOKEN),
        ("", 400, texts.INVALID_TOKEN),
        ("x" * 300, 400, texts.INVALID_TOKEN),
        ("\ud800", 400, texts.INVALID_TOKEN),
        ("gar bage", 400, texts.INVALID_TOKEN),
    ],
)
async def test_what_nobody_has_is_revoked_or_unreadable(
    anybody: Any, text: str, status: int, kind: str
):
    """403 and 400 here, where other paths say 401."""
    import json

    answer = await anybody.post(CHECK, content=json.dumps({"token": text}))

    assert (status, kind) == refused(answer)
    assert not text or text not in answer.text


async def test_each_death_has_its_kind(house: Puppet, anybody: Any):
    """All of them 403."""
    dead = await house.token()
    await house.house.tokens.revoke(dead.encode())
    late = await house.token(end_ms=1_000_000_000_000)
    orphan = await house.token("carol")
    await house.house.users.revoke("carol")

    found = [
        refused(await anybody.post(CHECK, json={"token": token})) for token in (dead, late, orphan)
    ]

    assert [
        (403, "puppetlabs.rbac/token-revoked"),
        (403, "puppetlabs.rbac/token-expired"),
        (403, "puppetlabs.rbac/user-revoked"),
    ] == found


async def test_what_is_gone_between_two_looks_is_revoked(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch
):
    """The record, or the user."""
    token = await house.token()

    async def nothing(*_: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(house.house.tokens, "used", nothing)
        record_gone = await anybody.post(CHECK, json={"token": token})

    from service.errors import NoSuchUser

    async def nobody(name: str) -> None:
        raise NoSuchUser(name)

    monkeypatch.setattr(house.house.users, "get", nobody)
    user_gone = await anybody.post(CHECK, json={"token": token})

    assert (403, texts.REVOKED_TOKEN) == refused(record_gone) == refused(user_gone)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": None},
        {"token": 5},
        {"token": UNKNOWN, "update_last_activity?": "yes"},
        {"token": UNKNOWN, "update_last_activity": True},
        [],
    ],
)
async def test_a_check_that_does_not_fit_is_a_violation(anybody: Any, body: object):
    """The question mark is part of the key. No token is said back."""
    answer = await anybody.post(CHECK, json=body)

    assert (400, texts.SCHEMA) == refused(answer)
    assert UNKNOWN not in answer.text


async def test_a_bad_header_beside_it_does_not_matter(house: Puppet, anybody: Any):
    """Nobody is asked who he is."""
    answer = await anybody.post(
        CHECK, json={"token": await house.token()}, headers={"X-Authentication": "garbage"}
    )

    assert 200 == answer.status_code
