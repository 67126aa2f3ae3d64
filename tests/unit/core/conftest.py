"""The rig the core is tested on: every rule below it is Redis's, so two kinds of it are enough."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import or_skip
from tests.makers import Rig
from tests.servers import NEWEST, Pool


@pytest.fixture(params=["fake", NEWEST])
async def rig(request: pytest.FixtureRequest, server_pool: Pool) -> AsyncIterator[Rig]:
    """The floors below HTTP; ``alice`` is a user with the password ``right``."""
    server = or_skip(lambda: server_pool.get(request.param))
    async with Rig(server.url) as made:
        await made.users.add("alice", "right")
        yield made
