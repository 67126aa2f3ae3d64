"""``tokenhouse config``: what check and show print, and how they exit."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli.config import config
from service.config import knobs

KEY = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TOKENHOUSE_")]:
        monkeypatch.delenv(name)


def run(*args: str, **env: str) -> Result:
    """Run ``tokenhouse config`` with *args*."""
    return CliRunner().invoke(config, args, env=env)


def test_a_sound_file_is_said_to_be_so(tmp_path: Path):
    """Check names the file it has read, and exits 0."""
    file = tmp_path / "house.toml"
    file.write_text("[server]\nport = 8001\n")

    result = run("check", "--config", str(file))

    assert (0, f"config ok: {file}\n", "") == (result.exit_code, result.stdout, result.stderr)


def test_no_file_is_sound_too():
    """Check says when there was no file to read."""
    result = run("check")

    assert (0, "config ok: no file, defaults and environment\n") == (
        result.exit_code,
        result.stdout,
    )


def test_what_is_unwise_is_warned_of():
    """It is sound all the same; the warnings go to standard error."""
    result = run("check", TOKENHOUSE_LOGIN__PUPPET_LOCKOUT="revoke", TOKENHOUSE_LOGIN__ATTEMPTS="0")

    assert (0, True) == (result.exit_code, result.stdout.startswith("config ok: "))
    assert ["warning: login.attempts:", "warning: login.puppet_lockout:"] == [
        " ".join(line.split()[:2]) for line in result.stderr.splitlines()
    ]


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_faulty_config_is_two_and_a_line_for_each_fault(command: str):
    """The lines go to standard error, nothing to standard output."""
    result = run(command, TOKENHOUSE_SERVER__PORT="x", TOKENHOUSE_NO="1")

    assert (2, "", 2) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))


def test_show_prints_what_the_file_could_have_said():
    """Every setting is one line, and the lines are TOML."""
    result = run("show", TOKENHOUSE_POLICY__TOWER__IDLE="900")

    assert list(knobs()) == [line.split(" = ")[0] for line in result.stdout.splitlines()]
    assert "15m" == tomllib.loads(result.stdout)["policy"]["tower"]["idle"]


def test_show_origin_says_where_each_value_is_from(tmp_path: Path):
    """Default, file and variable are told apart."""
    (tmp_path / "tokenhouse.toml").write_text("[log]\nlevel = 'debug'\n")

    lines = run("show", "--origin", TOKENHOUSE_SERVER__PORT="8001").stdout.splitlines()

    assert "server.port = 8001  # TOKENHOUSE_SERVER__PORT" in lines
    assert 'log.level = "debug"  # ./tokenhouse.toml' in lines
    assert 'log.format = "json"  # default' in lines


def test_show_json_is_one_object():
    """Without origins each key has its value, with them a value and an origin."""
    env = {"TOKENHOUSE_SERVER__PORT": "8001"}

    assert 8001 == json.loads(run("show", "--json", **env).stdout)["server.port"]
    assert {"value": 8001, "origin": "TOKENHOUSE_SERVER__PORT"} == json.loads(
        run("show", "--json", "--origin", **env).stdout
    )["server.port"]


@pytest.mark.parametrize("flags", [(), ("--origin",), ("--json",), ("--json", "--origin")])
def test_show_masks_secrets(flags: tuple[str, ...]):
    """A key and the store's password are masked; a reference is shown as it is."""
    result = run(
        "show",
        *flags,
        TOKENHOUSE_SECRET__KEYS=f"{KEY},env:MY_KEY",
        MY_KEY=KEY[::-1],
        TOKENHOUSE_STORE__URL="redis://u:hunter2@h",
    )

    assert 0 == result.exit_code
    assert "env:MY_KEY" in result.stdout
    assert "********" in result.stdout
    for hidden in (KEY, KEY[::-1], "hunter2"):
        assert hidden not in result.stdout


@pytest.mark.parametrize("command", [(), ("check",), ("show",)])
def test_help_has_an_example(command: tuple[str, ...]):
    """Every command shows how it is called."""
    assert "Example:\n" in run(*command, "--help").stdout
    assert "tokenhouse config " in run(*command, "--help").stdout
