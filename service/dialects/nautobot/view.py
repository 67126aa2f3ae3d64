"""What a view is, and what it is called with. Data, and what every handler asks of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from service.config.sections import Nautobot
from service.core.permissions import may
from service.dialects.nautobot.texts import PARSES
from service.model import User
from service.wire.caller import Caller
from service.wire.dialect import Service
from service.wire.reply import Reply
from service.wire.rest.data import read_data
from service.wire.rest.links import origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one view.

    *user* is None for who did not say. *writes* is whether the credential may change anything,
    *password* the public part of the hash that a name and password were held to. *suffix* is the
    format that the path ends in (``.json``), *argument* what stands for a token in it.
    """

    service: Service
    request: Request
    caller: Caller
    view: View
    argument: str = ""
    suffix: str = ""
    user: User | None = None
    writes: bool = True
    password: bytes = field(default=b"", repr=False)

    @property
    def me(self) -> User:
        """Who is asking; only views that are protected may want to know."""
        assert self.user is not None
        return self.user

    @property
    def settings(self) -> Nautobot:
        """What the operator decided for this dialect."""
        return self.service.config.dialects.nautobot

    def may(self, action: str) -> bool:
        """Whether the user, with this credential, may do *action* to his own tokens."""
        allowed = may(self.me, action, explicit=self.settings.explicit_permissions)
        return allowed and (self.writes or action == "view")

    @property
    def brief(self) -> bool:
        """Whether only the most important members are wanted."""
        return bool(self.request.query_params.get("brief"))

    async def data(self) -> Any:
        """What the body says. BadBody; ClientDisconnect."""
        return await read_data(self.request, self.service.config.server.max_body, PARSES)

    def link(self, *parts: str) -> str:
        """The URL of a resource, in the format that was asked for by the path or the query."""
        url = "/".join((origin(self.request, self.service), "api", *parts))
        if self.suffix:
            return f"{url}.{self.suffix}"
        asked = self.request.query_params.get("format")
        return f"{url}/?format={asked}" if asked else f"{url}/"


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A resource.

    *needs* has the permission that each method takes. *protected* is whether one must say who one
    is, *basic* whether a name and password say it; *versioned* whether answers name a version.
    """

    handlers: Mapping[str, Handler]
    needs: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    basic: bool = False
    versioned: bool = True

    @property
    def allow(self) -> str:
        """The methods, as the Allow header has them."""
        return ", ".join(self.handlers)
