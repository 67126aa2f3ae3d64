"""What stops a request on its way, and how each of these is answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from service.errors import (
    Busy,
    ClientAddressUnknown,
    StoreDown,
    TokenChanged,
    TokenhouseError,
    TooManyAttempts,
    TooManyTokens,
)
from service.wire import json
from service.wire.body import BadBody
from service.wire.reply import Reply
from service.wire.rest.reply import JSON

NON_FIELD = "non_field_errors"
NOT_FOUND = "Not found."
NOT_ACCEPTABLE = "Could not satisfy the request Accept header."
FORBIDDEN = "You do not have permission to perform this action."
NO_CREDENTIALS = "Authentication credentials were not provided."
CHANGED = "Precondition failed."
BROKEN = "A server error has occurred."

NO_ADDRESS = (
    "The address of the client is not known: a trusted proxy named none, or none that can be "
    "read. The operator of this service should look at server.trusted_proxies and "
    "server.client_ip_header."
)
TOO_MANY_TOKENS = "This user already has {} tokens. Delete one of them first."
THROTTLED = "Request was throttled. Expected available in {}."
BUSY = "Too many logins are waiting. Try again in {}."
STORE_DOWN = "Tokens cannot be checked at the moment. Try again in {}."

_BEFORE = {
    400: "The request could not be understood by the server.",
    408: "The request did not arrive in time.",
    413: "The request body is too large.",
    431: "The headers of the request are too large.",
    503: "The server is busy. Try again shortly.",
}


class Denied(TokenhouseError):
    """A request that did not prove whom it is from (403); its text is the product's."""


class Forbidden(TokenhouseError):
    """A request whose sender is known and may not do this (403)."""

    def __init__(self, text: str = FORBIDDEN) -> None:
        super().__init__(text)


class NotFound(TokenhouseError):
    """A resource that is not there, or not for this user to see (404)."""

    def __init__(self, text: str = NOT_FOUND) -> None:
        super().__init__(text)


class NotAcceptable(TokenhouseError):
    """A form of answer that does not exist (406)."""

    def __init__(self, text: str = NOT_ACCEPTABLE) -> None:
        super().__init__(text)


class NotAllowed(TokenhouseError):
    """A *method* that this resource does not have (405)."""

    def __init__(self, method: str) -> None:
        super().__init__(f'Method "{method}" not allowed.')


class Invalid(TokenhouseError):
    """Data that break the rules (400); *body* is the JSON that says which and how."""

    def __init__(self, body: Any) -> None:
        super().__init__("invalid data")
        self.body = body

    @classmethod
    def whole(cls, text: str) -> Invalid:
        """A fault that no single field is to blame for."""
        return cls({NON_FIELD: [text]})


def refuse(status: int) -> tuple[bytes, bytes]:
    """Content type and body for a *status* decided before the application is asked."""
    text = _BEFORE.get(status) or f"{HTTPStatus(status).phrase}."
    return JSON.encode(), json.dumps({"detail": text})


_STATUS: dict[type[TokenhouseError], int] = {
    Denied: 403,
    Forbidden: 403,
    NotFound: 404,
    NotAllowed: 405,
    NotAcceptable: 406,
}


def reply_to(error: TokenhouseError, unnamed: str) -> Reply:
    """The answer to *error*; a refusal without words of its own reads as *unnamed* (403)."""
    reply = alike(error)
    if reply is not None:
        return reply
    match error:
        case TooManyTokens():
            return Reply(400, {NON_FIELD: [TOO_MANY_TOKENS.format(error.limit)]})
        case TokenChanged():
            return Reply.detail(412, CHANGED)
        case Invalid():
            return Reply(400, error.body)
    status = _STATUS.get(type(error))
    return Reply.detail(status, str(error)) if status else Reply.detail(403, unnamed)


def alike(error: TokenhouseError) -> Reply | None:
    """The answer to *error* where all products give the same; None where they do not."""
    match error:
        case TooManyAttempts():
            return _later(429, THROTTLED, error.retry_after_s)
        case Busy():
            return _later(503, BUSY, error.retry_after_s)
        case StoreDown():
            return _later(503, STORE_DOWN, error.retry_after_s)
        case ClientAddressUnknown():
            return Reply.detail(400, NO_ADDRESS)
        case BadBody():
            return Reply.detail(error.status, str(error))
    return None


def _later(status: int, text: str, retry_after_s: int) -> Reply:
    wait_s = max(1, retry_after_s)
    words = f"{wait_s} second" if wait_s == 1 else f"{wait_s} seconds"
    headers = {"Retry-After": str(wait_s), "Cache-Control": "no-store"}
    return Reply.detail(status, text.format(words), headers)
