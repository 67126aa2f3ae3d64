"""The way in is kept open: make explains itself, and what it installs is pinned by hash."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["deploy/requirements.lock", "deploy/build.lock", "tests/requirements.lock"]
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Each package of *lock* with its version."""
    return dict(PIN.findall((ROOT / lock).read_text("utf-8")))


def normal(requirement: str) -> str:
    """The name in a requirement, as lock files spell it."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[._-]+", "-", name).lower()


def test_make_alone_lists_every_target():
    """Who types make sees what there is, each target with a word about it."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)[0].split())
    printed = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert phony == set(re.findall(r"^  make (\w+) +\S", printed, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_its_hashes_and_no_address(lock: str):
    """An installation can only get the files we saw, from wherever the machine gets its files."""
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=[a-z])", text)

    assert len(pins(lock)) == len(entries)
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in text


def test_the_locks_hold_what_the_project_asks_for():
    """No dependency is asked for that is not pinned."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    runtime = {normal(each) for each in project["project"]["dependencies"]}
    dev = {normal(each) for each in project["dependency-groups"]["dev"] if isinstance(each, str)}
    build = {normal(each) for each in project["build-system"]["requires"]}

    assert set() == runtime - set(pins("deploy/requirements.lock"))
    assert set() == build - set(pins("deploy/build.lock"))
    assert set() == (runtime | dev | build) - set(pins("tests/requirements.lock"))


@pytest.mark.parametrize("lock", LOCKS[:2])
def test_we_test_what_we_ship(lock: str):
    """Every version that is deployed is the version the tests run on."""
    assert pins(lock).items() <= pins("tests/requirements.lock").items()
