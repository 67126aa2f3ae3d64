"""Checks of single values, with the framework's words for what is wrong with them. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from service.core.secret import LEAST_DIFFERENT, KeyFault
from service.model import Network
from service.wire.json import Number
from service.wire.rest import times
from service.wire.rest.data import FormData
from service.wire.rest.refusal import Invalid

T = TypeVar("T")
D = TypeVar("D")

REQUIRED = "This field is required."
NULL = "This field may not be null."
BLANK = "This field may not be blank."
NOT_TEXT = "Not a valid string."
NOT_TRUTH = "Must be a valid boolean."
NOT_WHOLE = "A valid integer is required."
TOO_LONG_A_NUMBER = "String value too large."
NO_NULS = "Null characters are not allowed."
BAD_TIME = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
TIME_OUT_OF_RANGE = "Datetime value out of range."
KEY_FAULTS = {
    KeyFault.PLAIN: f"Ensure this field has at least {LEAST_DIFFERENT} different characters.",
    KeyFault.LETTERS: "Ensure this field has visible ASCII characters only, and no comma.",
}

_TRUE = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_WHOLE = 19
_SHOWN = 40


class Wrong(ValueError):
    """A value that cannot be taken, with everything that is wrong with it."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*texts)
        self.texts = list(texts)


class Reader:
    """Takes the fields of an object one by one and keeps what is wrong with them in *errors*."""

    def __init__(self, data: Mapping[str, object]) -> None:
        self._data = data
        self.errors: dict[str, list[str]] = {}

    def take(
        self,
        name: str,
        check: Callable[[object], T],
        default: D,
        *,
        required: bool = False,
        many: bool = False,
    ) -> T | D:
        """What *check* makes of the field; *default* when it is absent or wrong.

        *many*: its value is a list, which a form sends as one field for each entry.
        """
        if name not in self._data:
            if required:
                self.errors[name] = [REQUIRED]
            return default
        try:
            return check(self._value(name, many=many))
        except Wrong as wrong:
            self.errors[name] = wrong.texts
            return default

    def wrong(self, name: str, text: str) -> None:
        """Say that the field *name* cannot be taken after all."""
        self.errors[name] = [text]

    def done(self) -> None:
        """Invalid when anything was wrong."""
        if self.errors:
            raise Invalid(self.errors)

    def _value(self, name: str, *, many: bool) -> object:
        if many and isinstance(self._data, FormData):
            return self._data.lists[name]
        return self._data[name]


def an_object(data: object) -> Mapping[str, object]:
    """*data*, which must be a JSON object (or a form). Invalid."""
    if isinstance(data, dict):
        return data
    if data is None:
        raise Invalid.whole("No data provided")
    raise Invalid.whole(f"Invalid data. Expected a dictionary, but got {kind_of(data)}.")


def kind_of(value: object) -> str:
    """How the framework names the type of a JSON value."""
    if isinstance(value, Number):
        return "int" if value.text.removeprefix("-").isdigit() else "float"
    return type(value).__name__


def nullable(check: Callable[[object], T]) -> Callable[[object], T | None]:
    """*check* for fields that may be null."""
    return lambda value: None if value is None else check(value)


def text(*, most: int, least: int = 0, blank: str = "") -> Callable[[object], str]:
    """A check for text: its ends are trimmed, numbers are text too.

    *blank* is what an empty one is refused with; it may be empty when that is empty.
    """

    def check(value: object) -> str:
        found = plain_text(value)
        if blank and not found:
            raise Wrong(blank)
        wrong = [*_lengths(found, least, most), *_characters(found)]
        if wrong:
            raise Wrong(*wrong)
        return found

    return check


def plain_text(value: object) -> str:
    """The text that a JSON string or number is, trimmed. Wrong."""
    if value is None:
        raise Wrong(NULL)
    if isinstance(value, Number):
        return value.text
    if not isinstance(value, str):
        raise Wrong(NOT_TEXT)
    return value.strip()


def _lengths(found: str, least: int, most: int) -> Iterable[str]:
    if len(found) > most:
        yield f"Ensure this field has no more than {most} characters."
    if len(found) < least:
        yield f"Ensure this field has at least {least} characters."


def _characters(found: str) -> Iterable[str]:
    if "\0" in found:
        yield NO_NULS
    surrogate = _SURROGATE.search(found)
    if surrogate:
        yield f"Surrogate characters are not allowed: U+{ord(surrogate[0]):X}."


def truth(value: object) -> bool:
    """A boolean, also spelled as text or number. Wrong."""
    if value is None:
        raise Wrong(NULL)
    if isinstance(value, bool):
        return value
    word = value.text if isinstance(value, Number) else value
    if isinstance(word, str):
        lower = word.strip().lower()
        if lower in _TRUE:
            return True
        if lower in _FALSE:
            return False
    raise Wrong(NOT_TRUTH)


def moment(*, bare_date: bool = True) -> Callable[[object], int]:
    """A check for moments, as milliseconds since the epoch; none before it."""

    def check(value: object) -> int:
        if value is None:
            raise Wrong(NULL)
        if not isinstance(value, str):
            raise Wrong(BAD_TIME)
        try:
            ms = times.parsed(value.strip(), bare_date=bare_date)
        except ValueError:
            raise Wrong(BAD_TIME) from None
        if ms < 1:
            raise Wrong(TIME_OUT_OF_RANGE)
        return ms

    return check


def whole(value: object) -> int:
    """A whole number, also spelled as text. Wrong."""
    if value is None:
        raise Wrong(NULL)
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str):
        raise Wrong(NOT_WHOLE)
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Wrong(NOT_WHOLE)
    if len(digits) > _MAX_WHOLE:
        raise Wrong(TOO_LONG_A_NUMBER)
    return int(text)


def networks(*, most: int) -> Callable[[object], tuple[Network, ...]]:
    """A check for lists of at most *most* addresses and networks without host bits."""

    def check(value: object) -> tuple[Network, ...]:
        if value is None:
            raise Wrong(NULL)
        if not isinstance(value, list):
            raise Wrong(f'Expected a list of items but got type "{kind_of(value)}".')
        if len(value) > most:
            raise Wrong(f"Ensure this field has no more than {most} elements.")
        return tuple(_network(at, item) for at, item in enumerate(value, 1))

    return check


def _network(at: int, item: object) -> Network:
    text = item.strip() if isinstance(item, str) else ""
    try:
        if "%" in text:
            raise ValueError("a zone")
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        shown = text[:_SHOWN].encode("ascii", "replace").decode()
        raise Wrong(_item(at, f"{shown} is not an IP address or prefix.")) from None
    if ipaddress.ip_interface(text).ip != found.network_address:
        raise Wrong(_item(at, f"{text} is not a valid prefix. Did you mean {found}?"))
    return found


def _item(at: int, why: str) -> str:
    return f"Item {at} in the array did not validate: {why}"
