"""Builds a Nautobot over an embedded store, and clients that talk to it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from service.app import service_of
from service.core.tokens import Wish
from service.dialects.nautobot import DIALECT
from service.house import House, build
from tests.makers import cheap_config

TOKENS = "/api/users/tokens/"
KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
NOBODYS = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Nautobot:
    """One Nautobot under test: alice is a superuser, bob is not, their passwords are ``pw``."""

    house: House
    app: ASGIApp

    def client(self, key: str = "", address: str = "192.0.2.1", **options: Any) -> Any:
        """A client that sends the token *key*, if any."""
        transport = httpx.ASGITransport(
            app=self.app, client=(address, 40000), root_path=options.pop("root_path", "")
        )
        bearer = {"Authorization": f"Token {key}"} if key else {}
        headers = {**bearer, **options.pop("headers", {})}
        return httpx.AsyncClient(
            transport=transport, base_url="http://nautobot.test", headers=headers, **options
        )

    async def token(self, owner: str = "bob", policy: str = "nautobot", **wish: Any) -> str:
        """A new token of *owner*."""
        wanted = Wish(owner=owner, policy=self.house.policies[policy], **wish)
        return (await self.house.tokens.issue(wanted)).text

    async def keys(self, owner: str = "bob") -> set[str | None]:
        """The keys of every token of *owner* that is alive."""
        tokens = self.house.tokens
        found = await tokens.of_owner(owner)
        return {tokens.text_of(token) for token in found if token.state == "live"}


@asynccontextmanager
async def nautobot(**sections: dict[str, Any]) -> AsyncIterator[Nautobot]:
    """A Nautobot with alice and bob, configured by *sections*."""
    house = build(cheap_config(**sections))
    try:
        await house.setup.init()
        await house.users.add("alice", "pw", superuser=True)
        await house.users.add("bob", "pw")
        yield Nautobot(house, DIALECT.build(service_of(house)))
    finally:
        await house.aclose()


def dialect(**settings: Any) -> dict[str, Any]:
    """The section ``dialects`` with these settings of Nautobot's."""
    return {"nautobot": settings}
