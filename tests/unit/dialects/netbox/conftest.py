"""One NetBox of each contract for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.netbox.maker import Netbox, netbox


@pytest.fixture
async def house() -> AsyncIterator[Netbox]:
    """A NetBox 3.3 of defaults."""
    async with netbox() as made:
        yield made


@pytest.fixture
async def newer() -> AsyncIterator[Netbox]:
    """A NetBox 4.6 of defaults."""
    async with netbox({"contract": "4.6"}) as made:
        yield made


@pytest.fixture
async def client(house: Netbox) -> AsyncIterator[Any]:
    """A client of ``house`` with a token of alice."""
    async with house.client(await house.token()) as made:
        yield made


@pytest.fixture
async def admin(house: Netbox) -> AsyncIterator[Any]:
    """A client of ``house`` with a token of the superuser."""
    async with house.client(await house.token("admin")) as made:
        yield made
