"""Starts programs on chosen cores, reads what CPU time they took, and ends them by their pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 10

LAUNCHER = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
if sys.argv[1]:
    os.sched_setaffinity(0, [int(core) for core in sys.argv[1].split(",")])
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the program (same pid) on its cores, and dies with the benchmark however that dies."""


@dataclass(frozen=True)
class Cores:
    """Which cores serve and which load; None where the machine has one core only."""

    serving: int | None
    loading: int | None

    @property
    def note(self) -> str:
        """How the work was laid out, for the report."""
        if self.serving is None:
            return "one core for everything, nothing pinned"
        return f"server on core {self.serving}, Redis and wrk on core {self.loading}"


def cores() -> Cores:
    """The first two cores we may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores(None, None)


def pin(pid: int, core: int | None) -> None:
    """Move every thread of a running process to *core*."""
    for task in Path(f"/proc/{pid}/task").iterdir() if core is not None else ():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {core})


@dataclass(frozen=True)
class Stat:
    """What we read in ``/proc/<pid>/stat``: *ticks* of all threads, and of ended children."""

    pid: int
    parent: int
    ticks: int
    ended_ticks: int
    started: int


def parse_stat(text: str) -> Stat:
    """One line of ``/proc/<pid>/stat``; the program's name in it may hold blanks and brackets."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    user, system, ended_user, ended_system = (int(word) for word in fields[11:15])
    return Stat(
        pid=int(head.split(" ", 1)[0]),
        parent=int(fields[1]),
        ticks=user + system,
        ended_ticks=ended_user + ended_system,
        started=int(fields[19]),
    )


def family(pid: int) -> list[Stat]:
    """The process *pid* and all that descend from it."""
    everybody: list[Stat] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                everybody.append(parse_stat((entry / "stat").read_text()))
    found = [stat for stat in everybody if stat.pid == pid]
    for stat in found:  # grows while it is walked
        found += [child for child in everybody if child.parent == stat.pid]
    return found


def cpu_s(pid: int) -> float:
    """Seconds of CPU that *pid* and its descendants took so far, all threads, user and system."""
    return sum(stat.ticks + stat.ended_ticks for stat in family(pid)) / TICKS


class Process:
    """A program of ours; a context manager that ends it and its descendants."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        core: int | None = None,
    ) -> None:
        program = shutil.which(argv[0])
        if program is None:
            raise FileNotFoundError(argv[0])
        on = "" if core is None else str(core)
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-ISc", LAUNCHER, on, program, *argv[1:]],
                env=dict(os.environ if env is None else env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while it lives."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def wait(self, seconds: float) -> int:
        """Its exit status once it has ended by itself. subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it, and whatever it left behind."""
        kin = family(self.pid) if self.running else []
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
        for left in kin[1:]:
            with contextlib.suppress(OSError):
                now = parse_stat(Path(f"/proc/{left.pid}/stat").read_text())
                if now.started == left.started:
                    os.kill(left.pid, signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
