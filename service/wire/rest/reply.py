"""An answer before it is bytes, and the bytes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from service.wire import json
from service.wire.headers import encoded

JSON = "application/json"
HTML = "text/html"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


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
    """A reply as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def render(reply: Reply, *, indent: int = 0, common: Mapping[str, str] | None = None) -> Wire:
    """*reply* as bytes, with the *common* headers of its kind of answer below its own.

    Content-Type is the bare media type, whatever was asked for. Pages do not exist, so whoever
    chose HTML gets JSON.
    """
    headers = {**(common or {}), **reply.headers}
    body = b""
    if reply.body is not None:
        body = json.dumps(reply.body, indent)
        headers["Content-Type"] = JSON
    if reply.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(body))
    return Wire(reply.status, encoded(headers), body)
