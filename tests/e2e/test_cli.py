"""The command as an operator runs it: processes, pipes, exit codes, a real Redis, a real server."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import Server, free_port

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"
TOKENHOUSE = [sys.executable, "-m", "service"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with *settings* and no other of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENHOUSE_")}
    return kept | {f"TOKENHOUSE_{name}": value for name, value in settings.items()}


@pytest.fixture
def run(redis_server: Server) -> Run:
    """Run the command on a Redis that is set up and empty."""
    env = environment(
        STORE__URL=redis_server.url, STORE__TIMEOUT="5s", SECRET__KEYS="0123456789abcdef" * 2
    )

    def call(*args: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        words = [*TOKENHOUSE, *args]
        done = subprocess.run(
            words, cwd=ROOT, env=env, input=piped, capture_output=True, text=True, timeout=60
        )
        assert PASSWORD not in done.stdout + done.stderr + " ".join(words)
        return done

    assert 0 == call("store", "init").returncode
    return call


def test_a_user_and_a_token_live_and_die(run: Run) -> None:
    """From nothing to a token and back, as a script would do it."""
    assert 0 == run("user", "add", "bob", "--password-stdin", piped=PASSWORD + "\n").returncode

    issued = run("token", "issue", "--user", "bob", "--policy", "netbox", "--label", "ci")
    text = issued.stdout.removesuffix("\n")

    assert 40 == len(text)
    assert text not in issued.stderr
    assert ["ci"] == [each["label"] for each in json.loads(run("token", "list", "--json").stdout)]
    assert (0, "token revoked\n") == (
        (done := run("token", "revoke", "--stdin", piped=text)).returncode,
        done.stdout,
    )
    assert 0 == run("user", "delete", "bob", "--yes").returncode
    assert (1, "no user called 'bob'\n") == (
        (gone := run("user", "show", "bob")).returncode,
        gone.stderr,
    )


def test_a_password_is_asked_for_on_a_terminal_only(run: Run) -> None:
    """A script that forgot --password-stdin ends at once."""
    done = run("user", "add", "bob", piped=PASSWORD + "\n")

    assert (2, True) == (done.returncode, "--password-stdin" in done.stderr)


def test_a_name_that_is_not_utf8_is_refused(run: Run) -> None:
    """Whatever bytes an argument holds, the answer is one line."""
    done = run("user", "show", os.fsdecode(b"b\xff\x1b[2J"))

    assert (1, "a user name is text in UTF-8\n") == (done.returncode, done.stderr)


@contextmanager
def serving(*args: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """``tokenhouse serve`` as a process, and its lines up to the one that says it listens."""
    child = subprocess.Popen(
        [*TOKENHOUSE, "serve", "--port", "0", *args],
        cwd=ROOT,
        env=environment(**settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    try:
        lines = []
        for line in child.stderr:
            lines.append(line.rstrip("\n"))
            if "curl" in line or "startup complete" in line:
                break
        yield child, lines
    finally:
        child.terminate()
        child.wait(20)
        child.stderr.close()


def test_serve_on_nothing_prints_a_login_that_works() -> None:
    """Do what the curl line says, get a token; the password is in no other line."""
    with serving() as (child, lines):
        *_, body, url = shlex.split(lines[-1])
        request = urllib.request.Request(
            url, body.encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            token = json.load(answer)["token"]
        child.send_signal(signal.SIGTERM)

        assert 40 == len(token)
        assert 0 == child.wait(20)
        assert 2 == sum(json.loads(body)["password"] in line for line in lines)
        assert any("nothing survives a restart" in line for line in lines)


def test_serve_hands_its_options_to_every_worker(redis_server: Server) -> None:
    """Each of them listens where the command line said, and logs as the config says."""
    options = ("--workers", "2")
    settings = {"STORE__URL": redis_server.url, "SECRET__KEYS": "k" * 32}
    with serving(*options, **settings) as (child, lines):
        address = next(line for line in lines if line.startswith("listening on "))
        with urllib.request.urlopen(address.split()[-1] + "/livez", timeout=10) as answer:
            assert 200 == answer.status
        child.send_signal(signal.SIGTERM)

        assert 0 == child.wait(20)

    logged = [json.loads(line) for line in lines if not line.startswith("listening on ")]
    assert {"service.cli.serve", "uvicorn.error"} == {each["logger"] for each in logged}
    assert f"store: {redis_server.url}" == logged[0]["message"]


def test_serve_starts_without_its_store() -> None:
    """It says what is wrong, loudly, and waits for the store to come back."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    with serving(STORE__URL=url, SECRET__KEYS="k" * 32) as (child, lines):
        child.send_signal(signal.SIGTERM)

        assert 0 == child.wait(20)

    assert any('"error"' in line and "unreachable" in line for line in lines)


def test_serve_with_a_wrong_setting_is_two() -> None:
    """One line, and nothing else."""
    with serving("--workers", "2") as (child, lines):
        assert 2 == child.wait(20)

    assert ["server.workers: 2 is too many: memory:// is one process (from command line)"] == lines
