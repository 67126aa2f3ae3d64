"""Lists are taken whole or not at all, with errors beside the entries they are about."""

from __future__ import annotations

from typing import Any

import pytest

from service.wire.json import Number
from service.wire.rest import bulk
from service.wire.rest.data import FormData
from service.wire.rest.fields import whole
from service.wire.rest.refusal import Invalid


def body(data: Any) -> Any:
    """What is said of *data* as a list of numbered objects."""
    with pytest.raises(Invalid) as caught:
        bulk.numbered(data, whole)
    return caught.value.body


def test_entries_are_taken_with_their_numbers():
    """A number may be text."""
    entries = [{"id": Number("1"), "a": "b"}, {"id": "2"}]

    assert [(1, entries[0]), (2, entries[1])] == bulk.numbered(entries, whole)
    assert [] == bulk.numbered([], whole)


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({}, {"non_field_errors": ['Expected a list of items but got type "dict".']}),
        (FormData({}), {"non_field_errors": ['Expected a list of items but got type "dict".']}),
        ("x", {"non_field_errors": ['Expected a list of items but got type "str".']}),
        ([{"a": 1}], [{"id": ["This field is required."]}]),
        (
            [{"id": Number("1")}, {"id": "x"}],
            [{}, {"id": ["A valid integer is required."]}],
        ),
        (
            [Number("1")],
            [{"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]}],
        ),
    ],
)
def test_what_is_wrong_is_said_in_its_place(data: Any, errors: Any):
    """Entries that are right have nothing said of them."""
    assert errors == body(data)
