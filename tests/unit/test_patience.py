"""The loop that tests run in counts what was waited for, and not what the machine took away."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.patience import Clock, PatientLoop, Selector, Stopwatch


async def test_a_wait_takes_its_time():
    """By the wall clock and by the loop's."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PatientLoop)
    began, by_the_wall = loop.time(), time.monotonic()
    await asyncio.sleep(0.05)

    assert 0.02 < loop.time() - began <= time.monotonic() - by_the_wall + 0.001
    assert time.monotonic() - by_the_wall >= 0.049


async def test_a_deadline_does_not_pass_while_nobody_could_run():
    """Both sides of a question were put aside for longer than it may take."""
    loop = asyncio.get_running_loop()
    one, two = socket.socketpair()
    with one, two:
        one.setblocking(False)
        async with asyncio.timeout(0.2):
            loop.call_soon(time.sleep, 0.5)
            await asyncio.sleep(0.01)
            two.send(b"x")
            loop.call_soon(time.sleep, 0.5)

            assert b"x" == await loop.sock_recv(one, 1)


async def test_what_is_late_by_itself_is_late():
    """An answer that is waited for too long misses its deadline."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.sleep(0.5)


async def test_what_computes_for_long_takes_that_long():
    """A loop that is kept busy by its own code was not put aside."""
    loop = asyncio.get_running_loop()
    began, until = loop.time(), time.thread_time() + 0.1
    while time.thread_time() < until:
        pass

    assert loop.time() - began >= 0.1


def test_a_stopwatch_takes_the_time():
    """Of whoever waits and of whoever computes."""
    with Stopwatch() as watch:
        time.sleep(0.1)
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass

    assert 0.1 < watch.took_s < 5


def test_a_process_that_was_stopped_was_put_aside():
    """A second of SIGSTOP in the middle of a wait is no second of its clocks."""
    child = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(child.pid, signal.SIGCONT)
        said, _ = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()

    by_the_loop, by_the_stopwatch, by_the_wall = map(float, said.split())
    assert by_the_wall > 0.95
    assert by_the_loop < 0.5
    assert by_the_stopwatch < 0.5


def measure() -> None:
    """What a wait of 0.3 seconds took by each clock."""
    clock = Clock()
    selector = Selector(clock)
    began, by_the_wall = clock.now(), time.monotonic()
    with Stopwatch() as watch:
        print("waiting", flush=True)
        selector.select(0.3)
    print(clock.now() - began, watch.took_s, time.monotonic() - by_the_wall)
    selector.close()


if __name__ == "__main__":
    measure()
