"""Many uses at once note one last use."""

from __future__ import annotations

import asyncio
import re

from service.model import Verdict
from tests.makers import CURL, HOME, MINUTE, Rig, wish
from tests.servers import Server


async def written(rig: Rig) -> int:
    """How many HSETs Redis has run."""
    found = re.search(rb"cmdstat_hset:calls=(\d+)", await rig.run(b"INFO", b"commandstats"))
    return int(found[1]) if found else 0


async def test_five_hundred_uses_at_once_are_noted_once(real_server: Server) -> None:
    """On two nodes, over their own connections: first with no last use, then with an old one."""
    async with Rig(real_server.url) as one, Rig(real_server.url) as two:
        await one.owner("alice")
        issued = await one.tokens.issue(wish("alice"))
        text = issued.text.encode()
        token = await one.tokens.get(issued.token_id)
        key = one.keys.token(token.token_id.to_bytes(8, "big")[-2:], token.digest)

        async def use_all() -> list[Verdict]:
            use = {"address": HOME, "agent": CURL, "write": True}
            nodes = (one, two)
            return await asyncio.gather(
                *(nodes[n % 2].tokens.verify(text, **use) for n in range(500))
            )

        for age_ms in (None, MINUTE + 1_000):
            if age_ms is not None:
                old = (await one.now() - age_ms).to_bytes(6, "big")
                await one.run(b"HSET", key, b"l", old)
            before = await written(one)
            assert all(verdict.allowed for verdict in await use_all())
            assert before + 1 == await written(one)
