"""How each kind of value is written, checked and shown again; no knob is named here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import orjson
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from service.model import Network

_SECOND = 1_000
_DAY = 86_400 * _SECOND
_TIMES = {
    "y": 365 * _DAY,
    "d": _DAY,
    "h": 3_600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    "ms": 1,
}
_SIZES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "": 1}
_FLAGS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_SHOWN_CHARS = 80


def quote(raw: object) -> str:
    """*raw* as an error line shows it: one line, cut when it is long."""
    if isinstance(raw, bool):
        return str(raw).lower()
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(raw))
    if len(text) > _SHOWN_CHARS:
        text = text[:_SHOWN_CHARS] + "..."
    return f'"{text}"' if isinstance(raw, str) else text


def milliseconds(raw: object) -> int | None:
    """The length *raw* stands for, a bare number being seconds; None when it is none."""
    return _scaled(raw, _TIMES, bare=_SECOND)


def octets(raw: object) -> int | None:
    """The size *raw* stands for, a bare number being bytes; None when it is none."""
    return _scaled(raw, _SIZES, bare=1)


def entries(raw: object) -> list[object] | None:
    """The entries of a list, which a variable spells with commas or as JSON; None when neither."""
    if isinstance(raw, list | tuple):
        return list(raw)
    if not isinstance(raw, str):
        return None
    if raw.lstrip().startswith("["):
        return _json_list(raw)
    return [part.strip() for part in raw.split(",") if part.strip()]


class Kind:
    """A way of writing values. *parse* raises ValueError with the value and what is allowed."""

    @property
    def unit(self) -> str:
        """What a value counts, for the manual."""
        raise NotImplementedError

    @property
    def range(self) -> str:
        """What is allowed, for the manual."""
        raise NotImplementedError

    @property
    def expects(self) -> str:
        """What is allowed, as an error line says it."""
        return self.range

    def parse(self, raw: object) -> Any:
        """The value that *raw* stands for."""
        raise NotImplementedError

    def show(self, value: Any) -> Any:
        """A parsed *value* as the file would have it."""
        return value

    def refuse(self, raw: object) -> ValueError:
        """The error for a *raw* that is not allowed."""
        return ValueError(f"{quote(raw)} is not {self.expects}")

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.show),
        )


@dataclass(frozen=True)
class Duration(Kind):
    """A length of time from *low* to *high*, kept in milliseconds."""

    low: str
    high: str
    zero: bool = False
    whole_seconds: bool = False

    unit = "time (ms, s, m, h, d, y; a bare number is seconds)"

    @property
    def range(self) -> str:
        words = f"{self.low} to {self.high}"
        if self.zero:
            words = f"0, or {words}"
        return words + (", whole seconds" if self.whole_seconds else "")

    @property
    def expects(self) -> str:
        return f'a duration ("150ms", "30s", "12h") within {self.range}'

    def parse(self, raw: object) -> int:
        value = milliseconds(raw)
        if value is None or not self._allows(value):
            raise self.refuse(raw)
        return value

    def show(self, value: int) -> str:
        return _spelled(value, _TIMES)

    def _allows(self, value: int) -> bool:
        if value == 0:
            return self.zero
        if self.whole_seconds and value % _SECOND:
            return False
        return (milliseconds(self.low) or 0) <= value <= (milliseconds(self.high) or 0)


@dataclass(frozen=True)
class Size(Kind):
    """A number of bytes from *low* to *high*."""

    low: str
    high: str

    unit = "bytes (KiB, MiB, GiB; a bare number is bytes)"

    @property
    def range(self) -> str:
        return f"{self.low} to {self.high}"

    @property
    def expects(self) -> str:
        return f'a size ("64KiB", "19MiB") within {self.range}'

    def parse(self, raw: object) -> int:
        value = octets(raw)
        if value is None or not (octets(self.low) or 0) <= value <= (octets(self.high) or 0):
            raise self.refuse(raw)
        return value

    def show(self, value: int) -> str:
        return _spelled(value, _SIZES)


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from *low* to *high*; *unlimited* allows -1 as well."""

    low: int
    high: int
    unit: str = "a number"
    unlimited: bool = False

    @property
    def range(self) -> str:
        return ("-1 (no limit), or " if self.unlimited else "") + f"{self.low} to {self.high}"

    @property
    def expects(self) -> str:
        return f"a whole number within {self.range}"

    def parse(self, raw: object) -> int:
        value = _whole(raw)
        if value is None or not (
            self.low <= value <= self.high or (self.unlimited and value == -1)
        ):
            raise self.refuse(raw)
        return value


@dataclass(frozen=True)
class Flag(Kind):
    """A switch; a variable may also say yes, no, on, off, 1 and 0."""

    unit = "a switch"
    range = "true or false"

    def parse(self, raw: object) -> bool:
        value = raw if isinstance(raw, bool) else _FLAGS.get(str(raw).strip().lower())
        if value is None:
            raise self.refuse(raw)
        return value


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few *words*."""

    words: tuple[str, ...]

    unit = "a word"

    @property
    def range(self) -> str:
        return " | ".join(self.words)

    @property
    def expects(self) -> str:
        return "one of " + ", ".join(self.words)

    def parse(self, raw: object) -> str:
        if not isinstance(raw, str) or raw not in self.words:
            raise self.refuse(raw)
        return raw


@dataclass(frozen=True)
class Words(Kind):
    """A list of some of a few *words*, none twice; one at least, unless it may be *empty*."""

    words: tuple[str, ...]
    empty: bool = False

    unit = "a list of words"

    @property
    def range(self) -> str:
        least = "any" if self.empty else "one or more"
        return f"{least} of {', '.join(self.words)}, each once"

    def parse(self, raw: object) -> tuple[str, ...]:
        listed = tuple(str(entry) for entry in entries(raw) or ())
        if not (listed or self.empty) or len(set(listed)) < len(listed):
            raise self.refuse(raw)
        for word in listed:
            if word not in self.words:
                raise ValueError(f"{quote(word)} is not one of {', '.join(self.words)}")
        return listed

    def show(self, value: Iterable[str]) -> list[str]:
        return list(value)


@dataclass(frozen=True)
class Text(Kind):
    """A text of the given *pattern*, which *allowed* describes to people."""

    pattern: str
    allowed: str
    lower: bool = False

    unit = "text"

    @property
    def range(self) -> str:
        return self.allowed

    def parse(self, raw: object) -> str:
        if not isinstance(raw, str) or not re.fullmatch(self.pattern, raw):
            raise self.refuse(raw)
        return raw.lower() if self.lower else raw


@dataclass(frozen=True)
class Texts(Kind):
    """A list of texts of the given *pattern*, which *allowed* describes to people; none twice."""

    pattern: str
    allowed: str

    unit = "a list of texts"

    @property
    def range(self) -> str:
        return self.allowed

    def parse(self, raw: object) -> tuple[str, ...]:
        listed = entries(raw)
        if listed is None:
            raise ValueError(f"{quote(raw)} is not a list of {self.allowed}")
        for entry in listed:
            if not isinstance(entry, str) or not re.fullmatch(self.pattern, entry):
                raise ValueError(f"{quote(entry)} is none of {self.allowed}")
        return tuple(dict.fromkeys(str(entry) for entry in listed))

    def show(self, value: Iterable[str]) -> list[str]:
        return list(value)


@dataclass(frozen=True)
class Networks(Kind):
    """A list of addresses and networks."""

    unit = "a list of networks"
    range = 'addresses and CIDRs, as ["10.0.0.0/8", "::1"]'

    def parse(self, raw: object) -> tuple[Network, ...]:
        listed = entries(raw)
        if listed is None:
            raise ValueError(f"{quote(raw)} is not a list of networks")
        return tuple(self._network(entry) for entry in listed)

    def show(self, value: Iterable[Network]) -> list[str]:
        return [str(network) for network in value]

    def _network(self, entry: object) -> Network:
        # ip_network takes a bare number for an address: 10 would trust 0.0.0.10.
        if not isinstance(entry, str):
            raise ValueError(f"{quote(entry)} is not an address or a CIDR in quotes")
        try:
            return ip_network(entry)
        except ValueError as error:
            hint = "host bits are set" if "host bits" in str(error) else 'as "10.0.0.0/8" or "::1"'
            raise ValueError(f"{quote(entry)} is not an address or a CIDR ({hint})") from None


def _scaled(raw: object, units: dict[str, int], *, bare: int) -> int | None:
    found = re.fullmatch(r"([0-9]{1,15})([A-Za-z]*)", _plain(raw))
    if found is None:
        return None
    digits, unit = found.groups()
    factor = units.get(unit) if unit else bare
    return None if factor is None else int(digits) * factor


def _spelled(value: int, units: dict[str, int]) -> str:
    """*value* in the largest unit that divides it."""
    if value == 0:
        return "0"
    unit, factor = next(item for item in units.items() if value % item[1] == 0)
    return f"{value // factor}{unit}"


def _whole(raw: object) -> int | None:
    text = _plain(raw)
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None


def _plain(raw: object) -> str:
    """A number or a text as text; nothing else, and no switch in a number's clothes."""
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        return ""
    return str(raw).strip()


def _json_list(raw: str) -> list[object] | None:
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, list) else None
