"""The ASGI application: from a path to its view, and from whatever happens to an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from service.dialects.tower import about, texts, users
from service.dialects.tower.auth import authenticate
from service.dialects.tower.authtoken import AUTHTOKEN, timeout_of
from service.dialects.tower.refusal import Denied, denied, reply_to
from service.dialects.tower.reply import MEDIA, VARY_MOVED, render
from service.dialects.tower.view import Call, View
from service.errors import StoreDown, TokenhouseError
from service.wire.caller import caller_of
from service.wire.dialect import Service
from service.wire.headers import joined, location
from service.wire.log import trace
from service.wire.negotiate import Choice, choose
from service.wire.reply import Reply, Wire, application

log = logging.getLogger("tokenhouse.tower")

VIEWS: Mapping[str, View] = {
    "authtoken": AUTHTOKEN,
    "ping": about.PING,
    "auth": about.SIGN_ON,
    "config": about.CONFIG,
    "me": users.ME,
    "users": users.USERS,
}


def find(path: str) -> tuple[View, str, str] | None:
    """(view, version, argument) of a *path* that ends in a slash; None when nothing is there."""
    match path[1:-1].split("/"):
        case ["api"]:
            return about.ROOT, "", ""
        case ["api", version] if version in texts.VERSIONS:
            return about.MAP, version, ""
        case ["api", version, name] if version in texts.VERSIONS and name in VIEWS:
            return VIEWS[name], version, ""
        case ["api", version, "users", number] if version in texts.VERSIONS and _is_id(number):
            return users.USER, version, number
    return None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


async def respond(service: Service, request: Request) -> Wire:
    """The answer to *request*, whatever it is. ClientDisconnect."""
    path: str = request.scope["path"]
    choice = wanted(request)
    common = _timeout(service, request)
    if not path.endswith("/"):
        return render(_moved(request), None, common)
    found = find(path)
    chosen = choice if isinstance(choice, Choice) else None
    if found is None:
        return render(Reply.detail(404, texts.NO_SUCH_PAGE), chosen, common)
    started = time.perf_counter()
    view, version, argument = found
    try:
        call = Call(
            service=service,
            request=request,
            caller=caller_of(request, service),
            view=view,
            version=version,
            argument=argument,
        )
        reply = await _ask(call, choice)
    except ClientDisconnect:
        raise
    except Exception as error:
        log.error("%s of %s failed: %s", request.method, view.name, trace(error))
        return render(Reply.detail(500, texts.BROKEN), chosen, common)
    spent = time.perf_counter() - started
    own = {"Allow": view.allow, "X-API-Node": service.node, "X-API-Time": f"{spent:.3f}s"}
    return render(reply, chosen, {**common, **own})


async def _ask(call: Call, choice: Choice | Reply) -> Reply:
    """The view's answer, or why there is none; who is asking is settled before how."""
    try:
        if call.view.protected:
            call = replace(call, user=await authenticate(call))
        if isinstance(choice, Reply):
            return choice
        handler = call.view.handlers.get(call.request.method)
        if handler is None:
            return Reply.detail(405, texts.method_not_allowed(call.request.method))
        return await handler(call)
    except Denied as error:
        basic = call.service.config.dialects.tower.auth_basic
        return denied(error, joined(call.request.headers, "authorization"), basic=basic)
    except TokenhouseError as error:
        if isinstance(error, StoreDown):
            log.warning("no answer to %s of %s: %s", call.request.method, call.view.name, error)
        return reply_to(error)


def wanted(request: Request) -> Choice | Reply:
    """The form in which *request* wants its answer, or the answer that there is none such."""
    name = request.query_params.get("format")
    if name and name not in MEDIA:
        return Reply.detail(404, texts.NOT_FOUND)
    offers = [MEDIA[name]] if name else list(MEDIA.values())
    choice = choose(joined(request.headers, "accept"), offers)
    return choice or Reply.detail(406, texts.NOT_ACCEPTABLE)


def _moved(request: Request) -> Reply:
    scope = request.scope
    to = location(scope.get("root_path", ""), scope["path"], "/", query=scope["query_string"])
    headers = {"Location": to, "Vary": VARY_MOVED}
    return Reply(HTTPStatus.MOVED_PERMANENTLY, None, headers)


def _timeout(service: Service, request: Request) -> dict[str, str]:
    """What Tower's web page sets its clock by: for its own way to send a token, right or not."""
    sent = joined(request.headers, "x-auth-token").strip(" ,")
    return {"Auth-Token-Timeout": timeout_of(service)} if sent else {}


build = application(respond)
"""Tower over *service*."""
