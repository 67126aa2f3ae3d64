"""The ASGI application: from a path to its view, and from whatever happens to an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from service.dialects.puppet import checking, listing, login, revoking, texts, users
from service.dialects.puppet.auth import authenticate
from service.dialects.puppet.refusal import failure, reply_to
from service.dialects.puppet.reply import render
from service.dialects.puppet.view import Call, View, reading
from service.errors import StoreDown, TokenhouseError
from service.wire.caller import caller_of
from service.wire.dialect import Service
from service.wire.log import trace
from service.wire.reply import Reply, Wire, application

log = logging.getLogger("tokenhouse.puppet")

BASE = "/rbac-api/"

LOGIN = View(name="token", handlers={"POST": login.post}, protected=False)
TOKENS = View(name="tokens", handlers={"POST": login.another}, certified=False)
CHECK = View(name="authenticate", handlers={"POST": checking.post}, protected=False)
REVOKE = View(name="revoke tokens", handlers={"DELETE": revoking.many})
REVOKE_ONE = View(name="revoke a token", handlers={"DELETE": revoking.one})
CURRENT = View(name="current user", handlers=reading(users.current))
PASSWORD = View(name="password", handlers={"PUT": users.password})
EVERYBODY = View(name="users", handlers=reading(users.every))
USER = View(name="user", handlers=reading(users.one))
THEIRS = View(name="tokens of a user", handlers=reading(listing.get))
REVOKE_USER = View(name="revoke a user", handlers={"POST": users.revoke})
REINSTATE = View(name="reinstate a user", handlers={"POST": users.reinstate})


PATHS: Mapping[str, View] = {
    "v1/auth/token": LOGIN,
    "v1/tokens": TOKENS,
    "v2/auth/token/authenticate": CHECK,
    "v2/tokens": REVOKE,
    "v1/users": EVERYBODY,
    "v1/users/current": CURRENT,
    "v1/users/current/password": PASSWORD,
    "v1/command/users/revoke": REVOKE_USER,
    "v1/command/users/reinstate": REINSTATE,
}


def find(path: str) -> tuple[View, str] | None:
    """(view, what varies in the path) of *path*; None when nothing is there."""
    if not path.startswith(BASE):
        return None
    rest = path.removeprefix(BASE)
    if rest in PATHS:
        return PATHS[rest], ""
    match rest.split("/"):
        case ["v2", "tokens", text] if text:
            return REVOKE_ONE, text
        case ["v1", "users", name] if name:
            return USER, name
        case ["v1", "users", name, "tokens"] if name:
            return THEIRS, name
    return None


async def respond(service: Service, request: Request) -> Wire:
    """The answer to *request*, whatever it is. ClientDisconnect."""
    found = find(request.scope["path"])
    if found is None:
        return render(failure(404, texts.NOT_FOUND, texts.NO_SUCH_PATH))
    view, argument = found
    if request.method not in view.handlers:
        headers = {"Allow": view.allow}
        return render(failure(405, texts.NOT_ALLOWED, texts.BAD_METHOD, headers=headers))
    call = Call(
        service=service,
        request=request,
        caller=caller_of(request, service),
        view=view,
        argument=argument,
    )
    return render(await _answer(call))


async def _answer(call: Call) -> Reply:
    """What is said to *call*. ClientDisconnect."""
    view, method = call.view, call.request.method
    try:
        if view.protected:
            call = await authenticate(call)
        return await view.handlers[method](call)
    except ClientDisconnect:
        raise
    except TokenhouseError as error:
        if isinstance(error, StoreDown):
            log.warning("no answer to %s of %s: %s", method, view.name, error)
        return reply_to(error)
    except Exception as error:
        log.error("%s of %s failed: %s", method, view.name, trace(error))
        return failure(500, texts.SERVER, texts.BROKEN)


build = application(respond)
"""Puppet Enterprise over *service*."""
