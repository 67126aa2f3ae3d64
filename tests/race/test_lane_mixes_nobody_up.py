"""A storm over one node's lane: whoever passes is who the token says, and nobody is refused."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis

from tests.bearers import bearers
from tests.conftest import or_skip
from tests.nodes import Node
from tests.servers import NEWEST, Server

USERS, CONNECTIONS, REQUESTS = 200, 64, 20_000
LEAVE = 0.3
EVERY_S = 0.05
ASK = b"GET /authz/ext/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token %b\r\n\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    """A Redis whose connections nobody else minds losing."""
    made = or_skip(lambda: Server(NEWEST))
    yield made
    made.discard()


class Storm:
    """Clients that ask for random tokens and count what they are told."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self._target = urlsplit(url)
        self._tokens = tokens
        self._texts = list(tokens)
        self._left = REQUESTS
        self.said: Counter[str] = Counter()
        self.wrong: list[tuple[str, bytes]] = []

    async def client(self, seed: int) -> None:
        """Ask until all is asked, on one connection after another."""
        chooser = random.Random(seed)
        while self._left > 0:
            streams = await asyncio.open_connection(self._target.hostname, self._target.port)
            with contextlib.suppress(ConnectionError):
                await self._visit(*streams, chooser)
            streams[1].transport.abort()

    async def _visit(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chooser: random.Random
    ) -> None:
        for _ in range(chooser.randint(5, 50)):
            asked = chooser.choices(self._texts, k=chooser.choice([1, 1, 1, 3]))
            self._left -= len(asked)
            writer.write(b"".join(ASK % text.encode() for text in asked))
            if chooser.random() < LEAVE / 10:
                # One in ten of the requests of a visit: about a third of the visits end so.
                await asyncio.sleep(chooser.choice([0, 0.0002, 0.001]))
                self.said["left"] += len(asked)
                return
            for text in asked:
                self._hear(text, await reader.readuntil(b"\r\n\r\n"))

    def _hear(self, text: str, head: bytes) -> None:
        status = head.split()[1].decode()
        self.said[status] += 1
        owner = f"\r\nx-auth-user: {self._tokens[text]}\r\n".encode()
        if status == "200" and owner not in head:
            self.wrong.append((self._tokens[text], head))


async def disturb(server: Server, storm: asyncio.Future[object]) -> int:
    """Forget every script and end every connection to Redis, again and again; how often."""
    times = 0
    while not storm.done():
        with contextlib.suppress(redis.ConnectionError):
            server.cli("SCRIPT", "FLUSH")
            server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        times += 1
        await asyncio.sleep(EVERY_S)
    return times


async def test_the_lane_mixes_nobody_up(server: Server) -> None:
    """Twenty thousand requests over lost connections on both sides: each answer is the asker's."""
    tokens = await asyncio.to_thread(bearers, server.url, USERS)
    node = await asyncio.to_thread(Node, server.url, {"TOKENHOUSE_GATE__LANE": "true"})
    storm = Storm(node.url, tokens)
    try:
        clients = asyncio.gather(*(storm.client(seed) for seed in range(CONNECTIONS)))
        async with asyncio.timeout(60):
            times = await disturb(server, clients)
            await clients
    finally:
        await asyncio.to_thread(node.stop)

    assert [] == storm.wrong
    assert {"200", "503", "left"} >= set(storm.said), storm.said
    assert storm.said["200"] > REQUESTS * 0.8, storm.said
    assert storm.said["left"] > 100
    assert times > 20
    assert not [line for line in node.lines if "failed" in line or "Traceback" in line]
