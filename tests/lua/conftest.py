"""The rig every script test works on: each kind of server in turn, set up, with one user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.makers import Rig
from tests.servers import Memory, Server


@pytest.fixture
async def rig(any_server: Server | Memory) -> AsyncIterator[Rig]:
    """The floors below HTTP on each kind of server; ``alice`` is a user."""
    async with Rig(any_server.url) as made:
        await made.owner("alice")
        yield made
