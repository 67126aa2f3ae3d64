"""Builds a Puppet Enterprise over an embedded store, and clients that talk to it directly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import service_of
from service.core.tokens import Wish
from service.dialects.puppet import DIALECT
from service.dialects.puppet.shape import sid
from service.house import House, build
from service.model import Token
from tests.makers import cheap_config

BASE = "/rbac-api"
LOGIN = f"{BASE}/v1/auth/token"
TOKENS = f"{BASE}/v1/tokens"
CHECK = f"{BASE}/v2/auth/token/authenticate"
REVOKE = f"{BASE}/v2/tokens"
USERS = f"{BASE}/v1/users"
CURRENT = f"{USERS}/current"
COMMAND = f"{BASE}/v1/command/users"
PUPPET = r"0[A-Za-z0-9_-]{43}"
NOBODYS = "00000000-0000-4000-8000-000000000000"
UNKNOWN = "0" + "A" * 43
"""Looks like a token and is none."""
CONSOLE = "console.example.org"


def certified(app: ASGIApp, name: str) -> ASGIApp:
    """*app* as it is asked over TLS by a client with a certificate of this subject."""

    async def over_tls(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {"tls": {"client_cert_name": name or None}}
        await app({**scope, "extensions": extensions}, receive, send)

    return over_tls


@dataclass(frozen=True)
class Puppet:
    """One Puppet Enterprise: alice is a superuser, bob and carol are not; passwords ``secret``."""

    house: House
    app: ASGIApp

    def client(self, token: str = "", *, cert: str | None = None, **options: Any) -> Any:
        """A client that sends *token*, if any, and shows a certificate for *cert*, if any."""
        app = self.app if cert is None else certified(self.app, cert)
        transport = httpx.ASGITransport(app=app, client=(options.pop("address", "192.0.2.1"), 1))
        sent = {"X-Authentication": token} if token else {}
        headers = {**sent, **options.pop("headers", {})}
        return httpx.AsyncClient(
            transport=transport, base_url="http://puppet.test", headers=headers, **options
        )

    async def token(self, owner: str = "bob", policy: str = "puppet", **wish: Any) -> str:
        """A new token of *owner*."""
        wanted = Wish(owner=owner, policy=self.house.policies[policy], **wish)
        return (await self.house.tokens.issue(wanted)).text

    async def record(self, text: str) -> Token:
        """What is kept of the token *text*."""
        verdict = await self.verify(text)
        found = await self.house.tokens.used(text.encode(), verdict)
        assert found is not None
        return found

    async def verify(self, text: str) -> Any:
        """What the gate would say of *text*."""
        return await self.house.tokens.verify(
            text.encode(), address=b"", agent=bytes(16), write=False
        )

    async def passes(self, text: str) -> bool:
        """Whether the gate would let *text* pass."""
        return bool((await self.verify(text)).allowed)

    async def sid(self, name: str = "bob") -> str:
        """The id of the user *name*."""
        return sid(await self.house.users.get(name), await self.house.tokens.born())

    async def live(self, owner: str = "bob") -> list[Token]:
        """The tokens of *owner* that are alive."""
        found = await self.house.tokens.of_owner(owner)
        return [token for token in found if token.state == "live"]


@asynccontextmanager
async def puppet(**sections: dict[str, Any]) -> AsyncIterator[Puppet]:
    """A Puppet Enterprise with alice, bob and carol, configured by *sections*."""
    house = build(cheap_config(**sections))
    try:
        await house.setup.init()
        await house.users.add("alice", "secret", superuser=True)
        await house.users.add("bob", "secret")
        await house.users.add("carol", "secret")
        yield Puppet(house, DIALECT.build(service_of(house)))
    finally:
        await house.aclose()


def refused(answer: httpx.Response) -> tuple[int, str]:
    """(status, kind) of a refusal, which is always the same envelope."""
    body = answer.json()
    assert {"kind", "msg"} <= set(body) <= {"kind", "msg", "details"}
    assert body["msg"]
    assert "application/json; charset=utf-8" == answer.headers["content-type"]
    return answer.status_code, body["kind"]
