"""Tokens as they are presented: places, precedence, suffix, looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.puppet.credential import Presented, credential_of, presented
from service.model import Trace
from tests.unit.dialects.puppet.maker import UNKNOWN


@pytest.mark.parametrize(
    ("headers", "queried", "text"),
    [
        (["a"], [], "a"),
        ([], ["b"], "b"),
        (["a"], ["b"], "a"),
        ([""], ["b"], "b"),
        (["  "], ["b"], "b"),
        (["", "a"], [], "a"),
        (["a", "a"], [], "a"),
        (["a", "b"], [], "a,b"),
        ([], ["a", "b"], "a,b"),
        ([" a\t"], [], "a"),
        ([], ["a\n"], "a"),
    ],
)
def test_the_header_comes_before_the_query(headers: list[str], queried: list[str], text: str):
    """Empty is absent, blanks around do not count, and two are none that can be read."""
    assert Presented(text) == credential_of(headers, queried)


@pytest.mark.parametrize(("headers", "queried"), [([], []), ([""], [""]), ([" "], ["\t"])])
def test_nothing_is_nothing(headers: list[str], queried: list[str]):
    """As if nobody had said anything."""
    assert credential_of(headers, queried) is None


@pytest.mark.parametrize(
    ("text", "bare", "trace"),
    [
        ("a", "a", Trace.WHOLE),
        ("a|no_keepalive", "a", Trace.NONE),
        (" a|no_keepalive ", "a", Trace.NONE),
        ("a|no_keepalive|no_keepalive", "a|no_keepalive", Trace.NONE),
        ("a|NO_KEEPALIVE", "a|NO_KEEPALIVE", Trace.WHOLE),
        ("|no_keepalive", "", Trace.NONE),
    ],
)
def test_a_suffix_says_that_the_use_is_none(text: str, bare: str, trace: Trace):
    """It is no part of the token."""
    assert Presented(bare, trace) == presented(text)


@pytest.mark.parametrize(
    "text",
    [
        UNKNOWN,
        "0" + "-_" * 21 + "A",
        "a1" * 20,
        "!" * 39 + "~",
        "th_" + "a" * 51,
        "nbt_" + "a" * 12 + "." + "b" * 40,
        "head.body.sign",
        "x" * 700 + "." + "y" * 200 + "." + "z" * 300,
    ],
)
def test_what_looks_like_a_token(text: str):
    """Of any policy here, or of the product's own past."""
    assert presented(text).shaped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "notAToken",
        UNKNOWN[:-1],
        UNKNOWN + "A",
        "1" + UNKNOWN[1:],
        UNKNOWN[:-1] + "+",
        UNKNOWN[:-1] + "\u0660",
        "a" * 39,
        "a" * 39 + " ",
        "a,b" + "a" * 37,
        "a.b.c",
        "abcd.abcd",
    ],
)
def test_what_does_not_look_like_a_token(text: str):
    """Too short, too long, another alphabet."""
    assert not presented(text).shaped


@given(st.text())
def test_only_what_can_be_a_token_is_asked_for(text: str):
    """Visible ASCII, and not endless."""
    shown = presented(text)
    fit = shown.text.isascii() and all("!" <= char <= "~" for char in shown.text)

    assert shown.askable == (fit and "," not in shown.text and 0 < len(shown.text) <= 256)


def test_a_token_is_not_printed():
    """Neither in a log nor in a traceback."""
    assert UNKNOWN not in repr(presented(UNKNOWN))
