"""One Tower with the default configuration for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.tower.maker import Tower, tower


@pytest.fixture
async def house() -> AsyncIterator[Tower]:
    """A Tower of defaults."""
    async with tower() as made:
        yield made


@pytest.fixture
async def client(house: Tower) -> AsyncIterator[Any]:
    """A client of ``house``."""
    async with house.client() as made:
        yield made
