"""Moments: milliseconds since the epoch here, ISO 8601 on the wire. Pure, without a clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?", re.ASCII)
_ZONE = re.compile(r"\s*(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?", re.ASCII)


def shown(ms: int) -> str:
    """*ms* as the framework renders it: UTC, six digits of fraction or none at all."""
    return (EPOCH + ms * MS).replace(tzinfo=None).isoformat() + "Z"


def parsed(text: str, *, bare_date: bool = True) -> int:
    """The moment that *text* names; without a zone it is UTC. ValueError.

    *bare_date* says whether a date alone is taken, as its midnight.
    """
    date = _DATE.match(text)
    if date is None:
        raise ValueError("no date")
    numbers = [int(part) for part in date.groups()]
    rest = text[date.end() :]
    if not rest and not bare_date:
        raise ValueError("no time")
    time, zone = _time(rest) if rest else ([0, 0, 0, 0], UTC)
    try:
        moment = datetime(*numbers, *time, tzinfo=zone)  # type: ignore[arg-type, misc]
        return (moment.astimezone(UTC) - EPOCH) // MS
    except OverflowError as error:
        raise ValueError("out of range") from error


def _time(rest: str) -> tuple[list[int], timezone]:
    """(hour, minute, second, microsecond) and the zone that *rest*, from ``T`` on, says."""
    found = _TIME.match(rest, 1) if rest[0] in "T " else None
    zone = _ZONE.fullmatch(rest, found.end()) if found else None
    if found is None or zone is None:
        raise ValueError("no time")
    hour, minute, second, fraction = found.groups()
    time = [int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(6, "0"))]
    _, sign, hours, minutes = zone.groups()
    if sign is None:
        return time, UTC
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return time, timezone(offset if sign == "+" else -offset)
