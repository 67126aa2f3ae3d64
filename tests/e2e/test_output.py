"""What commands do when nobody gets what they print, and imports when they are told to stop."""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import prepare
from tests.nodes import ROOT, environment, tokenhouse
from tests.servers import Server, wait_until

WORDS = [sys.executable, "-m", "service"]
IMPORT = ("token", "import", "--policy", "netbox")
FULL = "standard output: No space left on device\n"


def shell(store: Server, script: str) -> subprocess.CompletedProcess[str]:
    """Run *script*, in which ``th`` is the command, until its first failure."""
    th = f'th() {{ {shlex.join(WORDS)} "$@"; }}\n'
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", th + script],
        cwd=ROOT,
        env=environment(store.url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def store(redis_server: Server) -> Server:
    """A store that is set up and has the user alice."""
    prepare(redis_server.url, "alice")
    return redis_server


def states(store: Server) -> list[str]:
    """How each token of the store is."""
    done = tokenhouse("token", "list", "--json", store=store.url)
    return [each["state"] for each in json.loads(done.stdout)]


@pytest.mark.parametrize(
    "words",
    ["user list", "user list --json", "user show alice", "--help", "user --help", "doctor --json"],
)
def test_a_full_disk_is_one_line_and_one(store: Server, words: str) -> None:
    """Not a traceback, neither now nor when the process ends."""
    done = shell(store, f"th {words} > /dev/full")

    assert (1, FULL) == (done.returncode, done.stderr)


@pytest.mark.parametrize("words", ["", " --json"])
@pytest.mark.parametrize(
    ("output", "status", "line"), [("> /dev/full", 1, FULL), ("> >(exec <&-; sleep 5)", 141, "")]
)
def test_a_token_whose_text_nobody_got_is_dead(
    store: Server, words: str, output: str, status: int, line: str
) -> None:
    """It is told which one that was."""
    done = shell(store, f"th token issue --user alice --policy netbox{words} {output}")

    told, _, rest = done.stderr.partition("\n")
    assert (status, line) == (done.returncode, rest)
    assert told.startswith("nobody got the text of token ")
    assert told.endswith(": revoking it")
    assert "live" not in states(store)


@pytest.mark.parametrize("words", ["token issue --user alice", "user list", "user show alice"])
def test_a_closed_output_is_known_before_anything_is_made(store: Server, words: str) -> None:
    """There is no token of which nobody knows."""
    done = shell(store, f"th {words} >&-")

    assert (1, "standard output: Bad file descriptor\n") == (done.returncode, done.stderr)
    assert [] == states(store)


def test_a_reader_who_has_enough_ends_the_command_quietly(store: Server) -> None:
    """With the status that other programs have then."""
    done = shell(store, "th user list > >(exec <&-; sleep 5)")

    assert (141, "") == (done.returncode, done.stderr)


def rows(path: Path, count: int) -> str:
    """A file of so many tokens, its name."""
    lines = [f"{hashlib.sha1(b'%d' % number).hexdigest()},alice" for number in range(count)]
    path.write_text("\n".join(["key,owner", *lines]))
    return str(path)


def test_a_report_that_cannot_be_written_ends_the_import_with_counts(
    store: Server, tmp_path: Path
) -> None:
    """What went in is told, and how to go on."""
    file = rows(tmp_path / "tokens.csv", 600)
    with Path(file).open("a") as more:
        more.write("\n" + "\n".join(f"{number},bob" for number in range(500)))

    done = tokenhouse(*IMPORT, file, "--report", "/dev/full", store=store.url)

    assert (1, "imported at least 600, already there 0, refused 400\n") == (
        done.returncode,
        done.stdout,
    )
    line = "/dev/full: No space left on device; the rest was not tried; run the same command again"
    assert line == done.stderr.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_is_told_to_stop_tells_how_far_it_came(
    store: Server, tmp_path: Path, number: signal.Signals
) -> None:
    """And is completed by the same command."""
    file = rows(tmp_path / "tokens.csv", 9_000)
    child = subprocess.Popen(
        [*WORDS, *IMPORT, file],
        cwd=ROOT,
        env=environment(store.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: store.cli("DBSIZE") > 2000, "an import under way", 30)
    child.send_signal(number)
    said, errors = child.communicate(timeout=30)
    there = len(states(store))
    again = tokenhouse(*IMPORT, file, store=store.url)

    line = "stopped by a signal; the rest was not tried; run the same command again\n"
    told = int(said.split()[3].rstrip(","))
    assert (1, line) == (child.returncode, errors)
    assert said.startswith("imported at least ")
    assert 0 <= there - told <= 500
    assert there < 9_000
    assert f"imported {9_000 - there}, already there {there}, refused 0\n" == again.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_waits_for_its_input_can_be_stopped(
    store: Server, number: signal.Signals
) -> None:
    """Whoever pipes into it may take his time."""
    child = subprocess.Popen(
        [*WORDS, *IMPORT, "-", "--format", "csv"],
        cwd=ROOT,
        env=environment(store.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write("key,owner\n")
    child.stdin.flush()
    wait_until(lambda: minds_its_end(child.pid), "an import that reads", 30)
    child.send_signal(number)
    said, errors = child.communicate(timeout=30)

    assert (1, "imported at least 0, already there 0, refused 0\n") == (child.returncode, said)
    assert errors.startswith("stopped by a signal; ")


def minds_its_end(pid: int) -> bool:
    """Whether the process has a handler of its own for SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_dash_is_standard_input(store: Server) -> None:
    """As other programs have it, and needs its format said."""
    text = f"key,owner\n{hashlib.sha1(b'1').hexdigest()},alice\n"

    done = tokenhouse(*IMPORT, "-", "--format", "csv", store=store.url, stdin=text)
    unsaid = tokenhouse(*IMPORT, "-", store=store.url, stdin=text)

    assert (0, "imported 1, already there 0, refused 0\n") == (done.returncode, done.stdout)
    assert (2, "standard input does not say what it is: use --format\n") == (
        unsaid.returncode,
        unsaid.stderr,
    )
