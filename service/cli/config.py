"""``tokenhouse config``: is the configuration sound, and what is in force."""

from __future__ import annotations

from collections.abc import Iterator

import click

from service.cli.doctor import of_config
from service.cli.options import FAULTY, json_wanted, named_file, stop
from service.cli.shown import json_text, print_json, printable, say
from service.config import Config, config_file, knobs, trace
from service.errors import ConfigError


@click.group()
def config() -> None:
    """Check the configuration, or show what is in force.

    \b
    Example:
      tokenhouse config check --config /etc/tokenhouse.toml
    """


@config.command()
@named_file
def check(path: str | None) -> None:
    """Say whether the configuration is sound, and what is wrong with it.

    Exits 0 when it is sound, and 2 with one line for each fault when it is not. What is sound and
    still unwise is warned of, as ``doctor`` does.

    \b
    Example:
      tokenhouse config check --config /etc/tokenhouse.toml
    """
    found, _ = _traced(path)
    for finding in of_config(found):
        if finding.level != "ok":
            click.echo(f"warning: {finding.subject}: {finding.text}", err=True)
    click.echo(f"config ok: {config_file(path) or 'no file, defaults and environment'}")


@config.command()
@named_file
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@json_wanted
def show(path: str | None, origin: bool, as_json: bool) -> None:
    """Print every setting with its value. Secrets are masked; references to them are not.

    \b
    Example:
      tokenhouse config show --origin
    """
    loaded, origins = _traced(path)
    values = dict(_values(loaded))
    if as_json:
        print_json(_with_origins(values, origins) if origin else values)
        return
    for key, value in values.items():
        line = f"{key} = {json_text(value)}"
        say(f"{line}  # {printable(origins[key])}" if origin else line)


def _traced(path: str | None) -> tuple[Config, dict[str, str]]:
    try:
        return trace(path)
    except ConfigError as error:
        stop(FAULTY, str(error))


def _values(loaded: Config) -> Iterator[tuple[str, object]]:
    """Every key with its value as the file would have it."""
    for key, knob in knobs().items():
        value: object = loaded
        for name in key.split("."):
            value = getattr(value, name)
        yield key, knob.kind.show(value)


def _with_origins(values: dict[str, object], origins: dict[str, str]) -> dict[str, object]:
    return {key: {"value": value, "origin": origins[key]} for key, value in values.items()}
