"""One token makes another."""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.dialects.puppet import texts
from tests.unit.dialects.puppet.maker import PUPPET, TOKENS, Puppet, puppet, refused

BOB = {"login": "bob", "password": "secret"}


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
