"""JSON goes out compact or indented, and comes in with its numbers as they were typed."""

from __future__ import annotations

import pytest

from service.wire.json import BadJson, Number, dumps, loads


def test_what_is_sent_is_compact():
    """No blank is sent that nobody asked for, and letters are not escaped."""
    assert b'{"a":[1,"\xc3\xa9"]}' == dumps({"a": [1, "é"]})


def test_what_is_sent_is_indented_on_wish():
    """A wished indent is kept up to eight blanks."""
    assert b'{\n    "a": "\xc3\xa9"\n}' == dumps({"a": "é"}, 4)
    assert b'{\n        "a": 1\n}' == dumps({"a": 1}, 1000)


@pytest.mark.parametrize("text", ["0", "-7", "1.10", "1e5", "1E400", "9" * 5000])
def test_a_number_stays_as_it_was_typed(text: str):
    """No digit is lost, however many there are."""
    assert Number(text) == loads(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("12", 12), ("-3", -3), ("1.0", None), ("1e5", None), ("9" * 20, None), ("9" * 5000, None)],
)
def test_a_number_may_be_whole(text: str, whole: int | None):
    """What is an integer of a sane size can be had as one."""
    assert whole == Number(text).whole


def test_of_equal_keys_the_last_counts():
    """A key that is there twice has its last value."""
    assert {"a": "2"} == loads('{"a": "1", "a": "2"}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("{'a': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, "nested too deeply"),
        ("NaN", "NaN is not a JSON value"),
        ("-Infinity", "-Infinity is not a JSON value"),
        ("\ufeff{}", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        ('{"password": "secret\n"}', "Invalid control character at: line 1 column 21 (char 20)"),
    ],
)
def test_what_is_no_json_is_told_by_its_place(text: str, message: str):
    """The complaint names the place and quotes nothing that stands there."""
    with pytest.raises(BadJson) as caught:
        loads(text)

    assert message == str(caught.value)
