"""A new machine, as the page about running it says: the command, and a Redis that fits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service import __version__
from tests.conftest import ServerFactory
from tests.nodes import ROOT, tokenhouse
from tests.servers import BUNDLED

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
CONF = (ROOT / "deploy" / "redis.conf").read_text("utf-8")
LINES = dict(re.findall(r"^([a-z]\S+) (.*)$", CONF, re.MULTILINE))
FENCE = dict(re.findall(r"^# (min-\S+) (\d+)$", CONF, re.MULTILINE))


def test_the_page_installs_a_command_that_runs(tmp_path: Path) -> None:
    """As it stands, apart from the folder: the lock and the wheel are all that it takes."""
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path))
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    lock = (ROOT / "deploy" / "requirements.lock").read_bytes()
    (tmp_path / "requirements.lock").write_bytes(lock)
    steps = PAGE.partition("## Install")[2].partition("```console\n")[2].partition("```")[0]
    commands = re.findall(r"^\$ (.*)$", steps, re.MULTILINE)
    # An old pip of the machine's would say that there is a newer one.
    script = "export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1\n" + "\n".join(commands)
    script = script.replace("python3 -m venv", f"{ROOT}/.ci/venv {sys.executable}")
    done = subprocess.run(
        ["bash", "-eu", "-c", script.replace("/opt/tokenhouse", str(tmp_path / "opt"))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert (0, f"tokenhouse, version {__version__}") == (
        done.returncode,
        done.stdout.splitlines()[-1],
    ), done.stderr
    assert steps.endswith(f"tokenhouse, version {__version__}\n")


@pytest.mark.parametrize("kind", BUNDLED)
def test_every_server_takes_the_configuration(server_factory: ServerFactory, kind: str) -> None:
    """Each line is in force, doctor is content, and a long description stays packed."""
    server = server_factory(kind, conf={"include": str(ROOT / "deploy" / "redis.conf")})
    values = {name: server.cli("CONFIG", "GET", name)[1].decode() for name in LINES}

    assert values == {**LINES, "save": "", "maxmemory": str(1 << 30)}
    tokenhouse("store", "init", store=server.url)
    tokenhouse("user", "add", "alice", "--password-stdin", store=server.url, stdin="x")
    words = ("--user", "alice", "--policy", "netbox", "--description", "x" * 200)
    assert 0 == tokenhouse("token", "issue", *words, store=server.url).returncode
    (record,) = server.cli("KEYS", "t:*")
    assert server.cli("OBJECT", "ENCODING", record) in (b"listpack", b"ziplist")
    found = json.loads(tokenhouse("doctor", "--json", store=server.url).stdout)
    levels = {each["subject"]: each["level"] for each in found}
    assert ("ok", "ok", "ok") == tuple(
        levels[name] for name in ("eviction", "persistence", "replication")
    )


def test_the_lines_for_replicas_satisfy_doctor(server_factory: ServerFactory) -> None:
    """They are no comment that nobody ever tried."""
    include = {"include": str(ROOT / "deploy" / "redis.conf")}
    master = server_factory(conf={**include, **FENCE})
    server_factory(conf=include, replica_of=master)
    tokenhouse("store", "init", store=master.url)

    found = json.loads(tokenhouse("doctor", "--json", store=master.url).stdout)

    (line,) = [each for each in found if each["subject"] == "replication"]
    assert ("ok", "1 replicas, min-replicas-to-write 1") == (line["level"], line["text"])


def test_every_line_of_the_configuration_says_why() -> None:
    """Nothing is set without a word about it."""
    blocks = CONF.strip().split("\n\n")

    assert [] == [block for block in blocks if not block.startswith("# ")]
    assert 8 == len(LINES)
    assert {"min-replicas-to-write", "min-replicas-max-lag"} == FENCE.keys()
