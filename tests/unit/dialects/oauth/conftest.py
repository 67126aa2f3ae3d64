"""OAuth's endpoints over an embedded store, and a client that talks to them without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from service.app import service_of
from service.core.tokens import Wish
from service.dialects.oauth import DIALECT
from service.house import House, build
from service.model import Issued
from tests.makers import cheap_config

RICH = ("gateway", "pw")
"""A user who may ask about everybody's tokens."""


@dataclass(frozen=True)
class OAuth:
    """alice is a superuser, bob and carol are not, gateway has that permission; passwords: pw."""

    house: House
    http: httpx.AsyncClient

    async def token(self, owner: str = "bob", policy: str = "oauth", **wish: Any) -> Issued:
        """A new token of *owner*."""
        wanted = Wish(owner=owner, policy=self.house.policies[policy], **wish)
        return await self.house.tokens.issue(wanted)

    async def ask(self, text: str, who: Any = RICH, **more: str) -> httpx.Response:
        """Introspect *text* as *who*: name and password, or a token."""
        return await self._post("/introspect", {"token": text, **more}, who)

    async def revoke(self, text: str, who: Any = RICH) -> httpx.Response:
        """Revoke *text* as *who*."""
        return await self._post("/revoke", {"token": text}, who)

    async def _post(self, path: str, form: Mapping[str, str], who: Any) -> httpx.Response:
        if isinstance(who, str):
            return await self.http.post(path, data=form, headers={"Authorization": f"Bearer {who}"})
        return await self.http.post(path, data=form, auth=who)


@asynccontextmanager
async def opened(**sections: dict[str, Any]) -> AsyncIterator[OAuth]:
    """The endpoints, configured by *sections*."""
    house = build(cheap_config(**sections))
    transport = httpx.ASGITransport(
        app=DIALECT.build(service_of(house)), client=("192.0.2.1", 40000)
    )
    try:
        await house.setup.init()
        await house.users.add("alice", "pw", superuser=True)
        for name in ("bob", "carol"):
            await house.users.add(name, "pw")
        await house.users.add("gateway", "pw", perms="gateway")
        async with httpx.AsyncClient(transport=transport, base_url="https://auth.test") as http:
            yield OAuth(house, http)
    finally:
        await house.aclose()


@pytest.fixture
async def oauth() -> AsyncIterator[OAuth]:
    """One of defaults."""
    async with opened() as made:
        yield made
