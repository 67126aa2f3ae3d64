"""Who is asking: tokens, names and passwords, and every word that says no."""

from __future__ import annotations

import base64
import logging
from ipaddress import ip_network
from typing import Any

import pytest

from service.dialects.nautobot import texts
from service.dialects.nautobot.auth import basic_of
from service.errors import Busy, StoreDown, TooManyAttempts
from service.model import Word
from service.wire.rest.refusal import Denied
from tests.unit.dialects.nautobot.maker import TOKENS, Nautobot, nautobot


def basic(text: str | bytes) -> str:
    """The header that carries *text*."""
    raw = text if isinstance(text, bytes) else text.encode()
    return "Basic " + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("Token x", None),
        ("Bearer x", None),
        (basic("a:b"), ("a", "b")),
        (basic("a:b:c"), ("a", "b:c")),
        (basic("a:"), ("a", "")),
        (basic("nocolon"), ("nocolon", "")),
        (basic("é:ü"), ("é", "ü")),
        (basic("é:ü".encode("latin-1")), ("é", "ü")),
        ("bAsIc   " + basic("a:b")[6:], ("a", "b")),
        ("Basic !!!!", ("", "")),
    ],
)
def test_a_name_and_a_password_are_read(header: str, expected: tuple[str, str] | None):
    """The first colon parts them; the scheme may be in any case."""
    assert expected == basic_of(header)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Basic", texts.NO_BASIC),
        ("Basic a b", texts.BASIC_SPACES),
        ("Basic abcde", texts.BASIC_NOT_BASE64),
    ],
)
def test_a_malformed_header_says_what_is_wrong(header: str, text: str):
    """In the product's words."""
    with pytest.raises(Denied, match=text):
        basic_of(header)


def test_every_word_of_verify_is_answered():
    """But for the two that are no refusal of the credential, and what the store settles."""
    own = {
        Word.UNKNOWN,
        Word.MISMATCH,
        Word.NETWORK,
        Word.REVOKED,
        Word.EVICTED,
        Word.EXPIRED,
        Word.INACTIVE,
        Word.DISABLED,
    }

    assert own == set(texts.REFUSED)


async def test_a_wrong_password_is_403_without_a_challenge_and_in_the_log(
    anybody: Any, caplog: pytest.LogCaptureFixture
):
    """No browser opens a window; the log names the user and not the password."""
    with caplog.at_level(logging.WARNING, "tokenhouse.login"):
        response = await anybody.post(TOKENS, auth=("bob", "not this"))

    assert (403, {"detail": "Invalid username/password."}) == (
        response.status_code,
        response.json(),
    )
    assert "www-authenticate" not in response.headers
    assert ["login failed for user bob from 192.0.2.1"] == [
        record.getMessage() for record in caplog.records
    ]


async def test_guessing_is_slowed_down():
    """After as many failures as are allowed the answer is 429, also to the right password."""
    async with nautobot(login={"attempts": 2}) as made, made.client() as client:
        statuses = [
            (await client.post(TOKENS, auth=("bob", password))).status_code
            for password in ("a", "b", "pw")
        ]

    assert [403, 403, 429] == statuses


@pytest.mark.parametrize(
    ("error", "status"), [(TooManyAttempts(7), 429), (Busy(), 503), (StoreDown("timeout"), 503)]
)
async def test_what_passes_says_when(
    house: Nautobot, error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
):
    """Throttling and outages are no refusal of the password."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(house.house.logins, "check", fail)
    async with house.client() as client:
        response = await client.post(TOKENS, auth=("bob", "pw"))

    assert status == response.status_code
    assert int(response.headers["retry-after"]) >= 1


async def test_a_token_of_another_api_is_good_here(house: Nautobot):
    """It says who one is; it is not among Nautobot's tokens, though."""
    key = await house.token(policy="netbox")
    async with house.client(key) as client:
        response = await client.get(TOKENS)

    assert (200, 0) == (response.status_code, response.json()["count"])


async def test_a_user_who_was_deleted_is_nobody(house: Nautobot, bob: Any):
    """His token is as if it had never been."""
    await house.house.users.delete("bob")
    response = await bob.get(TOKENS)

    assert (403, {"detail": "Invalid token"}) == (response.status_code, response.json())


async def test_a_user_deleted_after_the_verdict_is_nobody(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """The verdict and the user are read one after the other."""
    verify = house.house.tokens.verify

    async def then_delete(*words: Any, **named: Any) -> Any:
        verdict = await verify(*words, **named)
        await house.house.users.delete("bob")
        return verdict

    monkeypatch.setattr(house.house.tokens, "verify", then_delete)
    response = await bob.get(TOKENS)

    assert (403, {"detail": "Invalid token"}) == (response.status_code, response.json())


async def test_a_token_for_another_network_is_no_token(house: Nautobot):
    """Nautobot has no networks, so it has no words for them."""
    key = await house.token(networks=(ip_network("10.0.0.0/8"),))
    async with house.client(key) as client:
        response = await client.get(TOKENS)

    assert (403, {"detail": "Invalid token"}) == (response.status_code, response.json())
