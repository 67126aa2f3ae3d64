"""How long somebody may listen to the feed, and what he is told who missed some of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.app import App
from service.config import load
from service.core.feed import Revocation
from service.core.tokens import Wish
from service.ops import events
from service.store.keys import Keys
from tests.nodes import environment
from tests.servers import Server


async def test_a_listener_who_is_deleted_hears_no_more_while_others_are_revoked(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However busy the feed is, his token is looked at again."""
    monkeypatch.setattr(events, "CALM_S", 0.2)
    monkeypatch.setattr(events, "LOOK_S", 0.02)
    app = App(load(env=environment(redis_server.url)))
    house = app.house
    await house.setup.init()
    for name in ("listener", "dora"):
        await house.users.add(name, "pw", superuser=True)
    text = (await house.tokens.issue(Wish(owner="listener", policy=house.policies["oauth"]))).text

    async def revoke() -> None:
        while True:
            await house.tokens.revoke_owner("dora")
            await asyncio.sleep(0.01)

    busy = asyncio.create_task(revoke())
    listens = asyncio.create_task(listen(app, text))
    try:
        await asyncio.sleep(1)
        assert not listens.done()
        await house.users.delete("listener")
        heard = await asyncio.wait_for(listens, 10)
    finally:
        busy.cancel()
        await house.aclose()

    assert '"owner":"dora"' in heard


async def listen(app: App, text: str) -> str:
    """All that ``/events`` says until it ends."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a", timeout=30) as http:
        answer = await http.get("/events", headers={"authorization": f"Bearer {text}"})
    assert 200 == answer.status_code
    return answer.text


class Slow:
    """Reads ``/events`` until it has got a revocation, and then no more until *reads* is set."""

    def __init__(self, app: App, text: str) -> None:
        self.house = app.house
        self.heard = ""
        self.reads, self.waits = asyncio.Event(), asyncio.Event()
        self._headers = [(b"authorization", f"Bearer {text}".encode())]
        self.task = asyncio.create_task(app(self._scope(), self._receive, self._send))

    def _scope(self) -> dict[str, Any]:
        return {
            "type": "http", "method": "GET", "path": "/events", "raw_path": b"/events",
            "query_string": b"", "headers": self._headers, "client": ("127.0.0.1", 1), "state": {},
        }  # fmt: skip

    async def _receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()  # never goes by itself
        return {}

    async def _send(self, message: Any) -> None:
        self.heard += message.get("body", b"").decode()
        if "event: revoked" in self.heard:
            self.waits.set()
            await self.reads.wait()

    async def hears(self, text: str) -> None:
        """Wait until it has heard *text*."""
        async with asyncio.timeout(10):
            while text not in self.heard:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def slow(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    """One who listens to a feed that keeps little; ``dora`` has no token."""
    monkeypatch.setattr(events, "LOOK_S", 0.02)
    app = App(load(env={**environment(redis_server.url), "TOKENHOUSE_FEED__KEEP": "10"}))
    house = app.house
    await house.setup.init()
    await house.users.add("listener", "pw", superuser=True)
    text = (await house.tokens.issue(Wish(owner="listener", policy=house.policies["oauth"]))).text
    made = Slow(app, text)
    await made.hears("event: start")
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)
    await house.aclose()


async def test_who_reads_too_slowly_is_told_to_forget_everything(slow: Slow) -> None:
    """What was trimmed before he read it would be missing from what he dropped."""
    tokens = slow.house.tokens
    await tokens.tell(Revocation(owner="first", reason="revoked"))
    await asyncio.wait_for(slow.waits.wait(), 10)
    for n in range(300):
        await tokens.tell(Revocation(owner=f"dora {n}", reason="revoked"))
    slow.reads.set()
    await slow.hears('"dora 299"')

    _, behind = slow.heard.split('"first"')
    assert behind.index("event: reset") < behind.index("event: revoked")
    assert '"dora 0"' not in behind
    assert 1 == slow.heard.count("event: reset")


async def test_who_listens_while_the_store_is_restored_is_told_to_forget_everything(
    slow: Slow,
) -> None:
    """Entries begin anew below those that he has seen."""
    slow.reads.set()
    house = slow.house
    await house.tokens.tell(Revocation(owner="first", reason="revoked"))
    await slow.hears('"first"')
    key, fields = Keys(b"").events, Revocation(owner="old", reason="revoked").fields()
    pairs = [part for pair in fields.items() for part in pair]
    await house.client.run((b"DEL", key), (b"XADD", key, "1-1", *pairs))
    await slow.hears('"old"')

    assert "event: reset" in slow.heard.split('"first"')[1]
