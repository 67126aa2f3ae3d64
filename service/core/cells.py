"""The cells of a row from a file: texts, or what JSON has for them. Pure.

What a row says is never repeated in a reason: a cell in the wrong column may be a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.errors import BadName
from service.model import canonical_name

Row = Mapping[str, object]

_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "1"), True),
    **dict.fromkeys(("false", "f", "no", "0"), False),
    **dict.fromkeys(("", "null", "none")),
}


class BadRow(ValueError):
    """A row that cannot go in; the message says why, without anything the row says."""


def known(row: Row, columns: Sequence[str]) -> None:
    """BadRow when *row* has a column that is none of *columns*."""
    if not row.keys() <= {*columns}:
        raise BadRow(f"it has a column that is not one of {', '.join(columns)}")


def text(row: Row, name: str) -> str:
    """The text in the column *name*, trimmed; empty where nothing is said. BadRow."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow(f"{name} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRow(f"{name} is not UTF-8") from None
    return value.strip()


def truth(row: Row, name: str) -> bool | None:
    """The truth in the column *name*; None where nothing is said. BadRow."""
    value = row.get(name)
    if isinstance(value, bool):
        return value
    word = text(row, name).lower()
    if word not in _TRUTHS:
        raise BadRow(f"{name} is neither true nor false")
    return _TRUTHS[word]


def user_name(row: Row, name: str) -> str:
    """The name of a user in the column *name*, as it is kept. BadRow."""
    try:
        return canonical_name(text(row, name))
    except BadName as error:
        raise BadRow(f"{name}: {error}") from None
