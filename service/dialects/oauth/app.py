"""The ASGI application: from a path to its endpoint, and from whatever happens to an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from service.dialects.oauth import texts
from service.dialects.oauth.endpoints import INTROSPECTION, REVOCATION, SERVER
from service.dialects.oauth.refusal import problem, reply_to
from service.dialects.oauth.view import Call, View
from service.errors import StoreDown, TokenhouseError
from service.wire import json
from service.wire.caller import caller_of
from service.wire.dialect import Service
from service.wire.headers import encoded
from service.wire.log import trace
from service.wire.reply import Reply, Wire, application

log = logging.getLogger("tokenhouse.oauth")

VIEWS: Mapping[str, View] = {
    "/introspect": INTROSPECTION,
    "/revoke": REVOCATION,
    texts.METADATA: SERVER,
}
"""The endpoint of each path below the dialect's own."""


async def respond(service: Service, request: Request) -> Wire:
    """The answer to *request*, whatever it is. ClientDisconnect."""
    view = VIEWS.get(request.scope["path"])
    if view is None:
        return render(problem(HTTPStatus.NOT_FOUND))
    handler = view.handlers.get(request.method)
    if handler is None:
        return render(problem(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": view.allow}))
    call = Call(service=service, request=request, caller=caller_of(request, service))
    try:
        return render(await handler(call))
    except ClientDisconnect:
        raise
    except TokenhouseError as error:
        if isinstance(error, StoreDown):
            log.warning("no answer at %s: %s", request.scope["path"], error)
        return render(reply_to(error))
    except Exception as error:
        log.error("%s failed: %s", request.scope["path"], trace(error))
        return render(problem(HTTPStatus.INTERNAL_SERVER_ERROR))


def render(reply: Reply) -> Wire:
    """*reply* as bytes; nothing that says something of a token is kept by a cache."""
    headers = {"Content-Type": texts.JSON, **reply.headers, "Cache-Control": "no-store"}
    body = b"" if reply.body is None else json.dumps(reply.body)
    if not body:
        del headers["Content-Type"]
    return Wire(reply.status, encoded({**headers, "Content-Length": str(len(body))}), body)


build = application(respond)
"""OAuth's endpoints over *service*."""
