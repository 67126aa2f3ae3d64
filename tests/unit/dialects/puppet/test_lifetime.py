"""How long a token lives: the grammar, the default, the maximum."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from service.dialects.puppet import texts
from tests.unit.dialects.puppet.maker import CHECK, LOGIN, Puppet, puppet, refused

BOB = {"login": "bob", "password": "secret"}

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
    """From its creation on, to the millisecond; on the wire to the second."""
    answer = await anybody.post(LOGIN, json={**BOB, "lifetime": lifetime})

    token = await house.record(answer.json()["token"])
    assert seconds * 1000 == token.expires_ms - token.created_ms
    told = (await anybody.post(CHECK, json=answer.json())).json()
    life = datetime.fromisoformat(told["expiration"]) - datetime.fromisoformat(told["creation"])
    assert timedelta(seconds=seconds) == life


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
