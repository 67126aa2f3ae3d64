"""An answer before it is bytes, the bytes of it, and the application that sends them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import StoreDown
from service.wire.dialect import Service

log = logging.getLogger("tokenhouse.wire")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said: *body* is JSON to be, None for no content at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def detail(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The shape of nearly every error: ``{"detail": text}``."""
        return cls(status, {"detail": text}, headers or {})


@dataclass(frozen=True, slots=True)
class Wire:
    """A reply as ASGI sends it; *more* stands in for a *body* too large to be held at once.

    It may raise StoreDown.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    more: AsyncIterator[bytes] | None = None


Respond = Callable[[Service, Request], Awaitable[Wire]]


def application(respond: Respond) -> Callable[[Service], ASGIApp]:
    """What builds the application that answers as *respond* does, which raises ClientDisconnect."""

    def build(service: Service) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            try:
                wire = await respond(service, request)
            except ClientDisconnect:
                return
            start = {"status": wire.status, "headers": wire.headers}
            await send({"type": "http.response.start", **start})
            if wire.more is not None and request.method != "HEAD":
                await _send_all(send, wire.more)
                return
            body = b"" if request.method == "HEAD" else wire.body
            await send({"type": "http.response.body", "body": body})

        return answer

    return build


async def _send_all(send: Send, parts: AsyncIterator[bytes]) -> None:
    """Send *parts* as they come; cut short, the client sees that the body has no end."""
    try:
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except StoreDown as error:
        log.warning("an answer was cut short: %s", error)
    else:
        await send({"type": "http.response.body", "body": b""})
