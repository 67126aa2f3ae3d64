"""What all commands on the shared store have in common: how they fail before they begin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.cli.session import explained
from service.errors import (
    BadName,
    Busy,
    NoSuchToken,
    NoSuchUser,
    TokenhouseError,
    TooManyTokens,
)
from tests.servers import Server, free_port

COMMANDS = [
    ("user", "add", "bob", "--password-stdin"),
    ("user", "list"),
    ("user", "show", "bob"),
    ("user", "passwd", "bob", "--password-stdin"),
    ("user", "disable", "bob"),
    ("user", "enable", "bob"),
    ("user", "delete", "bob", "--yes"),
    ("token", "list"),
    ("token", "show", "1"),
    ("token", "revoke", "--id", "1"),
    ("token", "revoke", "--user", "bob"),
    ("token", "revoke", "--user", "bob", "--label", "ci"),
    ("token", "revoke", "--stdin"),
    ("token", "issue", "--user", "bob", "--policy", "netbox"),
]
every_command = pytest.mark.parametrize("args", COMMANDS, ids=" ".join)


@pytest.mark.parametrize("args", [*COMMANDS, ("store", "init")], ids=" ".join)
def test_the_embedded_store_is_out_of_reach(terminal: Any, args: tuple[str, ...]) -> None:
    """It lives in the serving process: a command would change a store of its own."""
    result = terminal(*args, piped="x\n")

    line = "store.url is memory://: that store lives inside the serving process only, "
    assert (2, "", line + "no command can reach it\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )


@every_command
def test_a_store_that_is_not_set_up_is_left_alone(
    unborn: Any, redis_server: Server, args: tuple[str, ...]
) -> None:
    """The line says what to run, and nothing is written."""
    result = unborn(*args, piped="x\n")

    assert (1, "", "store: not set up: run tokenhouse store init\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert 0 == redis_server.cli("DBSIZE")


@pytest.mark.parametrize("args", [*COMMANDS, ("store", "init")], ids=" ".join)
def test_a_store_that_is_away_is_one_line(
    unborn: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """No traceback, no log line, no waiting."""
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    result = unborn(*args, piped="x\n")

    assert (1, "", "store: unreachable\n") == (result.exit_code, result.stdout, result.stderr)


def test_a_store_that_refuses_is_one_line(
    unborn: Any, monkeypatch: pytest.MonkeyPatch, server_factory: Any
) -> None:
    """The log line of the store's client does not come on top."""
    server = server_factory(conf={"user": ["default on nopass ~* &* +@all -get"]})
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", server.url)

    result = unborn("user", "list")

    assert (1, "") == (result.exit_code, result.stdout)
    assert re.fullmatch(r"store: \w+\n", result.stderr)


def test_the_config_file_is_the_one_named(run: Any, tmp_path: Path) -> None:
    """A prefix from the file leads to a store of its own."""
    file = tmp_path / "house.toml"
    file.write_text('[store]\nprefix = "other:"\n')

    run.ok("store", "init", "--config", str(file))
    run.ok("user", "add", "bob", "--password-stdin", "--config", str(file), piped="x\n")

    assert [1, 0] == [
        len(run.json("user", "list", "--config", str(file))),
        len(run.json("user", "list")),
    ]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NoSuchUser("a\nb"), "no user called 'a\\nb'"),
        (NoSuchToken("'\x9b"), 'no such token: "\'\\x9b"'),
        (TooManyTokens(3), "this user already has 3 tokens"),
        (BadName("a\nb"), "a\\nb"),
        (Busy(), "password checks are queued up"),
    ],
)
def test_an_error_is_explained_in_one_printable_line(error: TokenhouseError, line: str) -> None:
    """What somebody else has chosen is quoted and escaped."""
    assert line == explained(error)


@every_command
def test_a_wrong_config_is_two_and_a_line_for_each_fault(
    unborn: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """Nothing is tried with a config that is not sound."""
    monkeypatch.setenv("TOKENHOUSE_SERVER__PORT", "x")
    monkeypatch.setenv("TOKENHOUSE_NO", "1")

    result = unborn(*args, piped="x\n")

    assert (2, "", 2) == (result.exit_code, result.stdout, result.stderr.count("\n"))
