"""Ansible's tower-cli, unmodified and in three versions, against real nodes."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.clients import Forwarder, Program, client, forwarding
from tests.e2e.conftest import AUTHTOKEN, PASSWORD, Pair
from tests.nodes import tokenhouse

OLD, MIDDLE, NEW = "3.1.8", "3.2.1", "3.3.9"
ALL = [OLD, MIDDLE, NEW]
AUTH_ERROR = 41
USERS = ("user", "list", "-f", "id")
LOGIN = {OLD: "POST /api/v1/authtoken/", MIDDLE: f"POST {AUTHTOKEN}", NEW: f"POST {AUTHTOKEN}"}


@dataclass(frozen=True)
class TowerCli:
    """One version of tower-cli with a home of its own."""

    version: str
    program: Program

    @property
    def cache(self) -> Path:
        """Where it keeps its token."""
        return self.program.home / ".tower_cli_token.json"

    @property
    def entry(self) -> dict[str, str]:
        """The cached token with its expiry; from 3.3 on there is one for each server."""
        kept: dict[str, str] = json.loads(self.cache.read_text())
        return kept if self.version != NEW else next(iter(kept.values()))  # type: ignore[return-value]

    def run(
        self, host: str, *words: str, user: str = "alice", password: str = PASSWORD
    ) -> CompletedProcess[str]:
        """Run one command as *user* with token login."""
        if self.version == OLD:  # reads none of the variables below
            self.program.run("config", "verify_ssl", "false")
            login = ("-h", host, "-u", user, "-p", password, "--use-token")
            return self.program.run(*words, *login)
        variables = {
            "TOWER_HOST": host,
            "TOWER_USERNAME": user,
            "TOWER_PASSWORD": password,
            "TOWER_VERIFY_SSL": "false",
            "TOWER_USE_TOKEN": "true",
        }
        return self.program.run(*words, settings=variables)


@pytest.fixture(scope="session")
def programs() -> Callable[[str], Path]:
    """The program of a version, installed when it is first asked for."""
    return lambda version: client("ansible-tower-cli", version) / "tower-cli"


@pytest.fixture(params=ALL)
def tower_cli(
    request: pytest.FixtureRequest, programs: Callable[[str], Path], tmp_path: Path
) -> TowerCli:
    """Each version in turn, with an empty home."""
    return TowerCli(request.param, Program(programs(request.param), tmp_path))


@pytest.fixture
def front(pair: Pair) -> Iterator[Forwarder]:
    """One URL before both nodes, which take turns."""
    with forwarding(pair.a.url, pair.b.url) as forwarder:
        yield forwarder


def test_two_commands_log_in_once(tower_cli: TowerCli, front: Forwarder) -> None:
    """One token serves both commands; 3.3.9 asks OPTIONS before each, and others never."""
    version = tower_cli.run(front.url, "version")
    users = tower_cli.run(front.url, *USERS)

    assert (0, 0) == (version.returncode, users.returncode), version.stderr + users.stderr
    assert "Ansible Tower 3.2.0" in version.stdout
    assert "1" == users.stdout.strip()
    api = "/api/v1" if tower_cli.version == OLD else "/api/v2"
    asked = [f"OPTIONS {AUTHTOKEN}"] if tower_cli.version == NEW else []
    assert [
        *asked,
        LOGIN[tower_cli.version],
        f"GET {api}/config/",
        *asked,
        f"GET {api}/users/?page=1",
    ] == front.lines()
    assert {200} == {seen.status for seen in front.seen}


def test_a_token_of_one_node_is_used_on_the_other(tower_cli: TowerCli, front: Forwarder) -> None:
    """Nodes take turns request by request, so the token is used where it was not made."""
    ended = [tower_cli.run(front.url, *USERS).returncode for _ in range(3)]

    assert [0, 0, 0] == ended
    (made_on,) = [seen.node for seen in front.seen if seen.method == "POST"]
    assert {made_on} != {seen.node for seen in front.seen if seen.method == "GET"}


def test_a_wrong_password_ends_in_41_and_keeps_nothing(
    tower_cli: TowerCli, front: Forwarder
) -> None:
    """The client tells what the server said, and no cache file appears."""
    ended = tower_cli.run(front.url, *USERS, password="not this one")

    assert AUTH_ERROR == ended.returncode, ended.stdout + ended.stderr
    assert "Unable to login with provided credentials." in ended.stdout + ended.stderr
    assert not tower_cli.cache.exists()
    assert (LOGIN[tower_cli.version], 400) == (front.lines()[-1], front.seen[-1].status)


def test_a_revoked_token_ends_the_next_command_in_41(
    pair: Pair, tower_cli: TowerCli, front: Forwarder
) -> None:
    """Revoked on one node it is dead on the other too; the client keeps it and logs in no more."""
    before = tower_cli.run(front.url, *USERS)
    bearer = {"authorization": f"Token {tower_cli.entry['token']}"}
    revoked = pair.b.http.delete(AUTHTOKEN, headers=bearer)
    after = [tower_cli.run(front.url, *USERS).returncode for _ in range(2)]

    assert (0, 204) == (before.returncode, revoked.status_code)
    assert [AUTH_ERROR, AUTH_ERROR] == after
    assert 1 == front.lines().count(LOGIN[tower_cli.version])


def test_a_login_after_the_known_expiry_gets_the_same_token(
    tower_cli: TowerCli, front: Forwarder
) -> None:
    """Clients never hear that their token slid; when they log in again it is still theirs."""
    tower_cli.run(front.url, *USERS)
    first = tower_cli.entry
    kept = tower_cli.cache.read_text()
    tower_cli.cache.write_text(kept.replace(first["expires"], "2018-01-01T00:00:00.000Z"))
    ended = tower_cli.run(front.url, *USERS)

    assert 0 == ended.returncode, ended.stderr
    assert 2 == front.lines().count(LOGIN[tower_cli.version])
    assert first["token"] == tower_cli.entry["token"]
    assert first["expires"] < tower_cli.entry["expires"]


def test_a_password_of_digits_logs_in(pair: Pair, tower_cli: TowerCli, front: Forwarder) -> None:
    """Before 3.3 it is sent as a JSON number, then as a string; it is the same password."""
    made = tokenhouse(
        "user", "add", "bob", "--password-stdin", store=pair.server.url, stdin="12345"
    )
    ended = tower_cli.run(front.url, *USERS, user="bob", password="12345")

    assert 0 == made.returncode, made.stderr
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "2" == ended.stdout.strip()
    (login,) = [seen for seen in front.seen if seen.method == "POST"]
    sent = "12345" if tower_cli.version == NEW else 12345
    assert sent == json.loads(login.body)["password"]


@pytest.mark.parametrize("tower_cli", [OLD, MIDDLE], indirect=True)
def test_the_prefix_of_the_dialect_serves_as_well(tower_cli: TowerCli, pair: Pair) -> None:
    """A host with the path /tower logs in below it (3.3.9 drops a path of the host)."""
    ended = tower_cli.run(f"{pair.a.url}/tower", *USERS)

    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "1" == ended.stdout.strip()


@pytest.mark.parametrize("tower_cli", [NEW], indirect=True)
def test_the_newest_keeps_its_token_to_itself(tower_cli: TowerCli, front: Forwarder) -> None:
    """The cache of 3.3.9 has our token under our URL, readable by its owner alone."""
    tower_cli.run(front.url, *USERS)

    assert [f"{front.url}/api/v2/"] == list(json.loads(tower_cli.cache.read_text()))
    assert 0o600 == stat.S_IMODE(tower_cli.cache.stat().st_mode)
