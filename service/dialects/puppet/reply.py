"""The bytes of an answer. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from service.dialects.puppet.texts import JSON
from service.wire import json
from service.wire.headers import encoded
from service.wire.reply import Reply, Wire

COMMON: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: many hold a token, and many URLs do."""


@dataclass(frozen=True, slots=True)
class Pages:
    """A body that is one array, of which only some items are held at a time; *first* has some."""

    first: list[Any]
    rest: AsyncIterator[list[Any]]

    async def spelled(self) -> AsyncIterator[bytes]:
        """The array's JSON, page by page. What *rest* raises."""
        yield b"[" + json.dumps(self.first)[1:-1]
        async for page in self.rest:
            if page:
                yield b"," + json.dumps(page)[1:-1]
        yield b"]"


def render(reply: Reply) -> Wire:
    """*reply* as JSON, whatever was asked for: clients send any Accept and parse JSON."""
    headers = {**COMMON, **reply.headers}
    if isinstance(reply.body, Pages):
        headers["Content-Type"] = JSON
        return Wire(reply.status, encoded(headers), b"", reply.body.spelled())
    body = b""
    if reply.body is not None:
        body = json.dumps(reply.body)
        headers["Content-Type"] = JSON
    if reply.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(body))
    return Wire(reply.status, encoded(headers), body)
