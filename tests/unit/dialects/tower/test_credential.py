"""Of several credentials in one request Tower's precedence picks one."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.tower.credential import NamePassword, TokenText, credential_of, revocable
from service.dialects.tower.refusal import Denied

NONE = "Authentication credentials were not provided."
NO_TOKEN = "Invalid token header. No credentials provided."
SPACES = "Invalid token header. Token string should not contain spaces."
ALICE = "Basic " + b64encode(b"alice:p:w").decode()


@pytest.mark.parametrize(
    ("x_auth_token", "authorization", "cookie", "token"),
    [
        ("Token x", "", "", "x"),
        ("TOKEN  x ", "Token a", "c", "x"),
        ("Token x", ALICE, "", "x"),
        ("x", "Token a", "c", "a"),
        ("Basic x", "token a", "", "a"),
        ("", "Token   a", "c", "a"),
        ("", "", "c", "c"),
        ("", "", "%22c%22", "c"),
        ("", "", '"c"', "c"),
        ("", "Bearer b", "c", "c"),
        ("bare", "", "c", "c"),
    ],
)
def test_the_first_of_towers_places_counts(
    x_auth_token: str, authorization: str, cookie: str, token: str
):
    """X-Auth-Token, then Authorization, then the cookie; other schemes are passed over."""
    assert TokenText(token.encode()) == credential_of(
        x_auth_token, authorization, cookie, basic=True
    )


def test_basic_outranks_the_cookie():
    """A name and password are taken apart at the first colon."""
    assert NamePassword("alice", "p:w") == credential_of("", ALICE, "c", basic=True)


@pytest.mark.parametrize(
    ("raw", "name", "password"),
    [
        ("é:ü".encode(), "é", "ü"),
        ("é:ü".encode("latin-1"), "é", "ü"),
        (b"alice", "alice", ""),
        (b":", "", ""),
    ],
)
def test_basic_may_be_utf_8_or_latin_1(raw: bytes, name: str, password: str):
    """Old clients send the one, new ones the other."""
    authorization = "bAsIc " + b64encode(raw).decode()

    assert NamePassword(name, password) == credential_of("", authorization, "", basic=True)


@pytest.mark.parametrize(
    ("x_auth_token", "authorization", "cookie", "detail"),
    [
        ("", "", "", NONE),
        ("x", "Bearer x", "", NONE),
        ("Token", "Token a", "c", NO_TOKEN),
        ("", "Token", "c", NO_TOKEN),
        ("", "", "%22%22", NO_TOKEN),
        ("Token x y", "Token a", "", SPACES),
        ("", "Token a b", "", SPACES),
        ("", "Token a,Token b", "", SPACES),
        ("", "", "a%20b", SPACES),
        ("", "Basic", "c", "Invalid basic header. No credentials provided."),
        (
            "",
            "Basic a b",
            "",
            "Invalid basic header. Credentials string should not contain spaces.",
        ),
        ("", "Basic a", "", "Invalid basic header. Credentials not correctly base64 encoded."),
        ("", "Basic é", "", "Invalid basic header. Credentials not correctly base64 encoded."),
    ],
)
def test_what_is_malformed_is_told_how(
    x_auth_token: str, authorization: str, cookie: str, detail: str
):
    """A place that was used wrongly is not passed over."""
    with pytest.raises(Denied) as caught:
        credential_of(x_auth_token, authorization, cookie, basic=True)

    assert detail == str(caught.value)


def test_basic_counts_for_nothing_where_it_is_off():
    """It is not read, and still keeps the cookie from being read."""
    with pytest.raises(Denied, match=NONE):
        credential_of("", ALICE, "c", basic=False)


HEADER = st.text(alphabet=st.characters(max_codepoint=255), max_size=40) | st.sampled_from(
    ["Token", "Token ", "token x", "Basic ", "Basic :", "Token \xa0", "%", "%zz", "%ff%00"]
)


@given(HEADER, HEADER, HEADER, st.booleans())
def test_whatever_is_sent_is_a_credential_or_denied(
    x_auth_token: str, authorization: str, cookie: str, basic: bool
):
    """No header makes the reader fail in any other way, and no token has a blank in it."""
    try:
        found = credential_of(x_auth_token, authorization, cookie, basic=basic)
    except Denied:
        return

    assert isinstance(found, NamePassword) or len(found.text.split()) == 1


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        ("Token abc", b"abc"),
        ("Token\tabc", b"abc"),
        ("Token  abc", b" abc"),
        ("Token a b", b"a b"),
        ("token abc", None),
        ("TOKEN abc", None),
        ("Tokenabc", None),
        ("Token ", None),
        ("Token", None),
        ("", None),
        (" Token abc", None),
    ],
)
def test_only_exactly_token_and_a_blank_names_what_to_revoke(
    authorization: str, text: bytes | None
):
    """What follows is the key to the letter, so a second blank names another key."""
    assert text == revocable(authorization)


def test_a_credential_does_not_show_itself():
    """Neither token nor password stands in a representation, which may reach a log."""
    assert "abc" not in repr(TokenText(b"abc"))
    assert "abc" not in repr(NamePassword("abc", "abc"))
