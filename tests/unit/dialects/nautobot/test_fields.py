"""What may be said of a token, and what is answered to the rest."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from service.core.secret import KeyFault
from service.dialects.nautobot import texts
from service.dialects.nautobot.fields import Said, an_id, said
from service.wire.json import Number
from service.wire.rest.data import FormData
from service.wire.rest.fields import KEY_FAULTS, Wrong
from service.wire.rest.refusal import Invalid
from tests.unit.dialects.nautobot.maker import KEY

WRONG_TIME = [
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, Said()),
        ({"user": "x", "id": "y", "created": 1, "bogus": None}, Said()),
        ({"expires": None}, Said(end_ms=0)),
        ({"expires": "1970-01-01T00:00:01+00:00"}, Said(end_ms=1000)),
        ({"write_enabled": "off"}, Said(write=False)),
        ({"write_enabled": Number("1")}, Said(write=True)),
        ({"description": Number("5")}, Said(description="5")),
        ({"description": ""}, Said(description="")),
        ({"key": f" {KEY} "}, Said(key=KEY)),
        (FormData({"expires": [""]}), Said(end_ms=0)),
        (FormData({"expires": ["2031-01-01T00:00:00Z"]}), Said(end_ms=1924992000000)),
    ],
)
def test_what_is_said_is_taken(data: Any, expected: Said):
    """Everything else is as if nobody had said it."""
    assert expected == said(data)


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"expires": "2031-01-01"}, {"expires": WRONG_TIME}),
        ({"expires": ""}, {"expires": WRONG_TIME}),
        ({"expires": True}, {"expires": WRONG_TIME}),
        ({"write_enabled": None}, {"write_enabled": ["This field may not be null."]}),
        ({"write_enabled": []}, {"write_enabled": ["Must be a valid boolean."]}),
        ({"description": None}, {"description": ["This field may not be null."]}),
        ({"description": {}}, {"description": ["Not a valid string."]}),
        ({"description": "a\0"}, {"description": ["Null characters are not allowed."]}),
        ({"key": None}, {"key": ["This field may not be null."]}),
        ({"key": "z" * 40}, {"key": [KEY_FAULTS[KeyFault.PLAIN]]}),
        ({"key": f"{KEY[:20]} {KEY[:19]}"}, {"key": [KEY_FAULTS[KeyFault.LETTERS]]}),
        ({"key": f"{KEY[:20]},{KEY[:19]}"}, {"key": [KEY_FAULTS[KeyFault.LETTERS]]}),
        ({"key": f"{KEY[:20]}é{KEY[:19]}"}, {"key": [KEY_FAULTS[KeyFault.LETTERS]]}),
        ({"key": f"{KEY[:20]}\x7f{KEY[:19]}"}, {"key": [KEY_FAULTS[KeyFault.LETTERS]]}),
        (
            {"key": "", "write_enabled": "x"},
            {"key": [texts.KEY_BLANK], "write_enabled": ["Must be a valid boolean."]},
        ),
    ],
)
def test_what_cannot_be_taken_is_said(data: Any, errors: dict[str, list[str]]):
    """Field by field, all at once."""
    with pytest.raises(Invalid) as caught:
        said(data)

    assert errors == caught.value.body


@pytest.mark.parametrize("data", ["x", Number("1"), True, []])
def test_what_is_no_object_is_refused(data: Any):
    """Also where the product breaks."""
    with pytest.raises(Invalid) as caught:
        said(data)

    assert list(caught.value.body) == ["non_field_errors"]


def test_a_key_stays():
    """Saying the same key again is no change; another one is refused."""
    assert said({"key": KEY}, current=KEY) == Said(key=KEY)
    with pytest.raises(Invalid) as caught:
        said({"key": KEY}, current=KEY[::-1])

    assert {"key": [texts.KEY_STAYS]} == caught.value.body


def test_a_key_that_cannot_be_chosen_is_refused():
    """Rather than ignored: the client would go on with a key that does not work."""
    with pytest.raises(Invalid) as caught:
        said({"key": KEY}, choose=False)

    assert {"key": [texts.KEY_NOT_CHOSEN]} == caught.value.body


def test_an_id_is_a_uuid():
    """With dashes or without, in any case."""
    name = uuid.uuid4()

    assert [name, name] == [an_id(str(name).upper()), an_id(name.hex)]


@pytest.mark.parametrize("value", [None, 7, Number("7"), "7", "{" + "a" * 32 + "}", "１" * 32, []])
def test_what_is_no_uuid_is_no_id(value: object):
    """Nothing that Python's own reader is too kind to is taken."""
    with pytest.raises(Wrong):
        an_id(value)
