"""How data looks: times, tables and texts that somebody else has chosen."""

from __future__ import annotations

import json

import pytest

from service.cli.shown import json_text, print_table, printable, utc


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, None),
        (1, "1970-01-01T00:00:00Z"),
        (1_790_000_000_999, "2026-09-21T14:13:20Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
        ((1 << 48) - 1, "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_iso_in_utc(ms: int, text: str | None) -> None:
    """None stands for "never", and no time is too late."""
    assert text == utc(ms)


@pytest.mark.parametrize("char", ["\0", "\n", "\x1b", "\x7f", "\x9b", "\u200e", "\u2028", "\u202e"])
def test_a_steering_character_is_shown_as_an_escape(char: str) -> None:
    """In a text, and in JSON, where it stays the same data."""
    assert printable(char).isprintable()
    assert json_text(char).isprintable()
    assert char == json.loads(json_text(char))


def test_letters_of_all_scripts_are_left_alone() -> None:
    """People have names."""
    assert ("Zoë 李雷", '"Zoë 李雷"') == (printable("Zoë 李雷"), json_text("Zoë 李雷"))


def test_a_table_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """No blanks at the end of a line, a dash for nothing, words for yes and no."""
    print_table(["a", "long"], [[True, ""], [None, "x"], [10_000, False]])

    assert "a      long\nyes    -\n-      x\n10000  no\n" == capsys.readouterr().out
