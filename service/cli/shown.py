"""How data looks on a terminal and as JSON: nothing that was stored can steer the terminal."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
import orjson

NONE = "-"
LAST_MS = 253_402_300_799_000
"""The end of the year 9999, after which ISO 8601 has no more four-digit years."""

_STEERING = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What JSON leaves as it is and a terminal may obey."""


def printable(text: str) -> str:
    """*text* with every character escaped that would not be seen as itself."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def json_text(value: object, *, indent: bool = False) -> str:
    """*value* as JSON that is safe to look at."""
    raw = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", raw)


def utc(ms: int) -> str | None:
    """*ms* since the epoch as ISO 8601 in UTC; None for 0."""
    if not ms:
        return None
    moment = datetime.fromtimestamp(min(ms, LAST_MS) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def heard() -> None:
    """OSError when standard output was closed by whoever started the command."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def say(text: str) -> None:
    """Print the line *text* on standard output. OSError when nobody gets it."""
    heard()
    click.echo(text)


def print_json(value: object) -> None:
    """Print *value* for a program."""
    say(json_text(value, indent=True))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print *rows* under *head*, each column as wide as it needs."""
    lines = [list(head), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        say("  ".join(padded).rstrip())


def print_facts(facts: dict[str, object]) -> None:
    """Print one line for each fact."""
    width = max(map(len, facts)) + 1
    for key, value in facts.items():
        say(f"{key.replace('_', ' ') + ':':<{width}} {cell(value)}")


def cell(value: object) -> str:
    """*value* in a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return NONE if value in (None, "") else printable(str(value))
