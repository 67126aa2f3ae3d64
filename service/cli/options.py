"""What all commands have in common: options, exit statuses, and how they stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import click

from service.config import Config, load
from service.config.kinds import Duration
from service.errors import ConfigError

REFUSED = 1
"""The exit status for a wish that was turned down, or could not be served."""

FAULTY = 2
"""The exit status for a wrong setting: it is the caller who has to act, as with a wrong option."""


def named_file(command: Any) -> Any:
    """The ``--config`` option, as every command has it."""
    return click.option(
        "--config",
        "path",
        metavar="FILE",
        help="Configuration file. Default: TOKENHOUSE_CONFIG, else ./tokenhouse.toml if it exists.",
    )(command)


def json_wanted(command: Any) -> Any:
    """The ``--json`` option of commands that print data."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


class Text(click.ParamType[str, str]):
    """A text that can be kept: an argument may hold bytes that are not UTF-8."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """*value* itself."""
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("this is not UTF-8", param, ctx)
        return value


class Length(click.ParamType[int, str]):
    """A length of time, as the config writes it; becomes milliseconds."""

    name = "duration"
    kind = Duration("1s", "100y")

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The milliseconds of *value*."""
        try:
            return self.kind.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def stop(status: int, line: str) -> NoReturn:
    """Say *line* and end with *status*."""
    click.echo(line, err=True)
    raise SystemExit(status)


def loaded(path: str | None, overrides: Mapping[str, object] | None = None) -> Config:
    """The config at *path*; ends with a line for each fault when it has any."""
    try:
        return load(path, overrides=overrides)
    except ConfigError as error:
        stop(FAULTY, str(error))
