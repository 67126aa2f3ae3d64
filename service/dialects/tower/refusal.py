"""What Tower says to everything that can go wrong: from our errors to its statuses and texts."""

from __future__ import annotations

from http import HTTPStatus

from service.dialects.tower import texts
from service.dialects.tower.reply import JSON
from service.errors import (
    Busy,
    ClientAddressUnknown,
    StoreDown,
    TokenhouseError,
    TooManyAttempts,
    TooManyTokens,
)
from service.wire import json
from service.wire.body import BadBody
from service.wire.reply import Reply

_BEFORE = {
    400: texts.NOT_UNDERSTOOD,
    408: "The request did not arrive in time.",
    413: "The request body is too large.",
    431: "The headers of the request are too large.",
    503: "The server is busy. Try again shortly.",
}


class Denied(TokenhouseError):
    """A request that did not prove whom it is from; its text is Tower's."""


class Forbidden(TokenhouseError):
    """A request whose sender is known and may not do this."""


class NotFound(TokenhouseError):
    """A resource whose path is right and which is not there; its text is Tower's."""


class Invalid(TokenhouseError):
    """A query that says something this resource has no answer to; its text is Tower's."""


def refuse(status: int) -> tuple[bytes, bytes]:
    """Content type and body for a *status* decided before the application is asked."""
    text = _BEFORE.get(status) or f"{HTTPStatus(status).phrase}."
    return JSON.encode(), json.dumps({"detail": text})


def reply_to(error: TokenhouseError) -> Reply:
    """The answer to *error*; a refusal that has no words of its own reads as a failed login."""
    match error:
        case TooManyAttempts():
            return _later(429, texts.THROTTLED, error.retry_after_s)
        case Busy():
            return _later(503, texts.BUSY, error.retry_after_s)
        case StoreDown():
            return _later(503, texts.STORE_DOWN, error.retry_after_s)
        case ClientAddressUnknown():
            return Reply.detail(400, texts.NO_ADDRESS)
        case TooManyTokens():
            return _non_field(texts.TOO_MANY_TOKENS.format(error.limit))
        case BadBody():
            return Reply.detail(error.status, str(error))
        case Forbidden():
            return Reply.detail(403, texts.FORBIDDEN)
        case NotFound():
            return Reply.detail(404, str(error))
        case Invalid():
            return Reply.detail(400, str(error))
    return _non_field(texts.BAD_LOGIN)


def denied(error: Denied, authorization: str, *, basic: bool) -> Reply:
    """401 with the challenge that fits the request, or 403 where there is none to make.

    Tower repeats the scheme it was tried with (compared exactly), and else asks for Basic, so a
    house without Basic has no challenge for most requests.
    """
    scheme = (authorization.split() or [""])[0]
    challenge = "Token" if scheme == "Token" else 'Basic realm="api"' if basic else ""
    if not challenge:
        return Reply.detail(403, str(error))
    return Reply.detail(401, str(error), {"WWW-Authenticate": challenge})


def _non_field(text: str) -> Reply:
    return Reply(400, {texts.NON_FIELD: [text]})


def _later(status: int, text: str, retry_after_s: int) -> Reply:
    wait_s = max(1, retry_after_s)
    headers = {"Retry-After": str(wait_s), "Cache-Control": "no-store"}
    return Reply.detail(status, text.format(texts.seconds(wait_s)), headers)
