"""Builds a NetBox over an embedded store, and clients that talk to it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from service.app import service_of
from service.config import Config
from service.core.tokens import Wish
from service.dialects.netbox import DIALECT
from service.house import House, build
from tests.makers import cheap_config

HOST = "http://netbox.test"
NODE = "node-1:8000"
PROVISION = "/api/users/tokens/provision/"
TOKENS = "/api/users/tokens/"
USERS = "/api/users/users/"
KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
"""A key that a client may choose."""


def config(netbox: dict[str, Any], **sections: dict[str, Any]) -> Config:
    """The defaults with *sections* on top, on a node with a name, and this dialect's section."""
    sections["server"] = {"node": NODE, **sections.get("server", {})}
    return cheap_config(dialects={"enabled": ["netbox"], "netbox": netbox}, **sections)


@dataclass(frozen=True)
class Netbox:
    """One NetBox under test: admin is a superuser, alice and bob are not, all passwords are pw."""

    house: House
    app: ASGIApp

    def client(self, token: str = "", address: str = "192.0.2.1", **options: Any) -> Any:
        """A client at *address* that uses *token*."""
        transport = httpx.ASGITransport(
            app=self.app, client=(address, 40000), root_path=options.pop("root_path", "")
        )
        headers = {"Authorization": f"Token {token}"} if token else {}
        headers |= options.pop("headers", {})
        return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers, **options)

    async def token(self, owner: str = "alice", **wish: Any) -> str:
        """The text of a new token of *owner*."""
        return (await self.issued(owner, **wish)).text

    async def issued(self, owner: str = "alice", **wish: Any) -> Any:
        """A new token of *owner*."""
        policy = self.house.policies[wish.pop("policy", "netbox")]
        return await self.house.tokens.issue(Wish(owner=owner, policy=policy, **wish))

    async def allow(self, name: str, *permissions: str) -> None:
        """Give *name* exactly these *permissions*."""
        await self.house.users.owners.change(name, {"perms": " ".join(permissions)})


@asynccontextmanager
async def netbox(
    settings: dict[str, Any] | None = None, **sections: dict[str, Any]
) -> AsyncIterator[Netbox]:
    """A NetBox with three users, configured by the *settings* of the dialect and by *sections*."""
    house = build(config(settings or {}, **sections))
    try:
        await house.setup.init()
        await house.users.add("admin", "pw", superuser=True)
        await house.users.add("alice", "pw", first="Alice", last="Liddell")
        await house.users.add("bob", "pw")
        yield Netbox(house, DIALECT.build(service_of(house)))
    finally:
        await house.aclose()
