"""Tokens in Nautobot's shape, and the UUIDs that name them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from service.dialects.nautobot import shape
from service.model import Life, Token

NAME = uuid.UUID("e87e6ee9-1ab2-46c6-ad7f-3d4697c33d13")
KEY = "9fc9b897abec9ada2da6aec9dbc34596293c9cb9"


def made(**facts: Any) -> Token:
    """The token of the documentation's example, but for *facts*."""
    example: dict[str, Any] = {
        "token_id": 65536,
        "owner": "hankhill",
        "policy": "nautobot",
        "state": "live",
        "write": True,
        "life": Life.NEVER,
        "created_ms": 1623442153339,
        "expires_ms": 0,
        "last_used_ms": 0,
    }
    return Token(**{**example, **facts})


def test_the_example_of_the_documentation():
    """Member by member, in its order."""
    url = f"https://nautobot/api/users/tokens/{NAME}/"
    body = shape.token(made(), url, number=NAME, key=KEY)

    assert [
        ("id", "e87e6ee9-1ab2-46c6-ad7f-3d4697c33d13"),
        ("url", url),
        ("display", "3c9cb9 (hankhill)"),
        ("created", "2021-06-11T20:09:13.339000Z"),
        ("expires", None),
        ("key", KEY),
        ("write_enabled", True),
        ("description", ""),
    ] == list(body.items())


def test_an_end_is_shown_without_a_fraction_that_is_none():
    """As the framework writes moments."""
    body = shape.token(made(expires_ms=1623442153000), "", number=NAME, key=KEY)

    assert "2021-06-11T20:09:13Z" == body["expires"]


def test_options_name_the_members_of_a_token():
    """All of them, in their order."""
    body = shape.token(made(), "", number=NAME, key=KEY)

    assert list(body) == list(shape.FIELDS)


@pytest.mark.parametrize(
    "text", [str(NAME), str(NAME).upper(), NAME.hex, f"{NAME}"[:-13] + NAME.hex[-12:]]
)
def test_a_uuid_may_leave_its_dashes_out(text: str):
    """And be in capitals."""
    assert NAME == shape.uuid_of(text)


@pytest.mark.parametrize(
    "text", ["", "7", f"{{{NAME}}}", f"urn:uuid:{NAME}", f"{NAME} ", "１" * 32, "_" + "a" * 31]
)
def test_what_else_python_would_take_is_no_uuid(text: str):
    """Its own reader is kinder."""
    assert shape.uuid_of(text) is None
