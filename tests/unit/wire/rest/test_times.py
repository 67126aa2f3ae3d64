"""Moments are read as ISO 8601 and written in UTC, with a fraction only where there is one."""

from __future__ import annotations

import pytest

from service.wire.rest import times


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2030-01-01", "2030-01-01T00:00:00Z"),
        ("2030-1-1 1:2", "2030-01-01T01:02:00Z"),
        ("2030-01-01T01:02:03Z", "2030-01-01T01:02:03Z"),
        ("2030-01-01T01:02:03.5Z", "2030-01-01T01:02:03.500000Z"),
        ("2030-01-01T01:02:03,123456789", "2030-01-01T01:02:03.123000Z"),
        ("2030-01-01T01:00:00+02:00", "2029-12-31T23:00:00Z"),
        ("2030-01-01T01:00:00 -0230", "2030-01-01T03:30:00Z"),
        ("2030-01-01T01:00:00+02", "2029-12-31T23:00:00Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999000Z"),
    ],
)
def test_what_is_read_is_written_in_utc(text: str, shown: str):
    """Without a zone it is UTC; of a fraction the milliseconds count."""
    assert shown == times.shown(times.parsed(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "20300101",
        "2030-W01-1",
        "2030-13-01",
        "2030-01-01T",
        "2030-01-01x01:00",
        "2030-01-01T25:00",
        "2030-01-01T01:00:00Zz",
        "2030-01-01T01:00:00+25:00",
        "٢٠٣٠-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_all_else_is_no_moment(text: str):
    """Nor is what the calendar, or our reckoning, does not have."""
    with pytest.raises(ValueError, match=r".+"):
        times.parsed(text)


def test_a_bare_date_may_be_unwanted():
    """Nautobot does not take it."""
    with pytest.raises(ValueError, match="no time"):
        times.parsed("2030-01-01", bare_date=False)
