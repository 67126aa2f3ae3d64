"""How a secret gets in: asked for on a terminal or read from standard input, never an argument."""

from __future__ import annotations

import sys
from typing import Any

import click

from service.cli.options import FAULTY, stop

LONGEST = 64 * 1024


def password_option(command: Any) -> Any:
    """The ``--password-stdin`` option."""
    return click.option(
        "--password-stdin",
        "from_stdin",
        is_flag=True,
        help="Read the password from standard input (one line) instead of asking for it.",
    )(command)


def new_password(from_stdin: bool) -> str:
    """A password that somebody chooses now."""
    if from_stdin:
        return one_line("password")
    if not sys.stdin or not sys.stdin.isatty():
        stop(FAULTY, "there is no terminal to ask for a password on: use --password-stdin")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)


def one_line(what: str) -> str:
    """The one line on standard input, without its end."""
    raw = sys.stdin.buffer.read(LONGEST + 1) if sys.stdin else b""
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > LONGEST or b"\n" in line:
        stop(FAULTY, f"standard input holds more than one line, so it is not a {what}")
    try:
        return line.decode()
    except UnicodeDecodeError:
        stop(FAULTY, f"the {what} on standard input is not UTF-8")
