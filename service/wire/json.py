"""JSON as dialects send and take it; the numbers of a request stay as the client typed them."""

from __future__ import annotations

import json  # noqa: TID251 - orjson can neither keep a number's text nor indent by four
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

MAX_INDENT = 8


class BadJson(ValueError):
    """The text is not JSON; the message says what and where, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number by its text: a password typed as 007.10 or of 5,000 digits is still that."""

    text: str

    @property
    def whole(self) -> int | None:
        """The integer it is; None for fractions, exponents and what no counter reaches."""
        digits = self.text.removeprefix("-")
        return int(self.text) if digits.isdigit() and len(digits) < 20 else None


def dumps(value: Any, indent: int = 0) -> bytes:
    """*value* as UTF-8, compact, or indented by up to eight blanks a level."""
    if not indent:
        return orjson.dumps(value)
    return json.dumps(value, indent=min(indent, MAX_INDENT), ensure_ascii=False).encode()


def loads(text: str) -> Any:
    """What *text* says, numbers as ``Number``; of equal keys the last one counts. BadJson."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except RecursionError as error:
        raise BadJson("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise BadJson(str(error)) from error


def _refuse(word: str) -> NoReturn:
    raise BadJson(f"{word} is not a JSON value")
