"""What a view is, and what it is called with. Data, and the questions every view asks of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from service.config.sections import Netbox
from service.core.permissions import may
from service.dialects.netbox import texts
from service.model import User
from service.wire.caller import Caller
from service.wire.dialect import Service
from service.wire.reply import Reply
from service.wire.rest import metadata
from service.wire.rest.data import read_data
from service.wire.rest.links import origin
from service.wire.rest.refusal import NO_CREDENTIALS, Denied, Forbidden

ACTION = {
    "GET": "view",
    "HEAD": "view",
    "POST": "add",
    "PUT": "change",
    "PATCH": "change",
    "DELETE": "delete",
}
"""What a method does to the objects of a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one view.

    *user* is None for whoever sent no credential, *write* whether his token is for writing as well.
    *argument* is the last part of the path where it varies; *suffix* ``.json`` where it ends so.
    """

    service: Service
    request: Request
    caller: Caller
    view: View
    argument: str = ""
    suffix: str = ""
    user: User | None = None
    write: bool = False

    @property
    def settings(self) -> Netbox:
        """The section of the config that is about this dialect."""
        return self.service.config.dialects.netbox

    @property
    def new(self) -> bool:
        """Whether the newer contract is spoken."""
        return self.settings.contract == texts.NEW

    @property
    def me(self) -> User:
        """Who is asking; only for views whose guard lets nobody in unknown."""
        assert self.user is not None
        return self.user

    def link(self, *parts: str) -> str:
        """The URL of a resource as this client can use it, in the form that he asks for."""
        base = f"{origin(self.request, self.service)}/api/{'/'.join(parts)}"
        asked = self.request.query_params.get("format")
        return (
            base + (self.suffix or ("/" if parts else "")) + (f"?format={asked}" if asked else "")
        )

    def may(self, action: str) -> bool:
        """Whether the caller may do *action* to tokens."""
        if action == "view" and self.exempt("users.token"):
            return self.user is not None or not self.settings.login_required
        if self.user is None:
            return False
        return may(self.user, action, explicit=self.settings.explicit_permissions)

    def exempt(self, model: str) -> bool:
        """Whether looking at *model* takes no permission; ``*`` has never covered users."""
        named = self.settings.exempt_view
        covered = model == "users.token" and not self.new
        return model in named or ("*" in named and covered)

    async def data(self) -> object:
        """The body of the request. BadBody."""
        return await read_data(self.request, self.service.config.server.max_body, self.view.parses)


Handler = Callable[[Call], Awaitable[Reply]]
Guard = Callable[[Call], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A resource: *handlers* by method, and *guard*, who raises when the caller may not.

    *newer_name* is what the newer contract calls it, where it has another name.
    """

    name: str
    newer_name: str = ""
    handlers: Mapping[str, Handler]
    guard: Guard
    description: str = ""
    parses: tuple[str, ...] = ()
    protected: bool = True
    """Whether a token for reading is refused where something is written."""

    @property
    def allow(self) -> str:
        """The methods, as the Allow header has them."""
        return ", ".join(self.handlers)


def description(call: Call, actions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What OPTIONS says of the view; *actions* are the fields for what the caller may do."""
    view = call.view
    name = view.newer_name if call.new and view.newer_name else view.name
    return metadata.described(name, view.description, parses=view.parses, actions=actions)


async def describe(call: Call) -> Reply:
    """Answer OPTIONS where there are no fields."""
    return Reply(200, description(call))


def reading(handler: Handler) -> dict[str, Handler]:
    """The methods of a resource that can only be looked at."""
    return {"GET": handler, "HEAD": handler, "OPTIONS": describe}


def turned_away(call: Call) -> Denied | Forbidden:
    """What to raise when the caller may not, whoever he is."""
    return Denied(NO_CREDENTIALS) if call.user is None else Forbidden()


def anybody(_: Call) -> None:
    """Let everybody in."""


def known_where_required(call: Call) -> None:
    """Let in whom ``login_required`` does not keep out. Denied."""
    if call.user is None and call.settings.login_required:
        raise turned_away(call)


def known_where_new(call: Call) -> None:
    """As above, but the older contract shows its maps to everybody. Denied."""
    if call.new:
        known_where_required(call)


def known(call: Call) -> None:
    """Let in who has a token. Denied."""
    if call.user is None:
        raise turned_away(call)
