"""The rig the store is tested on: the embedded store and the newest Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import or_skip
from tests.makers import Rig
from tests.servers import NEWEST, Pool


@pytest.fixture(params=["fake", NEWEST])
async def rig(request: pytest.FixtureRequest, server_pool: Pool) -> AsyncIterator[Rig]:
    """The floors below HTTP; ``alice`` is a user."""
    server = or_skip(lambda: server_pool.get(request.param))
    async with Rig(server.url) as made:
        await made.owner("alice")
        yield made
