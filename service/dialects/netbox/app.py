"""The ASGI application: from a path to its view, and from whatever happens to an answer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from service.dialects.netbox import about, texts, tokens, users
from service.dialects.netbox.auth import authenticate
from service.dialects.netbox.provision import PROVISION
from service.dialects.netbox.view import Call, View
from service.errors import StoreDown, TokenhouseError
from service.wire.body import media_type
from service.wire.caller import caller_of
from service.wire.dialect import Service
from service.wire.headers import joined, location
from service.wire.log import trace
from service.wire.reply import Reply, Wire, application
from service.wire.rest.accept import Accepted, accepted
from service.wire.rest.refusal import (
    BROKEN,
    NOT_FOUND,
    NotAcceptable,
    NotAllowed,
    reply_to,
)
from service.wire.rest.reply import JSON, render

log = logging.getLogger("tokenhouse.netbox")

SUFFIX = ".json"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
}
VARY = "Accept, Cookie, Origin"
VARY_UNASKED = "Accept, Origin"
VARY_ELSEWHERE = "Origin"
NEWER_VARY = "HX-Request, Accept-Language, Cookie, origin"

ELSEWHERE = tuple(f"api/{name}/" for name in texts.APPS)


PLACES: Mapping[str, View] = {
    "api": about.ROOT,
    "api/status": about.STATUS,
    "api/users": about.USERS,
    "api/users/tokens": tokens.LIST,
    "api/users/tokens/provision": PROVISION,
    "api/users/users": users.LIST,
}
NEWER_PLACES: Mapping[str, View] = {
    **PLACES,
    "api/authentication-check": about.CHECK,
    "api/schema": about.SCHEMA,
}


def find(path: str, *, new: bool) -> tuple[View, str] | None:
    """(view, argument) of a *path* without slashes at its ends; None when nothing is there."""
    view = (NEWER_PLACES if new else PLACES).get(path)
    if view is not None:
        return view, ""
    match path.split("/"):
        case ["api", "users", "tokens", argument] if argument:
            return tokens.ONE, argument
        case ["api", "users", "users", argument] if argument:
            return users.ONE, argument
    return (about.ELSEWHERE, "") if path.startswith(ELSEWHERE) else None


async def respond(service: Service, request: Request) -> Wire:
    """The answer to *request*, whatever it is. ClientDisconnect."""
    path: str = request.scope["path"]
    new = service.config.dialects.netbox.contract == texts.NEW
    common = _common(service, request, new=new)
    suffix = SUFFIX if path.endswith(SUFFIX) else ""
    bare = path.removesuffix(suffix) if suffix else path.removesuffix("/")
    found = find(bare.removeprefix("/"), new=new)
    if found is None:
        return render(Reply.detail(404, NOT_FOUND), common=common)
    if not suffix and not path.endswith("/"):
        return render(_moved(request, new=new), common=common)
    view, argument = found
    common["Allow"] = view.allow
    call = Call(
        service=service,
        request=request,
        caller=caller_of(request, service),
        view=view,
        argument=argument,
        suffix=suffix,
    )
    return await _answer(call, common)


async def _answer(call: Call, common: dict[str, str]) -> Wire:
    try:
        chosen = _form(call)
    except TokenhouseError as error:
        vary = {} if call.new else {"Vary": VARY_UNASKED}
        return render(reply_to(error, NOT_FOUND), common={**common, **vary})
    vary = {} if call.new else {"Vary": VARY}
    try:
        reply = await _ask(call)
    except ClientDisconnect:
        raise
    except Exception as error:
        log.error("%s of %s failed: %s", call.request.method, call.view.name, trace(error))
        reply = Reply.detail(500, BROKEN)
    return render(reply, indent=chosen.indent, common={**common, **vary})


def _form(call: Call) -> Accepted:
    """The form of the answer, which is settled before anything else. NotFound; NotAcceptable."""
    chosen = accepted(call.request, "json" if call.suffix else "")
    if chosen.version not in (None, call.settings.contract):
        raise NotAcceptable(texts.BAD_VERSION)
    return chosen


async def _ask(call: Call) -> Reply:
    """The view's answer, or why there is none: first who is asking, then whether he may."""
    method = call.request.method
    try:
        call = await authenticate(call)
        call.view.guard(call)
        handler = call.view.handlers.get(method)
        if handler is None:
            raise NotAllowed(method)
        return await handler(call)
    except TokenhouseError as error:
        if isinstance(error, StoreDown):
            log.warning("no answer to %s of %s: %s", method, call.view.name, error)
        return reply_to(error, texts.BAD_LOGIN)


def _common(service: Service, request: Request, *, new: bool) -> dict[str, str]:
    """The headers of every answer, right or wrong."""
    if new:
        return {
            **SECURITY,
            "Content-Language": "en",
            "Vary": NEWER_VARY,
            "API-Version": texts.NEW,
            "X-Request-ID": str(uuid.uuid4()),
        }
    asked = media_type(joined(request.headers, "content-type")) == JSON
    version = {"API-Version": texts.OLD} if asked else {}
    return {**SECURITY, "Vary": VARY_ELSEWHERE, **version}


def _moved(request: Request, *, new: bool) -> Reply:
    """The way to the path with its slash; 4.6 shows it only to those who read."""
    if new and request.method not in ("GET", "HEAD"):
        return Reply.detail(404, NOT_FOUND)
    scope = request.scope
    to = location(scope.get("root_path", ""), scope["path"], "/", query=scope["query_string"])
    return Reply(301, None, {"Location": to, "Content-Type": "text/html; charset=utf-8"})


build = application(respond)
"""NetBox over *service*."""
