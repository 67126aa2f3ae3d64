"""How long a token shall live, as clients say it. Pure."""

from __future__ import annotations

import re

from service.model import Policy
from service.wire.json import Number

_SECOND = 1000
_DAY = 86_400 * _SECOND
UNITS = {
    "": _SECOND,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
    "d": _DAY,
    "y": 365 * _DAY,
}
"""Milliseconds; a bare number is seconds."""
EVER = 100 * UNITS["y"]
"""The longest life where the config has no limit."""

_GRAMMAR = re.compile(r"([0-9]{1,20})([ydhms]?)")


def most_of(policy: Policy) -> int:
    """The longest life that *policy* lets a token have, in ms; 0 for ever."""
    return min((age for age in (policy.max_lifetime_ms, policy.max_age_ms) if age), default=0)


def lifetime(value: object, most_ms: int) -> int:
    """The life in ms that *value* asks for: digits and at most one unit, or a number of seconds.

    Zero is *most_ms*, the maximum. ValueError says what is wrong.
    """
    text = value.text if isinstance(value, Number) else value
    found = _GRAMMAR.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("not a lifetime: digits, and one of y, d, h, m, s or nothing")
    length = int(found[1]) * UNITS[found[2]]
    if length > (most_ms or EVER):
        raise ValueError(f"more than the maximum of {(most_ms or EVER) // _SECOND} seconds")
    return length or most_ms
