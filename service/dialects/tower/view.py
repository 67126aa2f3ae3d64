"""What a view is, and what it is called with. Data, and the one view that all of them share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from service.dialects.tower.reply import MEDIA
from service.model import User
from service.wire.caller import Caller
from service.wire.dialect import Service
from service.wire.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one view; *user* is None where nobody is asked who he is."""

    service: Service
    request: Request
    caller: Caller
    view: View
    version: str
    argument: str = ""
    user: User | None = None

    @property
    def me(self) -> User:
        """Who is asking; only views that are protected may want to know."""
        assert self.user is not None
        return self.user

    def link(self, *parts: str) -> str:
        """The path of a resource of the version that was asked, as clients can use it."""
        tail = "".join(f"{part}/" for part in (self.version, *parts) if part)
        return f"{self.request.scope.get('root_path', '')}/api/{tail}"


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A resource: *name* and *description* are for OPTIONS, *facts* are what else it says there."""

    name: str
    description: str
    handlers: Mapping[str, Handler]
    protected: bool = False
    parses: tuple[str, ...] = ()
    facts: Mapping[str, object] | None = None

    @property
    def allow(self) -> str:
        """The methods, as the Allow header has them."""
        return ", ".join(self.handlers)


async def describe(call: Call) -> Reply:
    """Answer OPTIONS."""
    view = call.view
    old = "> _This resource has been deprecated and will be removed in a future release_\n\n"
    body = {
        "name": view.name,
        "description": (old if call.version == "v1" else "") + view.description,
        "renders": list(MEDIA.values()),
        "parses": list(view.parses),
        **(view.facts or {}),
    }
    return Reply(200, body)


def reading(handler: Handler) -> dict[str, Handler]:
    """The methods of a resource that can only be looked at."""
    return {"GET": handler, "HEAD": handler, "OPTIONS": describe}
