"""An answer before it is bytes, and the bytes of it: bodies, headers, their placement. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from service.wire import json
from service.wire.headers import encoded
from service.wire.negotiate import Choice
from service.wire.reply import Reply, Wire

JSON = "application/json"
HTML = "text/html"
MEDIA = {"json": JSON, "api": HTML}
"""Tower's formats by their ``?format=`` name."""

VARY = "Accept, Accept-Language, Cookie"
VARY_MOVED = "Accept-Language, Cookie"


def render(reply: Reply, choice: Choice | None, common: Mapping[str, str]) -> Wire:
    """*reply* in the form that was chosen, with the *common* headers of its kind of answer.

    Pages do not exist yet, so whoever chose HTML gets JSON.
    """
    as_json = choice is not None and choice.media == JSON
    headers = {"Vary": VARY, "Content-Language": "en", **common, **reply.headers}
    body = b""
    if reply.body is not None:
        body = json.dumps(reply.body, choice.indent if choice and as_json else 0)
        headers["Content-Type"] = choice.content_type if choice and as_json else JSON
    if reply.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(body))
    return Wire(reply.status, encoded(headers), body)
