"""The Authorization header carries a token, something else, or nonsense."""

from __future__ import annotations

import pytest

from service.wire.rest.credential import token_of
from service.wire.rest.refusal import Denied


@pytest.mark.parametrize("header", ["Token abc", "token abc", "TOKEN    abc", "Token\tabc "])
def test_a_token_is_found(header: str):
    """The scheme has no case, and there may be any white space."""
    assert "abc" == token_of(header)


def test_a_token_is_utf8():
    """The header comes as Latin-1."""
    assert "café" == token_of("Token café".encode().decode("latin-1"))


@pytest.mark.parametrize("header", ["", "Bearer abc", "Basic abc", "Tokens abc", "abc"])
def test_other_schemes_carry_none(header: str):
    """Whatever they carry."""
    assert token_of(header) is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Token", "Invalid token header. No credentials provided."),
        ("Token a b", "Invalid token header. Token string should not contain spaces."),
        (
            "Token caf\xe9",
            "Invalid token header. Token string should not contain invalid characters.",
        ),
    ],
)
def test_nonsense_is_denied(header: str, why: str):
    """With the words for it."""
    with pytest.raises(Denied) as caught:
        token_of(header)

    assert why == str(caught.value)
