"""Values are checked one by one, and REST framework's words say what is wrong with each."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from service.wire.json import Number
from service.wire.rest import fields
from service.wire.rest.data import FormData
from service.wire.rest.fields import Reader, Wrong, an_object, kind_of, nullable
from service.wire.rest.refusal import Invalid

NULL = "This field may not be null."
BAD_TIME = fields.BAD_TIME

TEXT = fields.text(most=5, least=2, blank="This field may not be blank.")


def wrong(check: Callable[[object], object], value: object) -> list[str]:
    """What is wrong with *value*."""
    with pytest.raises(Wrong) as caught:
        check(value)
    return caught.value.texts


@pytest.mark.parametrize(
    ("value", "found"), [("abc", "abc"), ("  abc\n", "abc"), (Number("1.50"), "1.50")]
)
def test_text_is_trimmed_and_numbers_are_text(value: object, found: str):
    """A number is the text it was typed as."""
    assert found == TEXT(value)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, [NULL]),
        (True, ["Not a valid string."]),
        ([], ["Not a valid string."]),
        ({}, ["Not a valid string."]),
        ("", ["This field may not be blank."]),
        ("  ", ["This field may not be blank."]),
        ("a", ["Ensure this field has at least 2 characters."]),
        ("abcdef", ["Ensure this field has no more than 5 characters."]),
        ("ab\0c", ["Null characters are not allowed."]),
        ("ab\ud800", ["Surrogate characters are not allowed: U+D800."]),
        (
            "\0abcdef",
            [
                "Ensure this field has no more than 5 characters.",
                "Null characters are not allowed.",
            ],
        ),
    ],
)
def test_text_that_cannot_be_taken_is_told_everything(value: object, texts: list[str]):
    """All its faults at once."""
    assert texts == wrong(TEXT, value)


def test_text_may_be_empty_where_nobody_minds():
    """A description need not say anything."""
    assert "" == fields.text(most=200)(" ")


@pytest.mark.parametrize("value", [True, "true", "True", "T", "y", "YES", "on", "1", Number("1")])
def test_yes_has_many_spellings(value: object):
    """Text and numbers included."""
    assert fields.truth(value) is True


@pytest.mark.parametrize("value", [False, "false", "F", "n", "No", "OFF", "0", Number("0")])
def test_no_has_many_spellings(value: object):
    """Text and numbers included."""
    assert fields.truth(value) is False


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NULL),
        ("perhaps", "Must be a valid boolean."),
        ("", "Must be a valid boolean."),
        (Number("2"), "Must be a valid boolean."),
        ([], "Must be a valid boolean."),
    ],
)
def test_all_else_is_neither(value: object, text: str):
    """Not even null."""
    assert [text] == wrong(fields.truth, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NULL),
        ("", BAD_TIME),
        ("tomorrow", BAD_TIME),
        (Number("1"), BAD_TIME),
        (True, BAD_TIME),
        ("2030-02-30T00:00:00Z", BAD_TIME),
        ("0001-01-01T00:00:00+14:00", BAD_TIME),
        ("1969-12-31T23:59:59Z", "Datetime value out of range."),
    ],
)
def test_a_moment_that_is_none_is_refused(value: object, text: str):
    """So is one before the beginning of our time."""
    assert [text] == wrong(fields.moment(), value)


def test_a_bare_date_is_a_moment_where_it_may_be():
    """It is its midnight in UTC."""
    assert 1_893_456_000_000 == fields.moment()("2030-01-01")
    assert [BAD_TIME] == wrong(fields.moment(bare_date=False), "2030-01-01")


@pytest.mark.parametrize(("value", "number"), [(Number("7"), 7), (" 7 ", 7), ("-1", -1)])
def test_a_whole_number_may_be_text(value: object, number: int):
    """As it is in forms."""
    assert number == fields.whole(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NULL),
        ("x", "A valid integer is required."),
        (Number("1.5"), "A valid integer is required."),
        (True, "A valid integer is required."),
        ("٧", "A valid integer is required."),
        ("1_000", "A valid integer is required."),
        ("9" * 5000, "String value too large."),
    ],
)
def test_a_number_that_is_not_whole_is_refused(value: object, text: str):
    """Nor are Python's other spellings taken."""
    assert [text] == wrong(fields.whole, value)


def test_networks_are_read():
    """An address is a network of one."""
    found = fields.networks(most=4)(["10.0.0.0/8", "10.0.0.1", "2001:db8::/32"])

    assert (ip_network("10.0.0.0/8"), ip_network("10.0.0.1/32"), ip_network("2001:db8::/32")) == (
        found
    )
    assert () == fields.networks(most=4)([])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NULL),
        ("10.0.0.0/8", 'Expected a list of items but got type "str".'),
        (Number("1"), 'Expected a list of items but got type "int".'),
        ({}, 'Expected a list of items but got type "dict".'),
        (
            ["10.0.0.0/8", "10.1.2.3/8"],
            "Item 2 in the array did not validate: 10.1.2.3/8 is not a valid prefix. "
            "Did you mean 10.0.0.0/8?",
        ),
        (
            ["bogus"],
            "Item 1 in the array did not validate: bogus is not an IP address or prefix.",
        ),
        (
            [Number("1")],
            "Item 1 in the array did not validate:  is not an IP address or prefix.",
        ),
        (
            ["fe80::1%eth0"],
            "Item 1 in the array did not validate: fe80::1%eth0 is not an IP address or prefix.",
        ),
        (["\ud800"], "Item 1 in the array did not validate: ? is not an IP address or prefix."),
        (["10.0.0.1"] * 5, "Ensure this field has no more than 4 elements."),
    ],
)
def test_networks_that_are_none_are_refused(value: object, text: str):
    """The entry is named; what is not printable of it is not."""
    assert [text] == wrong(fields.networks(most=4), value)


def test_a_reader_keeps_what_is_wrong():
    """Everything is looked at before anything is refused."""
    reader = Reader({"a": "x", "b": None, "c": "yes"})
    taken = [
        reader.take("a", fields.truth, None),
        reader.take("b", nullable(fields.truth), "default"),
        reader.take("c", fields.truth, None),
        reader.take("d", fields.truth, "default"),
        reader.take("e", fields.truth, None, required=True),
    ]

    assert [None, None, True, "default", None] == taken
    with pytest.raises(Invalid) as caught:
        reader.done()
    assert {"a": ["Must be a valid boolean."], "e": ["This field is required."]} == (
        caught.value.body
    )


def test_a_form_sends_a_list_as_several_fields():
    """One field is a list of one."""
    reader = Reader(FormData({"ips": ["10.0.0.1"], "more": ["10.0.0.1", "10.0.0.2"]}))
    check = fields.networks(most=4)
    sizes = [len(reader.take(name, check, (), many=True)) for name in ("ips", "more")]

    assert [1, 2] == sizes


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "str"),
        ([], "list"),
        (Number("1"), "int"),
        (Number("-1"), "int"),
        (Number("1.0"), "float"),
        (True, "bool"),
    ],
)
def test_what_is_no_object_is_called_by_its_name(value: Any, kind: str):
    """The name is Python's."""
    assert kind == kind_of(value)
    with pytest.raises(Invalid) as caught:
        an_object(value)
    said = f"Invalid data. Expected a dictionary, but got {kind}."
    assert {"non_field_errors": [said]} == caught.value.body


def test_null_is_no_data():
    """It has a text of its own."""
    with pytest.raises(Invalid) as caught:
        an_object(None)

    assert {"non_field_errors": ["No data provided"]} == caught.value.body
