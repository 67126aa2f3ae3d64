"""What a view is, and what it is called with. Data, and what every handler asks of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from service.dialects.puppet.texts import API_USER
from service.model import User
from service.wire.body import parse_json, read
from service.wire.caller import Caller
from service.wire.dialect import Service
from service.wire.reply import Reply

CERTIFIED = User(name=API_USER, user_id=0, active=True, superuser=True)
"""Whoever comes with an allow-listed certificate: no user of the store has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one view; *argument* is what varies in its path, *user* who sent it.

    *user* is None where nobody is asked who he is.
    """

    service: Service
    request: Request
    caller: Caller
    view: View
    argument: str = ""
    user: User | None = None

    @property
    def me(self) -> User:
        """Who is asking; only views that are protected may want to know."""
        assert self.user is not None
        return self.user

    async def data(self) -> Any:
        """What the body says, whatever its Content-Type. BadBody; ClientDisconnect."""
        return parse_json(await self.body())

    async def body(self) -> bytes:
        """The body as it was sent. BadBody; ClientDisconnect."""
        return await read(self.request, self.service.config.server.max_body)


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A resource: *protected* is whether one must say who one is, *certified* whether a client
    certificate says it, too."""

    name: str
    handlers: Mapping[str, Handler]
    protected: bool = True
    certified: bool = True

    @property
    def allow(self) -> str:
        """The methods, as the Allow header has them."""
        return ", ".join(self.handlers)


def reading(handler: Handler) -> dict[str, Handler]:
    """The methods of a resource that can only be looked at."""
    return {"GET": handler, "HEAD": handler}
