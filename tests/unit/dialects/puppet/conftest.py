"""One Puppet Enterprise with the default configuration for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.puppet.maker import Puppet, puppet


@pytest.fixture
async def house() -> AsyncIterator[Puppet]:
    """A Puppet Enterprise of defaults."""
    async with puppet() as made:
        yield made


@pytest.fixture
async def anybody(house: Puppet) -> AsyncIterator[Any]:
    """A client of ``house`` without a credential."""
    async with house.client() as made:
        yield made


@pytest.fixture
async def bob(house: Puppet) -> AsyncIterator[Any]:
    """A client of ``house`` with a token of bob's."""
    async with house.client(await house.token()) as made:
        yield made


@pytest.fixture
async def alice(house: Puppet) -> AsyncIterator[Any]:
    """A client of ``house`` with a token of alice's, who is a superuser."""
    async with house.client(await house.token("alice")) as made:
        yield made
