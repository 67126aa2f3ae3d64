"""Two nodes on one Redis, each with connections, password pool and guard of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.makers import Rig
from tests.servers import Memory, Server

Pair = tuple[Rig, Rig]


@pytest.fixture
async def pair(redis_server: Server) -> AsyncIterator[Pair]:
    """Two nodes; ``alice`` is a user with the password ``right``."""
    async with Rig(redis_server.url) as one, Rig(redis_server.url) as two:
        await one.users.add("alice", "right")
        yield one, two


@pytest.fixture
async def race_rig(any_server: Server | Memory) -> AsyncIterator[Rig]:
    """One node on each kind of server; ``alice`` is a user."""
    async with Rig(any_server.url) as made:
        await made.owner("alice")
        yield made
