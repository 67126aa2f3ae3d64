"""The command line against a real Redis, configured by the environment alone."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.__main__ import main
from service.config import load
from service.house import House, build
from tests.servers import Server

KEY = "0123456789abcdef" * 4


class Terminal:
    """Runs commands and looks behind them."""

    def __call__(self, *args: str, piped: str | bytes | None = None) -> Result:
        """``tokenhouse`` with *args*; an exception that is no exit is raised."""
        result = CliRunner(catch_exceptions=False).invoke(main, args, input=piped)
        assert "Traceback" not in result.output
        return result

    def ok(self, *args: str, piped: str | bytes | None = None) -> str:
        """What a command that exits 0 prints."""
        result = self(*args, piped=piped)
        assert 0 == result.exit_code, result.output
        return result.stdout

    def json(self, *args: str) -> Any:
        """What a command says with ``--json``."""
        return json.loads(self.ok(*args, "--json"))

    def add(self, name: str, *args: str) -> None:
        """Make a user."""
        self.ok("user", "add", name, "--password-stdin", *args, piped="s3cret\n")

    def issue(self, owner: str, *args: str) -> Any:
        """Make a token, as ``issue --json`` tells of it."""
        return self.json("token", "issue", "--user", owner, "--policy", "netbox", *args)

    def within(self, work: Callable[[House], Awaitable[Any]]) -> Any:
        """What *work* gives on the house that the commands use."""

        async def inside() -> Any:
            house = build(load())
            try:
                return await work(house)
            finally:
                await house.aclose()

        return asyncio.run(inside())


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TOKENHOUSE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def terminal() -> Terminal:
    """Commands with every setting at its default: an embedded store."""
    return Terminal()


@pytest.fixture
def unborn(redis_server: Server, monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> Terminal:
    """Commands on a Redis that is not set up."""
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", redis_server.url)
    monkeypatch.setenv("TOKENHOUSE_STORE__TIMEOUT", "5s")
    monkeypatch.setenv("TOKENHOUSE_SECRET__KEYS", KEY)
    monkeypatch.setenv("TOKENHOUSE_LOGIN__ARGON2_TIME", "1")
    monkeypatch.setenv("TOKENHOUSE_LOGIN__ARGON2_MEMORY", "8KiB")
    return terminal


@pytest.fixture
def run(unborn: Terminal) -> Terminal:
    """Commands on a Redis that is set up and empty."""
    unborn.ok("store", "init")
    return unborn
