"""Builds a Tower over an embedded store, and clients that talk to it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from service.app import service_of
from service.config import Config
from service.dialects.tower import DIALECT
from service.house import House, build
from tests.makers import cheap_config

NODE = "node-1:8000"
NEVER = {"no-cache", "no-store", "must-revalidate", "max-age=0"}


def never_cached(response: Any) -> bool:
    """Whether *response* may not be kept at all; all or none of the headers say so."""
    directives = set(response.headers.get("cache-control", "").split(", "))
    said = [NEVER <= directives, "expires" in response.headers, "last-modified" in response.headers]
    assert len(set(said)) == 1
    return said[0]


def config(**sections: dict[str, Any]) -> Config:
    """The defaults with *sections* on top, on a node with a name."""
    return cheap_config(**{**sections, "server": {"node": NODE, **sections.get("server", {})}})


@dataclass(frozen=True)
class Tower:
    """One Tower under test: alice is a superuser, bob is not, their passwords are ``pw``."""

    house: House
    app: ASGIApp

    def client(self, address: str = "192.0.2.1", agent: str = "agent", **options: Any) -> Any:
        """A client at *address* that calls itself *agent*."""
        transport = httpx.ASGITransport(
            app=self.app, client=(address, 40000), root_path=options.pop("root_path", "")
        )
        headers = {"User-Agent": agent, **options.pop("headers", {})}
        return httpx.AsyncClient(
            transport=transport, base_url="http://tower.test", headers=headers, **options
        )

    async def login(self, name: str = "alice", **client: Any) -> str:
        """A new token of *name*."""
        async with self.client(**client) as caller:
            body = {"username": name, "password": "pw"}
            return (await caller.post("/api/v2/authtoken/", json=body)).json()["token"]

    async def age(self, ms: int = 0) -> int:
        """Let *ms* pass for the only token there is; the ms that its key has left."""
        run = self.house.client.run
        ((key,),) = await run((b"KEYS", b"t:*"))
        (left,) = await run((b"PTTL", key))
        await run((b"PEXPIRE", key, left - ms))
        return int(left - ms)


@asynccontextmanager
async def tower(**sections: dict[str, Any]) -> AsyncIterator[Tower]:
    """A Tower with alice and bob, configured by *sections*."""
    house = build(config(**sections))
    try:
        await house.setup.init()
        await house.users.add("alice", "pw", superuser=True, email="alice@example.org")
        await house.users.add("bob", "pw")
        yield Tower(house, DIALECT.build(service_of(house)))
    finally:
        await house.aclose()
