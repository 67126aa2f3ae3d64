"""The rows of a file: CSV with its columns in the first line, or a JSON object in each line."""

from __future__ import annotations

import csv
import json  # noqa: TID251 - orjson takes a member that is named twice
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import orjson

from service.core.cells import Row

SPAN = 300
"""How many lines a row of CSV may go over: no text that can be imported has more."""

Begins = Callable[[Row], bool]

OPEN = "a quote is opened and not closed before the next row"
LARGE = f"a cell has more than {csv.field_size_limit()} characters"
NO_CSV = "the row is not CSV"
NO_OBJECT = "the line is not a JSON object"
TWICE = "a member of the JSON object is named twice"


class Line(NamedTuple):
    """One row of the file by the *number* of its first line: *row*, or why there is none."""

    number: int
    row: Row
    fault: str = ""


# -- JSON ----------------------------------------------------------------------------------------


class _Twice(ValueError):
    """A member that is there twice: nobody knows which one counts."""


def json_lines(raw: BinaryIO) -> Iterator[Line]:
    """A row for each line that is not blank."""
    for number, line in enumerate(raw, 1):
        text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if text:
            yield _json_line(number, text)


def _json_line(number: int, text: bytes) -> Line:
    try:
        row = orjson.loads(text)
        json.loads(text, object_pairs_hook=_once)
    except _Twice:
        return Line(number, {}, TWICE)
    except (ValueError, RecursionError):
        return Line(number, {}, NO_OBJECT)
    return Line(number, row) if isinstance(row, dict) else Line(number, {}, NO_OBJECT)


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    whole = dict(members)
    if len(whole) < len(members):
        raise _Twice
    return whole


# -- CSV -----------------------------------------------------------------------------------------


class NoColumns(ValueError):
    """The first line does not name the columns that there are."""


def csv_lines(
    raw: BinaryIO, columns: Sequence[str], *, must: str, begins: Begins
) -> Iterator[Line]:
    """A row for each row below the first one, which names *columns*, *must* too. NoColumns.

    The first line is read at once. *begins* is whether a line that says this by itself must be the
    beginning of a row: then no cell goes on there, and the quote before it is a stray one.
    """
    table = _Table(raw)
    head = [name.strip().lower() for name in table.read(whole=lambda cells, taken: True).cells]
    if head:
        head[0] = head[0].removeprefix("\ufeff")
    if len({*head}) < len(head) or not {*head} <= {*columns} or must not in head:
        raise NoColumns
    return _csv_lines(table, head, begins)


def _csv_lines(table: _Table, head: list[str], begins: Begins) -> Iterator[Line]:
    def whole(cells: list[str], further: list[str]) -> bool:
        """Whether a row that went on over *further* lines swallowed none."""
        alone = (dict(zip(head, _cells(line), strict=False)) for line in further)
        return len(cells) == len(head) and not any(map(begins, alone))

    while (found := table.read(whole)).number:
        if found.fault:
            yield Line(found.number, {}, found.fault)
        elif len(found.cells) == len(head):
            yield Line(found.number, dict(zip(head, found.cells, strict=True)))
        elif found.cells:
            fault = f"the row has {len(found.cells)} cells, not {len(head)}"
            yield Line(found.number, {}, fault)


class _Found(NamedTuple):
    """A row as CSV has it; *number* 0 where the file ends."""

    number: int
    cells: list[str]
    fault: str = ""


class _Table:
    """Reads rows; whatever a quote that is never closed has swallowed is read again."""

    def __init__(self, raw: BinaryIO) -> None:
        self._lines = enumerate((line.decode("utf-8", "surrogateescape") for line in raw), 1)
        self._again: deque[tuple[int, str]] = deque()
        self._taken: list[tuple[int, str]] = []

    def read(self, whole: Callable[[list[str], list[str]], bool]) -> _Found:
        """The next row; *whole* is asked about the cells of one that went over further lines."""
        self._taken.clear()
        fault = ""
        try:
            cells = next(csv.reader(self._feed(), strict=True), [])
        except csv.Error as error:
            cells, fault = [], _fault(error)
        if not self._taken:
            return _Found(0, [])
        (number, _), *further = self._taken
        if further and (fault or not whole(cells, [line for _, line in further])):
            self._again.extendleft(reversed(further))
            return _Found(number, [], OPEN)
        return _Found(number, cells, fault)

    def _feed(self) -> Iterator[str]:
        while len(self._taken) < SPAN:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            yield line[1]


def _fault(error: csv.Error) -> str:
    if "field larger" in str(error):
        return LARGE
    return OPEN if "unexpected end" in str(error) else NO_CSV


def _cells(line: str) -> list[str]:
    """The cells of one line by itself, as far as there are any: its quotes need not be closed."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
