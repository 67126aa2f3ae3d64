"""The command as a whole: every command explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest

from service import __version__
from service.__main__ import main


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command under *group*, itself first."""
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


ALL = list(commands(main))


def named(words: tuple[str, ...]) -> click.Command:
    """The command that *words* call."""
    found: click.Command = main
    for word in words:
        assert isinstance(found, click.Group)
        found = found.commands[word]
    return found


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_an_example_of_this_very_command(terminal: Any, words: tuple[str, ...]) -> None:
    """It can be copied: the example calls the command by its name."""
    text = terminal.ok(*words, "--help")

    assert "Example:\n" in text
    assert " ".join(("tokenhouse", *words)) in text.partition("Example:\n")[2]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_takes_the_config_file(words: tuple[str, ...]) -> None:
    """A group has none: its commands do."""
    command = named(words)
    options = {option for param in command.params for option in param.opts}

    assert isinstance(command, click.Group) or "--config" in options


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    """No option is left to be guessed."""
    options = [param for param in named(words).params if isinstance(param, click.Option)]

    assert [] == [option.name for option in options if not option.help]


def test_no_command_takes_a_password_or_token_as_an_argument() -> None:
    """An argument shows in the list of processes, and stays in the shell's history."""
    params = [param for words in ALL for param in named(words).params]
    flags = [param for param in params if isinstance(param, click.Option) and param.is_flag]

    assert [] == [
        param.name
        for param in params
        if param not in flags and any("password" in word or "token" in word for word in param.opts)
    ]


def test_version_names_the_release(terminal: Any) -> None:
    """One line, fit for a bug report."""
    assert f"tokenhouse, version {__version__}\n" == terminal.ok("--version")
