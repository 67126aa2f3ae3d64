"""What a body may hold: its keys, what each must be, and the answer to one that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.dialects.puppet import texts
from service.dialects.puppet.lifetime import lifetime, most_of
from service.dialects.puppet.refusal import Refused, echo
from service.model import Policy
from service.wire import json
from service.wire.json import Number

LABEL = 200
TEXT = 1000
SHOWN = 20
"""How many keys of a body that does not fit are said back."""

MISSING = "missing-required-key"
UNKNOWN = "disallowed-key"
HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a body: *read* gives its value, or raises ValueError with what is wrong."""

    kind: str
    read: Callable[[Any], Any]
    needed: bool = False
    secret: bool = False


Schema = Mapping[str, Key]


def string(value: object) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("not a boolean")
    return value


def text(value: object) -> str:
    """A text that can be kept, of at most 1,000 characters."""
    kept = _writable(string(value))
    if len(kept) > TEXT:
        raise ValueError(f"more than {TEXT} characters")
    return kept


def label(value: object) -> str:
    """A label, trimmed: 1 to 200 characters without a comma."""
    kept = _writable(string(value)).strip()
    if not kept:
        raise ValueError("nothing but white space")
    if len(kept) > LABEL:
        raise ValueError(f"more than {LABEL} characters")
    if "," in kept:
        raise ValueError("has a comma")
    return kept


def _writable(value: str) -> str:
    if "\0" in value:
        raise ValueError("has a null character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("has half a surrogate pair") from None
    return value


def wishes(policy: Policy) -> Schema:
    """What somebody may want of a new token under *policy*; the lifetime becomes milliseconds."""
    length = partial(lifetime, most_ms=most_of(policy))
    return {
        "lifetime": Key("string", length),
        "label": Key("string", label),
        "description": Key("string", text),
        "client": Key("string", text),
    }


def logins(policy: Policy) -> Schema:
    """The same, and who wants it."""
    return {
        "login": Key("string", string, needed=True),
        "password": Key("string", string, needed=True, secret=True),
        **wishes(policy),
    }


def conform(data: object, schema: Schema) -> dict[str, Any]:
    """The values of *data* that are there; null is absent. Refused, with everything wrong."""
    if not isinstance(data, dict):
        raise _violation({}, schema, "not an object")
    faults = {echo(name): UNKNOWN for name in list(data)[:SHOWN] if name not in schema}
    values: dict[str, Any] = {}
    for name, key in schema.items():
        value = data.get(name)
        try:
            if value is not None:
                values[name] = key.read(value)
            elif key.needed:
                faults[name] = MISSING
        except ValueError as error:
            faults[name] = str(error)
    if faults or not data.keys() <= schema.keys():
        raise _violation(data, schema, faults)
    return values


def _violation(data: Mapping[str, Any], schema: Schema, fault: str | dict[str, str]) -> Refused:
    details = {
        "submitted": {
            echo(name): _shown(value, schema.get(name))
            for name, value in list(data.items())[:SHOWN]
        },
        "schema": {
            name: key.kind if key.needed else f"optional {key.kind}" for name, key in schema.items()
        },
        "error": fault,
    }
    told = fault if isinstance(fault, str) else json.dumps(fault).decode()
    return Refused(400, texts.SCHEMA, texts.NOT_CONFORM.format(told), details=details)


def _shown(value: object, key: Key | None) -> object:
    """*value* as it may be said back: a mistyped name may stand before a password."""
    if key is None or key.secret:
        return HIDDEN
    if isinstance(value, str):
        return echo(value)
    if isinstance(value, Number):
        return echo(value.text)
    return value if value is None or isinstance(value, bool) else "(nested)"
