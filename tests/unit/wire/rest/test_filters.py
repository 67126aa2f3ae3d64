"""A query selects and sorts rows by tables of columns."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from service.wire.rest.filters import Column, Kind, Whole, lookups_of, ordered, query_of, select
from service.wire.rest.refusal import Invalid


@dataclass(frozen=True)
class Row:
    """A token as far as filters see it."""

    number: int
    text: str
    on: bool
    ends_ms: int | None = None
    owner: str = "alice"


ROWS = [
    Row(1, "Alpha", True, 1_000),
    Row(2, "beta", False, 2_000),
    Row(3, "", True, None, "bob"),
]


def told(text: str) -> str:
    """*text*, unless it is ``x``."""
    if text == "x":
        raise ValueError("not x")
    return text


COLUMNS: dict[str, Column[Row]] = {
    "id": Column(Kind.NUMBER, lambda row: row.number),
    "text": Column(Kind.TEXT, lambda row: row.text),
    "on": Column(Kind.TRUTH, lambda row: row.on),
    "ends": Column(Kind.MOMENT, lambda row: row.ends_ms),
    "user": Column(Kind.CHOICE, lambda row: row.owner, choices=frozenset({"alice", "bob"})),
    "when": Column(Kind.MOMENT, lambda row: row.ends_ms, lookups=("n", "lt", "lte", "gt", "gte")),
    "name": Column(
        Kind.UUID,
        lambda row: row.text,
        whole=Whole(lambda row: row.number, lambda text: len(told(text))),
    ),
    "plain": Column(Kind.TEXT, lambda row: row.text, lookups=()),
}


def found(query: str) -> list[int]:
    """The numbers of the rows that *query* selects."""
    pairs = [tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair]
    return [row.number for row in select(ROWS, query_of(pairs), COLUMNS)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3]),
        ("id=2", [2]),
        ("id=2&id=3", [2, 3]),
        ("id=2&text=Alpha", []),
        ("id__n=2", [1, 3]),
        ("id__n=2&id__n=3", [1]),
        ("id__lt=2", [1]),
        ("id__lte=2", [1, 2]),
        ("id__gt=2", [3]),
        ("id__gte=2", [2, 3]),
        ("id=-1", []),
        ("text=beta", [2]),
        ("text=BETA", []),
        ("text=", [1, 2, 3]),
        ("text__n=beta", [1, 3]),
        ("text__ie=BETA", [2]),
        ("text__nie=BETA", [1, 3]),
        ("text__ic=TA", [2]),
        ("text__nic=TA", [1, 3]),
        ("text__isw=AL", [1]),
        ("text__nisw=AL", [2, 3]),
        ("text__iew=HA", [1]),
        ("text__niew=HA", [2, 3]),
        ("text__empty=true", [3]),
        ("text__empty=False", [1, 2]),
        ("text__empty=x", [1, 2, 3]),
        ("on=true", [1, 3]),
        ("on=False", [2]),
        ("on=0", [1, 2, 3]),
        ("on__n=true", [1, 2, 3]),
        ("ends=1970-01-01T00:00:01Z", [1]),
        ("ends__gte=1970-01-01T00:00:01Z", [1, 2]),
        ("ends__lte=1970-01-01T00:00:01Z", [1]),
        ("ends__gt=1970-01-01T00:00:01Z", [1, 2, 3]),
        ("user=bob", [3]),
        ("user__n=bob", [1, 2]),
        ("user__ic=b", [1, 2, 3]),
        ("plain=beta", [2]),
        ("plain__isw=b", [1, 2, 3]),
        ("bogus=1", [1, 2, 3]),
        ("bogus__isw=1", [1, 2, 3]),
    ],
)
def test_a_query_selects(query: str, numbers: list[int]):
    """Of several values one must fit; a lookup that a column does not have is no filter."""
    assert numbers == found(query)


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("id=abc", {"id": ["Enter a whole number."]}),
        ("id=", {}),
        ("id__gte=" + "9" * 30, {"id__gte": ["Enter a whole number."]}),
        ("ends=tomorrow", {"ends": ["Enter a valid date/time."]}),
        (
            "user=carol&id=x",
            {
                "user": ["Select a valid choice. carol is not one of the available choices."],
                "id": ["Enter a whole number."],
            },
        ),
    ],
)
def test_what_cannot_be_selected_by_is_said(query: str, errors: dict[str, list[str]]):
    """All of it at once."""
    if not errors:
        assert [1, 2, 3] == found(query)
        return
    with pytest.raises(Invalid) as caught:
        found(query)
    assert errors == caught.value.body


def test_a_strict_list_knows_its_parameters():
    """Where it says what else there may be, all else is refused."""
    query = {"id": ["1"], "limit": ["1"], "bogus": ["1"], "id__isw": ["1"]}
    with pytest.raises(Invalid) as caught:
        select(ROWS, query, COLUMNS, besides=frozenset({"limit"}))

    unknown = ["Unknown filter field"]
    assert {"bogus": unknown, "id__isw": unknown} == caught.value.body


def test_lookups_can_be_listed():
    """For whoever documents them."""
    assert ("lt", "lte", "gt", "gte", "n") == lookups_of(COLUMNS["id"])
    assert ("lte", "gte") == lookups_of(COLUMNS["ends"])
    assert ("n", "lt", "lte", "gt", "gte") == lookups_of(COLUMNS["when"])
    assert () == lookups_of(COLUMNS["plain"])


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("when__lt=1970-01-01T00:00:02Z", [1]),
        ("when__lte=1970-01-01T00:00:02Z", [1, 2]),
        ("when__gt=1970-01-01T00:00:01Z", [2]),
        ("when__gt=1970-01-01T00:00:01Z&when__gt=1970-01-01T00:00:05Z", [2]),
        ("when__n=1970-01-01T00:00:01Z", [2, 3]),
        ("ends__n=1970-01-01T00:00:01Z", [1, 2, 3]),
        ("name=ab", [2]),
        ("name__n=ab&name__n=a", [3]),
        ("name__ic=ET", [2]),
        ("name__nisw=x", [1, 2, 3]),
        ("name__empty=true", [1, 2, 3]),
    ],
)
def test_a_column_may_have_lookups_of_its_own(query: str, numbers: list[int]):
    """And whole values may be compared in another form than parts of them."""
    assert numbers == found(query)


def test_a_whole_value_may_be_refused():
    """With what its column has to say; a part of one is any text."""
    with pytest.raises(Invalid) as caught:
        select(ROWS, {"name__n": ["x"], "name__ic": ["x"]}, COLUMNS)

    assert {"name__n": ["not x"]} == caught.value.body


@pytest.mark.parametrize(
    ("wish", "numbers"),
    [
        ("", [1, 2, 3]),
        ("-id", [3, 2, 1]),
        ("on,-id", [2, 3, 1]),
        ("ends", [1, 2, 3]),
        ("-ends", [3, 2, 1]),
        ("bogus,-id", [3, 2, 1]),
        (" -id ", [3, 2, 1]),
    ],
)
def test_a_wish_sorts(wish: str, numbers: list[int]):
    """What has no value comes last, and first where the order is turned round."""
    keys = {name: column.value for name, column in COLUMNS.items()}

    assert numbers == [row.number for row in ordered(ROWS, wish, keys)]
