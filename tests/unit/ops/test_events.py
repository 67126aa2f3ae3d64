"""How long somebody may listen to the feed."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from service.app import App
from service.config import load
from service.core.tokens import Wish
from service.ops import events
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
