"""How a request is turned down: OAuth's error (RFC 6749 §5.2) inside a problem (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from service.dialects.oauth import texts
from service.errors import (
    BadCredentials,
    Busy,
    ClientAddressUnknown,
    StoreDown,
    TokenhouseError,
    TooManyAttempts,
)
from service.wire import json
from service.wire.body import BadBody
from service.wire.reply import Reply


class Turned(TokenhouseError):
    """A refusal with its *status* and OAuth's word for it; *error* may be empty."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error


def problem(
    status: int, error: str = "", text: str = "", *, headers: Mapping[str, str] | None = None
) -> Reply:
    """The reply that *status* and *error* make, never kept by a cache."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if text:
        body["detail"] = text
    if error:
        body |= {"error": error, "error_description": text}
    challenge = texts.CHALLENGES.get(error) if status == HTTPStatus.UNAUTHORIZED else None
    own = {"WWW-Authenticate": challenge} if challenge else {}
    return Reply(status, body, {**own, **(headers or {}), "Content-Type": texts.PROBLEM})


def reply_to(error: TokenhouseError) -> Reply:
    """The answer to *error*."""
    match error:
        case Turned():
            return problem(error.status, error.error, str(error))
        case BadBody():
            return problem(error.status, texts.INVALID_REQUEST, str(error))
        case BadCredentials():
            return problem(401, texts.INVALID_CLIENT, texts.NOT_KNOWN)
        case TooManyAttempts():
            return _later(429, texts.SLOW_DOWN, "Too many logins have failed.", error.retry_after_s)
        case Busy():
            return _later(503, texts.UNAVAILABLE, "Too many logins wait.", error.retry_after_s)
        case StoreDown():
            text = "Tokens cannot be checked at the moment."
            return _later(503, texts.UNAVAILABLE, text, error.retry_after_s)
        case ClientAddressUnknown():
            return problem(400, texts.INVALID_REQUEST, "The address of the client is not known.")
    return problem(401, texts.INVALID_CLIENT, texts.NOT_KNOWN)


def _later(status: int, error: str, text: str, retry_after_s: int) -> Reply:
    return problem(status, error, text, headers={"Retry-After": str(max(1, retry_after_s))})


def refuse(status: int) -> tuple[bytes, bytes]:
    """Content type and body for a *status* decided before the application is asked."""
    return texts.PROBLEM.encode(), json.dumps(problem(status).body)
