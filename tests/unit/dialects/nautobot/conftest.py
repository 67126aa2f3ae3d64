"""One Nautobot with the default configuration for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.nautobot.maker import Nautobot, nautobot


@pytest.fixture
async def house() -> AsyncIterator[Nautobot]:
    """A Nautobot of defaults."""
    async with nautobot() as made:
        yield made


@pytest.fixture
async def key(house: Nautobot) -> str:
    """A token of bob's."""
    return await house.token()


@pytest.fixture
async def bob(house: Nautobot, key: str) -> AsyncIterator[Any]:
    """A client of ``house`` with the token ``key``."""
    async with house.client(key) as made:
        yield made


@pytest.fixture
async def anybody(house: Nautobot) -> AsyncIterator[Any]:
    """A client of ``house`` without a credential."""
    async with house.client() as made:
        yield made
