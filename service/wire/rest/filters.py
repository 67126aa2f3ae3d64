"""Which rows a query selects, and in which order: tables of columns, and their use. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from service.wire.rest import times
from service.wire.rest.fields import NO_NULS
from service.wire.rest.refusal import Invalid

Row = TypeVar("Row")
Query = Mapping[str, Sequence[str]]
"""A query by name, each with all its values in order (``query_of`` makes one)."""

UNKNOWN = "Unknown filter field"
NOT_WHOLE = "Enter a whole number."
BAD_TIME = "Enter a valid date/time."
NO_CHOICE = "Select a valid choice. {} is not one of the available choices."

_TRUTHS = {"true": True, "True": True, "false": False, "False": False}
_DIGITS = 18
_SHOWN = 100


class Kind(Enum):
    """What a column holds, and so how it may be compared."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    MOMENT = "moment"
    CHOICE = "choice"
    UUID = "uuid"


Test = Callable[[Any, Any], bool]

_SAME: Mapping[str, Test] = {"": lambda value, wanted: bool(value == wanted)}
_ORDER: Mapping[str, Test] = {
    "lt": lambda value, wanted: value < wanted,
    "lte": lambda value, wanted: value <= wanted,
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
}
_WORDS: Mapping[str, Test] = {
    "ic": lambda value, wanted: wanted.lower() in value.lower(),
    "isw": lambda value, wanted: value.lower().startswith(wanted.lower()),
    "iew": lambda value, wanted: value.lower().endswith(wanted.lower()),
    "ie": lambda value, wanted: value.lower() == wanted.lower(),
}
_TESTS: Mapping[Kind, Mapping[str, Test]] = {
    Kind.TEXT: {**_SAME, **_WORDS},
    Kind.NUMBER: {**_SAME, **_ORDER},
    Kind.TRUTH: _SAME,
    Kind.MOMENT: {**_SAME, **_ORDER},
    Kind.CHOICE: _SAME,
    Kind.UUID: {**_SAME, **_WORDS},
}
_NOT = {"n": "", "nic": "ic", "nisw": "isw", "niew": "iew", "nie": "ie"}
"""Lookups that leave out what another one selects."""
_LOOKUPS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: (*_WORDS, *_NOT, "empty"),
    Kind.NUMBER: (*_ORDER, "n"),
    Kind.TRUTH: (),
    Kind.MOMENT: ("lte", "gte"),
    Kind.CHOICE: ("n",),
    Kind.UUID: (*_WORDS, *_NOT),
}
_WHOLE = ("", "n")
"""Lookups that are about a whole value."""


@dataclass(frozen=True, slots=True)
class Whole(Generic[Row]):
    """How whole values are told apart where that takes another form than parts of them do.

    *value* is where that form stands in a row; *read* makes it of text, or ValueError with what
    to say.
    """

    value: Callable[[Row], Any]
    read: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """What a query may select by: its *kind*, where it stands in a row, and the *choices*.

    Of several values one must fit. *choices* (of a CHOICE) are the values that exist, as text;
    None takes any. *lookups* are what may be asked for but an exact value (``gte`` for
    ``name__gte=``), None all that its kind has.
    """

    kind: Kind
    value: Callable[[Row], Any]
    choices: frozenset[str] | None = None
    lookups: tuple[str, ...] | None = None
    whole: Whole[Row] | None = None


def query_of(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """*pairs* (``request.query_params.multi_items()``) by name."""
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


def select(
    rows: Iterable[Row],
    query: Query,
    columns: Mapping[str, Column[Row]],
    *,
    besides: frozenset[str] | None = None,
) -> list[Row]:
    """The *rows* that every filter in *query* lets through. Invalid, with all that is wrong.

    Parameters that are no filters are ignored, unless *besides* says which may be there.
    """
    found: list[Callable[[Row], bool]] = []
    errors: dict[str, list[str]] = {}
    for name, values in query.items():
        column, lookup = _column(name, columns)
        if column is None:
            if besides is not None and name not in besides:
                errors[name] = [UNKNOWN]
            continue
        try:
            found.append(_fits(column, lookup, [value for value in values if value]))
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise Invalid(errors)
    return [row for row in rows if all(fits(row) for fits in found)]


def lookups_of(column: Column[Any]) -> tuple[str, ...]:
    """Every suffix that may follow the name of *column*, without its underscores."""
    return _LOOKUPS[column.kind] if column.lookups is None else column.lookups


def _column(name: str, columns: Mapping[str, Column[Row]]) -> tuple[Column[Row] | None, str]:
    if name in columns:
        return columns[name], ""
    bare, separator, lookup = name.rpartition("__")
    column = columns.get(bare)
    if separator and column is not None and lookup in lookups_of(column):
        return column, lookup
    return None, ""


def _fits(column: Column[Row], lookup: str, values: list[str]) -> Callable[[Row], bool]:
    """Whether a row passes *lookup* with one of *values*. ValueError with what to say."""
    if lookup == "empty":
        wanted = _TRUTHS.get(values[-1]) if values else None
        return lambda row: wanted is None or (not column.value(row)) is wanted
    whole = column.whole if lookup in _WHOLE else None
    read = whole.read if whole else lambda text: _cast(column, text)
    chosen = [cast for value in values if (cast := read(value)) is not None]
    if not chosen:
        return lambda row: True
    test = _TESTS[column.kind][_NOT.get(lookup, lookup)]
    negated = lookup in _NOT
    value_of = whole.value if whole else column.value

    def fits(row: Row) -> bool:
        value = value_of(row)
        hit = value is not None and any(test(value, wanted) for wanted in chosen)
        return hit is not negated

    return fits


def _cast(column: Column[Any], text: str) -> Any:
    """*text* as what the column holds; None when it is to be ignored. ValueError."""
    if column.kind is Kind.TRUTH:
        return _TRUTHS.get(text)
    if column.kind is Kind.MOMENT:
        return _moment(text)
    if column.kind is Kind.NUMBER:
        return _whole(text)
    if column.kind is Kind.TEXT and "\0" in text:
        raise ValueError(NO_NULS)
    if column.kind is Kind.CHOICE and column.choices is not None and text not in column.choices:
        raise ValueError(NO_CHOICE.format(text[:_SHOWN]))
    return text


def _whole(text: str) -> int:
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise ValueError(NOT_WHOLE)
    return int(text)


def _moment(text: str) -> int:
    try:
        return times.parsed(text.strip())
    except ValueError:
        raise ValueError(BAD_TIME) from None


def ordered(rows: Sequence[Row], wish: str, keys: Mapping[str, Callable[[Row], Any]]) -> list[Row]:
    """*rows* sorted as *wish* (``-created,id``) says; names that are not in *keys* are dropped.

    Rows without a value come last, and first where the order is turned round.
    """
    sorted_rows = list(rows)
    for word in reversed(wish.split(",")):
        name = word.strip()
        key = keys.get(name.removeprefix("-"))
        if key is not None:
            sorted_rows.sort(key=_absent_last(key), reverse=name.startswith("-"))
    return sorted_rows


def _absent_last(key: Callable[[Row], Any]) -> Callable[[Row], tuple[bool, Any]]:
    def place(row: Row) -> tuple[bool, Any]:
        value = key(row)
        return (True, 0) if value is None else (False, value)

    return place
