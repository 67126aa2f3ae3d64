"""The bytes of an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

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


def render(reply: Reply) -> Wire:
    """*reply* as JSON, whatever was asked for: clients send any Accept and parse JSON."""
    headers = {**COMMON, **reply.headers}
    body = b""
    if reply.body is not None:
        body = json.dumps(reply.body)
        headers["Content-Type"] = JSON
    if reply.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(body))
    return Wire(reply.status, encoded(headers), body)
