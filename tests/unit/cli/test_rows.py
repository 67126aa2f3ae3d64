"""Files as they are read: every row by its line, also those that a stray quote swallows."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cli.importing import TOKENS
from service.cli.rows import (
    LARGE,
    NO_CSV,
    NO_OBJECT,
    OPEN,
    SPAN,
    TWICE,
    Line,
    NoColumns,
    csv_lines,
    json_lines,
)

HEAD = "key,owner,description"
KEYS = [hashlib.sha1(b"%d" % number).hexdigest() for number in range(700)]


def table(*texts: str, head: str = HEAD) -> list[Line]:
    """What the lines *texts* below *head* are read as."""
    raw = io.BytesIO("\n".join([head, *texts]).encode())
    return list(csv_lines(raw, TOKENS.columns, must="owner", begins=TOKENS.begins))


def told(lines: list[Line]) -> list[tuple[int, str]]:
    """The number of each row, with its fault or its description."""
    return [(line.number, line.fault or str(line.row["description"])) for line in lines]


def test_a_quote_that_is_never_closed_costs_its_own_row_alone() -> None:
    """However many rows it swallows."""
    rows = [f"{key},bob,row" for key in KEYS]

    assert [(2, OPEN), *((number, "row") for number in range(3, 703))] == told(
        table(f'{KEYS[0]},bob,"open', *rows)
    )
    assert [(2, "row"), (3, OPEN)] == told(table(rows[0], f'{KEYS[1]},bob,"open'))


@pytest.mark.parametrize(
    "closing", ['disk 5"', '"x"', '"{10.0.0.0/8,::1/128}"', '""', 'a "b" c', '"two\nlines"']
)
def test_a_quote_that_a_later_row_closes_costs_its_own_row_alone(closing: str) -> None:
    """What stands between is no text of anybody's: it has keys."""
    rows = table(f'{KEYS[0]},bob,"open', f"{KEYS[1]},bob,", f"{KEYS[2]},bob,{closing}")

    assert [(2, OPEN), (3, "")] == told(rows)[:2]
    assert [KEYS[1], KEYS[2]] == [line.row["key"] for line in rows[1:]]


def test_a_cell_may_go_over_many_lines() -> None:
    """Blank ones, and such as look like a row without a key."""
    text = "two\n\nwords,bob,more\n" + "\n" * (SPAN - 10)
    rows = table(f'{KEYS[0]},bob,"{text}"', f"{KEYS[1]},bob,x")

    assert [(2, text), (2 + text.count("\n") + 1, "x")] == told(rows)


def test_a_row_of_many_lines_with_too_many_cells_is_refused() -> None:
    """What follows is looked at by itself."""
    rows = table(f'{KEYS[0]},bob,"two\nlines",more', f"{KEYS[1]},bob,x")

    assert [(2, OPEN), (3, "the row has 2 cells, not 3"), (4, "x")] == told(rows)


def test_a_cell_that_is_too_large_says_so() -> None:
    """It is neither cut nor kept."""
    rows = table(f"{KEYS[0]},bob,{'x' * 200_000}", f'{KEYS[1]},bob,"a"b', f"{KEYS[2]},bob,")

    assert [(2, LARGE), (3, NO_CSV), (4, "")] == told(rows)


DESCRIPTION = st.sampled_from(
    ['"', '"open', 'close"', '""', '"quoted, well"', '"two\nlines"', "5 inch", 'a"b', '"a"b', "'"]
)


@pytest.mark.parametrize(
    ("head", "tail"), [(HEAD, ""), (HEAD + ",allowed_ips", ","), (HEAD + ",expires", ',""')]
)
@given(descriptions=st.lists(DESCRIPTION, max_size=30))
def test_every_row_is_read_or_refused_by_its_own_line(
    head: str, tail: str, descriptions: list[str]
) -> None:
    """Wherever the quotes are, each line that begins with a key is told of once."""
    texts = [f"{key},bob,{text}{tail}" for key, text in zip(KEYS, descriptions, strict=False)]
    physical = "\n".join([head, *texts]).split("\n")
    begin = {at: line[:40] for at, line in enumerate(physical, 1) if ",bob," in line}

    lines = table(*texts, head=head)

    numbers = [line.number for line in lines]
    assert sorted(set(numbers)) == numbers
    assert begin.keys() <= {*numbers}
    assert all(begin[line.number] == line.row["key"] for line in lines if not line.fault)
    plain = [at for at, text in enumerate(physical, 1) if '"' not in text and at in begin]
    assert not [line for line in lines if line.number in plain and line.fault]


@pytest.mark.parametrize("head", ["", '"', "key", "key,owner,key", "key;owner", "keys,owner"])
def test_a_head_that_names_no_columns_is_none(head: str) -> None:
    """It is looked at before any row."""
    raw = io.BytesIO(f"{head}\n{KEYS[0]},bob".encode())
    with pytest.raises(NoColumns):
        csv_lines(raw, TOKENS.columns, must="owner", begins=TOKENS.begins)


@pytest.mark.parametrize(
    ("text", "row", "fault"),
    [
        ('{"owner":"bob"}', {"owner": "bob"}, ""),
        ('{"owner":"bob","owner":"ada"}', {}, TWICE),
        ('{"a":[{"b":1,"b":1}]}', {}, TWICE),
        ("[]", {}, NO_OBJECT),
        ("{", {}, NO_OBJECT),
        ('{"a":NaN}', {}, NO_OBJECT),
        ('{"a":' * 900 + "1" + "}" * 900, None, ""),
        ("[" * 100_000, {}, NO_OBJECT),
    ],
)
def test_a_line_of_json_is_an_object_or_refused(
    text: str, row: Mapping[str, object] | None, fault: str
) -> None:
    """Of a member that is named twice nobody knows which one counts."""
    (line,) = json_lines(io.BytesIO(text.encode()))

    assert (1, fault) == (line.number, line.fault)
    assert row is None or row == line.row
