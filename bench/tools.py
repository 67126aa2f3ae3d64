"""What the benchmark takes from elsewhere, all of it below ``.tools`` and none of it installed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".tools" / "bench"
INSTALL_S = 600


class Missing(LookupError):
    """Something that cannot be had here; the message says why."""


@dataclass(frozen=True)
class Tool:
    """A program: its *path* and what its environment needs on top."""

    path: str
    env: Mapping[str, str] = field(default_factory=dict)


def wrk() -> Tool:
    """The load generator: the machine's own, or Debian's."""
    found = shutil.which("wrk")
    if found:
        return Tool(found)
    program = debian("wrk") / "usr/bin/wrk"
    return Tool(str(program), {"LD_LIBRARY_PATH": libraries(debian("libluajit-5.1-2"))})


def debian(package: str) -> Path:
    """The tree of a Debian *package*, unpacked once per checkout. Missing."""
    tree = TOOLS / "debian" / package
    with once(f"debian-{package}"):
        if not tree.is_dir():
            _run(str(ROOT / ".ci" / "debian"), package, str(tree))
    return tree


def libraries(*trees: Path) -> str:
    """The folders of *trees* that hold shared libraries, as the loader takes them."""
    folders = {str(path.parent) for tree in trees for path in sorted(tree.rglob("*.so*"))}
    return ":".join(sorted(folders))


def site(name: str, requirements: Path) -> Path:
    """A folder with the wheels of *requirements*, to be put on PYTHONPATH. Missing."""
    folder = TOOLS / "site" / name
    with once(f"site-{name}"):
        if _stale(folder, requirements.read_bytes() + sys.version.encode()):
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
            wanted = ("--require-hashes", "--only-binary=:all:", "-r", str(requirements))
            _run(*pip, "install", "--target", str(folder), *wanted)
            _fresh(folder, requirements.read_bytes() + sys.version.encode())
    return folder


def node_modules(source: Path) -> Path:
    """A folder with the sources of the package at *source* and what it depends on. Missing."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Missing("no node and npm on the PATH")
    folder = TOOLS / "node" / source.name
    recipe = b"".join(path.read_bytes() for path in sorted(source.iterdir()) if path.is_file())
    with once(f"node-{source.name}"):
        if _stale(folder, recipe):
            shutil.copytree(source, folder, dirs_exist_ok=True)
            _run(npm, "ci", "--silent", "--no-audit", "--no-fund", cwd=folder)
            _fresh(folder, recipe)
    return folder


@contextmanager
def once(name: str) -> Iterator[None]:
    """Hold the lock *name*, so that processes side by side fetch a thing once."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stale(folder: Path, recipe: bytes) -> bool:
    """Whether *folder* was made by another *recipe*, or not to its end; then it is gone."""
    mark = folder / "recipe"
    if mark.exists() and mark.read_text() == hashlib.sha256(recipe).hexdigest():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _fresh(folder: Path, recipe: bytes) -> None:
    (folder / "recipe").write_text(hashlib.sha256(recipe).hexdigest())


def _run(*words: str, cwd: Path = ROOT) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{_short(words)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{_short(words)}: {said[-1] if said else 'failed'}")


def _short(words: Sequence[str]) -> str:
    return " ".join(Path(word).name if "/" in word else word for word in words[:4])
