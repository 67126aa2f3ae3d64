"""What the log says of a store that fails: the beginning and the end, not every request."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from service.errors import StoreDown
from service.store import outage
from tests.conftest import ServerFactory
from tests.makers import Rig


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(outage, "monotonic", lambda: self.now)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines about it."""
    return [each.getMessage() for each in caplog.records if each.name == outage.__name__]


def test_beginning_and_end_are_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests fail in between."""
    clock, it = Clock(monkeypatch), outage.Outage()
    for _ in range(100):
        it.failed("timeout")
        it.worked(clock.now)
        clock.now += 0.1
    it.worked(clock.now + 1)
    it.worked(clock.now + 2)

    assert said(caplog) == [
        "the store fails: timeout",
        "the store is well again, after 9.9 s",
    ]


def test_another_reason_is_told_and_a_long_outage_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one line a second, and one a minute while nothing changes."""
    clock, it = Clock(monkeypatch), outage.Outage()
    failures = (("timeout", 0.5), ("oom", 0.6), ("oom", 50), ("loading", 0.5), ("loading", 61))
    for reason, after in failures:
        it.failed(reason)
        clock.now += after
    it.failed("loading")

    told = ("timeout", "oom", "loading", "loading")
    assert said(caplog) == [f"the store fails: {each}" for each in told]


@pytest.mark.parametrize("lane", [False, True])
async def test_a_redis_that_goes_and_comes_is_told(
    server_factory: ServerFactory, caplog: pytest.LogCaptureFixture, lane: bool
) -> None:
    """By whoever asks it, through the lane or not."""
    server = server_factory(conf={"appendonly": "yes", "appendfsync": "always"})
    async with Rig(server.url, timeout_ms=300) as rig:
        await rig.owner("alice")
        made = await rig.make()
        if lane:
            rig.store.open_lane(most=10)
        server.kill()
        for _ in range(5):
            with pytest.raises(StoreDown):
                await rig.use(made)
        assert said(caplog) == ["the store fails: unreachable"]
        server.restart()
        deadline = time.monotonic() + 20
        while len(said(caplog)) < 2:
            assert time.monotonic() < deadline
            with contextlib.suppress(StoreDown):
                await rig.use(made)
            await asyncio.sleep(0.05)
        await rig.store.aclose()

    assert said(caplog)[-1].startswith("the store is well again, after ")
