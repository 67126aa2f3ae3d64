"""CPU time is read where the kernel keeps it, and only our own processes are ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bench.processes import Process, Stat, cpu_s, family, parse_stat

LINE = (
    "4242 (odd) name (x) S 17 4242 4242 0 -1 4194304 1 2 3 4 "
    "150 50 20 5 20 0 3 0 987654 1000000 200 18446744073709551615 1 1 0\n"
)
BURN = """
import os, time
child = os.fork()
end = time.process_time() + 0.3
while time.process_time() < end: pass
if child:
    os.waitpid(child, 0)
    print("burnt", flush=True)
    time.sleep(60)
"""


def test_a_stat_line_is_read_past_any_name():
    """The program's name may hold blanks and brackets; the fields are counted after it."""
    assert Stat(pid=4242, parent=17, ticks=200, ended_ticks=25, started=987654) == parse_stat(LINE)


def test_a_family_begins_with_its_head():
    """This very process is alive and has a parent."""
    me = family(os.getpid())[0]

    assert (os.getpid(), os.getppid()) == (me.pid, me.parent)


def test_nobody_has_no_family():
    """A pid that does not exist took no time."""
    assert 0.0 == cpu_s(2**22 + 1)


def test_the_time_of_children_counts(tmp_path):
    """Both halves of a fork are on the bill of the first, also after the child ended."""
    with Process([sys.executable, "-c", BURN], log=tmp_path / "log") as process:
        deadline = time.monotonic() + 30
        while "burnt" not in process.log and time.monotonic() < deadline:
            time.sleep(0.05)

        assert 0.5 < cpu_s(process.pid) < 5


def test_ending_a_process_ends_what_it_left_behind(tmp_path):
    """A shell is ended, and the program that it waits for."""
    with Process(["sh", "-c", "sleep 60 & sleep 60 & wait"], log=tmp_path / "log") as process:
        deadline = time.monotonic() + 30
        while len(kin := family(process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)

    assert 3 == len(kin)
    assert [] == [each for each in kin if each.started in {now.started for now in alive(each.pid)}]


def alive(pid: int) -> list[Stat]:
    """The process *pid*, unless it is gone or only a corpse."""
    stat = ["cat", f"/proc/{pid}/stat"]
    done = subprocess.run(stat, capture_output=True, text=True, timeout=30, check=False)
    return [parse_stat(done.stdout)] if done.stdout and ") Z " not in done.stdout else []
