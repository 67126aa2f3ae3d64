"""Each kind of value: what it takes, what it refuses, and how it is shown again."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.kinds import (
    Choice,
    Duration,
    Flag,
    Networks,
    Size,
    Text,
    Texts,
    Whole,
    Words,
    entries,
    quote,
)

ANY_TIME = Duration("1ms", "100y", zero=True)
ANY_SIZE = Size("0", "1024GiB")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("150ms", 150),
        ("30s", 30_000),
        ("30m", 1_800_000),
        ("12h", 43_200_000),
        ("7d", 604_800_000),
        ("10y", 315_360_000_000),
        ("1800", 1_800_000),
        (1800, 1_800_000),
        (" 5m ", 300_000),
        ("0", 0),
        (0, 0),
    ],
)
def test_a_duration_is_kept_in_milliseconds(raw: object, expected: int):
    """Every unit counts as it is called, and a bare number counts seconds."""
    assert expected == ANY_TIME.parse(raw)


@pytest.mark.parametrize(
    "raw",
    ["", "soon", "1.5h", "-1s", -1, 1.5, True, None, [], "30 m", "1w", "30M", "٣s", "9" * 5000],
)
def test_what_is_no_duration_is_refused(raw: object):
    """Anything but digits and a known unit is refused, and the error says what is allowed."""
    with pytest.raises(ValueError, match=r"is not a duration .* within 0, or 1ms to 100y"):
        ANY_TIME.parse(raw)


@pytest.mark.parametrize("raw", ["0", "999ms", "31d"])
def test_a_duration_outside_its_range_is_refused(raw: str):
    """Zero, less than the least and more than the most are refused."""
    with pytest.raises(ValueError, match="within 1s to 30d"):
        Duration("1s", "30d").parse(raw)


def test_a_duration_can_be_held_to_whole_seconds():
    """A fraction of a second is refused where the token's head has no room for it."""
    kind = Duration("1s", "90d", whole_seconds=True)

    assert 2_000 == kind.parse("2000ms")
    with pytest.raises(ValueError, match="whole seconds"):
        kind.parse("1500ms")


@given(st.integers(min_value=0, max_value=10**12))
def test_a_shown_duration_reads_back(length: int):
    """What is shown for a length is read as the same length."""
    assert length == ANY_TIME.parse(ANY_TIME.show(length))


@pytest.mark.parametrize(
    ("raw", "expected"), [("64KiB", 65_536), ("19MiB", 19_922_944), ("1GiB", 1 << 30), (7, 7)]
)
def test_a_size_is_kept_in_bytes(raw: object, expected: int):
    """Every unit counts as it is called, and a bare number counts bytes."""
    assert expected == ANY_SIZE.parse(raw)


@pytest.mark.parametrize("raw", ["64KB", "64k", "-1", True, 1.0, "", "65KiB"])
def test_what_is_no_size_within_the_range_is_refused(raw: object):
    """Units that mean different things to different people are refused, and so is too much."""
    with pytest.raises(ValueError, match="within 1KiB to 64KiB"):
        Size("1KiB", "64KiB").parse(raw)


@given(st.integers(min_value=0, max_value=2**40))
def test_a_shown_size_reads_back(size: int):
    """What is shown for a size is read as the same size."""
    assert size == ANY_SIZE.parse(ANY_SIZE.show(size))


def test_a_whole_number_may_come_as_text():
    """A variable has only text, and the text of a number is that number."""
    assert [8000, 8000, 0] == [Whole(0, 65535).parse(raw) for raw in (8000, "8000", "0")]


@pytest.mark.parametrize("raw", [-1, 65536, "1e3", "", "8000.0", True, None, "0x10"])
def test_what_is_no_whole_number_within_the_range_is_refused(raw: object):
    """Neither a switch nor a spelling of other languages is a number here."""
    with pytest.raises(ValueError, match="is not a whole number within 0 to 65535"):
        Whole(0, 65535).parse(raw)


def test_no_limit_is_minus_one_and_nothing_below():
    """Minus one stands beside the range, and does not widen it."""
    kind = Whole(1, 1000, unlimited=True)

    assert [-1, 1] == [kind.parse(raw) for raw in (-1, "1")]
    for raw in (0, -2):
        with pytest.raises(ValueError, match=r"-1 \(no limit\), or 1 to 1000"):
            kind.parse(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        *[(raw, True) for raw in (True, "true", "On", "yes", "1")],
        *[(raw, False) for raw in (False, "FALSE", "off", "no", "0")],
    ],
)
def test_a_switch_takes_the_usual_words(raw: object, expected: bool):
    """A switch says true and false, and in a variable also the words people write there."""
    assert expected is Flag().parse(raw)


@pytest.mark.parametrize("raw", ["", "maybe", 2, None, []])
def test_what_is_no_switch_is_refused(raw: object):
    """Nothing else is taken for true or false."""
    with pytest.raises(ValueError, match="is not true or false"):
        Flag().parse(raw)


@pytest.mark.parametrize("raw", ["Strict", "", True, None])
def test_a_choice_is_one_of_its_words_exactly(raw: object):
    """A word in another case, or no word at all, is refused with the words there are."""
    assert "strict" == Choice(("strict", "off")).parse("strict")
    with pytest.raises(ValueError, match="is not one of strict, off"):
        Choice(("strict", "off")).parse(raw)


@pytest.mark.parametrize("raw", [["a", "b"], "a,b", " a , b ,", '["a", "b"]'])
def test_a_list_of_words_has_three_spellings(raw: object):
    """A list may be a list, words with commas between them, or JSON."""
    assert ("a", "b") == Words(("a", "b")).parse(raw)


@pytest.mark.parametrize("raw", [[], "", "a,a", 3, '["a"', '["a"}'])
def test_a_list_of_words_is_neither_empty_nor_double(raw: object):
    """No word, the same word twice, and what is no list are refused."""
    with pytest.raises(ValueError, match="is not one or more of a, b, each once"):
        Words(("a", "b")).parse(raw)


def test_a_word_that_is_not_offered_is_named():
    """The error names the one word that is wrong, not the whole list."""
    with pytest.raises(ValueError, match=r'^"c" is not one of a, b$'):
        Words(("a", "b")).parse("a,c")


def test_a_text_keeps_to_its_pattern():
    """A text is taken whole or not at all, in lower case where case does not matter."""
    kind = Text("[A-Za-z-]+", "a header name", lower=True)

    assert "x-real-ip" == kind.parse("X-Real-IP")
    for raw in ("", "x y", "x\n", 5):
        with pytest.raises(ValueError, match="is not a header name"):
            kind.parse(raw)


def test_a_list_of_texts_has_three_spellings_too():
    """Each entry keeps to the pattern, the same one twice counts once, and there may be none."""
    kind = Texts("[a-z.=,]+", "names")

    for raw in (["a.b", "CN".lower()], "a.b, cn", '["a.b", "cn", "a.b"]'):
        assert ("a.b", "cn") == kind.parse(raw)
    assert () == kind.parse("") == kind.parse([])
    assert ("cn=a,o=b",) == kind.parse('["cn=a,o=b"]')
    assert ["a.b"] == kind.show(("a.b",))


@pytest.mark.parametrize("raw", [["A"], [5], ["a\n"], '[""]'])
def test_a_text_of_a_list_that_does_not_fit_is_named(raw: object):
    """The error is about the one entry that is wrong."""
    with pytest.raises(ValueError, match="is none of names"):
        Texts("[a-z]+", "names").parse(raw)


def test_a_list_of_texts_that_is_no_list_is_refused():
    """A number in place of the list is refused as such."""
    with pytest.raises(ValueError, match="5 is not a list of names"):
        Texts("[a-z]+", "names").parse(5)


def test_networks_are_parsed():
    """Addresses and CIDRs of both families become networks, and are shown as CIDRs."""
    found = Networks().parse("10.0.0.0/8, 127.0.0.1,fd00::/8")

    assert (ip_network("10.0.0.0/8"), ip_network("127.0.0.1"), ip_network("fd00::/8")) == found
    assert ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"] == Networks().show(found)


@pytest.mark.parametrize("raw", ["10.0.0.1/8", "localhost", [10], ["10.0.0.0/33"], '["", ""]'])
def test_what_is_no_network_is_refused(raw: object):
    """A name, a bare number and a network with host bits are refused as such."""
    with pytest.raises(ValueError, match="is not an address or a CIDR"):
        Networks().parse(raw)


def test_a_network_list_that_is_no_list_is_refused():
    """A number in place of the list is refused as such."""
    with pytest.raises(ValueError, match="10 is not a list of networks"):
        Networks().parse(10)


@given(st.text())
def test_a_quoted_value_is_one_short_line(raw: str):
    """Whatever a value is, an error line stays one line, and no longer than a line."""
    shown = quote(raw)

    assert shown.isprintable()
    assert len(shown) <= 100


@given(st.text())
def test_any_text_is_a_list_or_not_and_nothing_breaks(raw: str):
    """No text makes the reading of a list fail in another way than by saying so."""
    found = entries(raw)

    assert found is None or isinstance(found, list)
