"""rediss://: the client believes the CA it was given and no other.

The servers of the tests know no TLS, so a relay in front of one speaks it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.errors import StoreDown
from service.store.client import Client
from tests.certs import Authority, Pair
from tests.servers import Server


@asynccontextmanager
async def relay(server: Server, own: Pair) -> AsyncIterator[int]:
    """A port where *server* is reached through TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own.files)
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        for pair in ((reader, inner_writer), (inner_reader, writer)):
            task = asyncio.create_task(pump(*pair))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
        await asyncio.wait(tasks, timeout=2) if tasks else None


async def ping(url: str) -> list[bytes]:
    """What a fresh client gets from *url*."""
    client = Client(url, timeout_ms=2_000)
    try:
        found: list[bytes] = await client.run(("PING",))
        return found
    finally:
        await client.aclose()


async def test_only_the_given_ca_is_believed(redis_server: Server, tmp_path: Path):
    """With the server's CA it works; with another, the system's, or without TLS it is down."""
    right, other = Authority(tmp_path / "right"), Authority(tmp_path / "other")
    async with relay(redis_server, right.server()) as port:
        where = f"127.0.0.1:{port}/0"

        assert [b"PONG"] == await ping(f"rediss://{where}?ssl_ca_certs={right.file}")
        for url in (f"rediss://{where}?ssl_ca_certs={other.file}", f"rediss://{where}"):
            with pytest.raises(StoreDown):
                await ping(url)


async def test_plain_talk_to_a_tls_port_is_down(redis_server: Server, tmp_path: Path):
    """redis:// towards a TLS port fails as StoreDown, within the deadline."""
    async with relay(redis_server, Authority(tmp_path).server()) as port:
        with pytest.raises(StoreDown):
            await ping(f"redis://127.0.0.1:{port}/0")
