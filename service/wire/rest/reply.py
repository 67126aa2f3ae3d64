"""An answer before it is bytes, and the bytes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from service.wire import json
from service.wire.headers import encoded
from service.wire.reply import Reply, Wire

JSON = "application/json"
HTML = "text/html"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


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
