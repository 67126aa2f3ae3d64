"""The ASGI application: from a path to its view, and from whatever happens to an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from service.dialects.nautobot import about, bulk, texts, tokens
from service.dialects.nautobot.auth import authenticate
from service.dialects.nautobot.listing import list_tokens
from service.dialects.nautobot.view import Call, View
from service.errors import StoreDown, TokenhouseError
from service.wire.caller import caller_of
from service.wire.dialect import Service
from service.wire.headers import encoded, location
from service.wire.log import trace
from service.wire.reply import Reply, Wire, application
from service.wire.rest.accept import MEDIA, Accepted, accepted
from service.wire.rest.refusal import (
    BROKEN,
    NO_CREDENTIALS,
    Denied,
    Forbidden,
    NotAcceptable,
    NotAllowed,
    NotFound,
    reply_to,
)
from service.wire.rest.reply import JSON, render

log = logging.getLogger("tokenhouse.nautobot")

NOWHERE = b'{"detail": "Not found."}'
"""For a path that nothing is at; the blank is the product's."""

NEEDS = {
    "GET": "view",
    "HEAD": "view",
    "POST": "add",
    "PUT": "change",
    "PATCH": "change",
    "DELETE": "delete",
}

TOKENS = View(
    handlers={
        "GET": list_tokens,
        "POST": bulk.create_any,
        "PUT": bulk.change_many,
        "PATCH": bulk.change_many,
        "DELETE": bulk.delete_many,
        "HEAD": list_tokens,
        "OPTIONS": bulk.describe,
    },
    needs=NEEDS,
    protected=True,
    basic=True,
)
TOKEN = View(
    handlers={
        "GET": tokens.show,
        "PUT": tokens.change,
        "PATCH": tokens.change,
        "DELETE": tokens.delete,
        "HEAD": tokens.show,
        "OPTIONS": tokens.describe,
    },
    needs=NEEDS,
    protected=True,
    basic=True,
)
VIEWS: Mapping[str, View] = {
    "/api": about.ROOT,
    "/api/status": about.STATUS,
    "/api/users": about.USERS,
    "/api/users/tokens": TOKENS,
}
ONE = "/api/users/tokens/"
ELSEWHERE = tuple(f"/api/{name}/" for name in texts.ELSEWHERE)


class TwoVersions(TokenhouseError):
    """The header asks for one version, the query for another."""


def find(path: str) -> tuple[View, str, str] | None:
    """(view, argument, format) of *path*; None when nothing is there.

    A path ends in a slash, or in the name of a format (``tokens.json``).
    """
    bare, dot, suffix = path.rpartition(".")
    if not path.endswith("/") and not (dot and suffix in MEDIA):
        return None
    name, suffix = (path[:-1], "") if path.endswith("/") else (bare, suffix)
    if name in VIEWS:
        # The roots have no formats in their paths.
        return (VIEWS[name], "", suffix) if VIEWS[name] is TOKENS or not suffix else None
    argument = name.removeprefix(ONE)
    if name.startswith(ONE) and argument and "/" not in argument:
        return TOKEN, argument, suffix
    return (about.ELSEWHERE, "", suffix) if f"{name}/".startswith(ELSEWHERE) else None


async def respond(service: Service, request: Request) -> Wire:
    """The answer to *request*, whatever it is. ClientDisconnect."""
    path: str = request.scope["path"]
    found = find(path)
    if found is None:
        lacks_slash = not path.endswith("/") and find(path + "/")
        return _moved(request) if lacks_slash else _nowhere()
    view, argument, suffix = found
    common = {**texts.SECURITY, "Vary": texts.VARY_EARLY, "Allow": view.allow}
    try:
        accept = accepted(request, suffix)
        version = version_of(accept, request.query_params.get("api_version"))
    except TwoVersions:
        return render(Reply.detail(400, texts.TWO_VERSIONS), common=common)
    except TokenhouseError as error:
        return render(reply_to(error, texts.BAD_BASIC), common=common)
    common["Vary"] = texts.VARY
    if view.versioned:
        common["API-Version"] = version
    call = Call(
        service=service,
        request=request,
        caller=caller_of(request, service),
        view=view,
        argument=argument,
        suffix=suffix,
    )
    return render(await _answer(call), indent=accept.indent, common=common)


def version_of(accept: Accepted, queried: str | None) -> str:
    """The version that is asked for. TwoVersions; NotAcceptable; NotFound."""
    asked = accept.version
    if asked is not None and queried is not None and asked != queried:
        raise TwoVersions
    if asked is not None and asked not in texts.VERSIONS:
        raise NotAcceptable(texts.BAD_VERSION)
    if queried is not None and queried not in texts.VERSIONS:
        raise NotFound(texts.BAD_QUERY_VERSION)
    return asked or queried or texts.DEFAULT_VERSION


async def _answer(call: Call) -> Reply:
    """What is said to *call*. ClientDisconnect."""
    try:
        return await _ask(call)
    except ClientDisconnect:
        raise
    except TokenhouseError as error:
        if isinstance(error, StoreDown):
            log.warning("no answer to %s: %s", call.request.method, error)
        return reply_to(error, texts.BAD_BASIC)
    except Exception as error:
        log.error("%s failed: %s", call.request.method, trace(error))
        return Reply.detail(500, BROKEN)


async def _ask(call: Call) -> Reply:
    """The view's answer; who is asking is settled before how."""
    view, method = call.view, call.request.method
    call = await authenticate(call)
    if view.protected and call.user is None:
        raise Denied(NO_CREDENTIALS)
    needed = view.needs.get(method)
    if needed and not call.may(needed):
        raise Forbidden
    handler = view.handlers.get(method)
    if handler is None:
        raise NotAllowed(method)
    return await handler(call)


def _moved(request: Request) -> Wire:
    scope = request.scope
    to = location(scope.get("root_path", ""), scope["path"], "/", query=scope["query_string"])
    headers = {"Location": to, "Content-Type": "text/html; charset=utf-8"}
    return render(Reply(301, None, headers), common={**texts.SECURITY, "Vary": texts.VARY_MOVED})


def _nowhere() -> Wire:
    headers = {
        **texts.SECURITY,
        "Vary": texts.VARY_MOVED,
        "Content-Type": JSON,
        "Content-Length": str(len(NOWHERE)),
    }
    return Wire(404, encoded(headers), NOWHERE)


build = application(respond)
"""Nautobot over *service*."""
