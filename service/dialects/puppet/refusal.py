"""What Puppet Enterprise says to everything that can go wrong: status, kind, msg, details."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from service.dialects.puppet import texts
from service.errors import (
    Busy,
    ClientAddressUnknown,
    DisabledLogin,
    StoreDown,
    TokenhouseError,
    TooManyAttempts,
    TooManyTokens,
)
from service.wire import json
from service.wire.body import BadBody
from service.wire.reply import Reply

ECHOED = 200


class Refused(TokenhouseError):
    """A request that is turned down in the product's own words."""

    def __init__(
        self, status: int, kind: str, msg: str, *, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(msg)
        self.status = status
        self.kind = kind
        self.details = details


def denied(msg: str = texts.FORBIDDEN) -> Refused:
    """The refusal for who is known and may not do this."""
    return Refused(HTTPStatus.FORBIDDEN, texts.DENIED, msg)


def refuse(status: int) -> tuple[bytes, bytes]:
    """Content type and body for a *status* decided before the application is asked."""
    known = texts.BEFORE.get(status)
    kind, msg = known or (texts.MALFORMED, f"{HTTPStatus(status).phrase}.")
    return texts.JSON.encode(), json.dumps({"kind": kind, "msg": msg})


def failure(
    status: int,
    kind: str,
    msg: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """The envelope of every error."""
    body: dict[str, Any] = {"kind": kind, "msg": msg}
    if details is not None:
        body["details"] = dict(details)
    return Reply(status, body, headers or {})


def reply_to(error: TokenhouseError, login: str = "") -> Reply:
    """The answer to *error*; a refusal without words of its own is a failed login of *login*."""
    match error:
        case Refused():
            return failure(error.status, error.kind, str(error), details=error.details)
        case TooManyAttempts():
            return later(401, texts.REVOKED_USER, texts.LOCKED, retry_after_s=error.retry_after_s)
        case Busy():
            return later(503, texts.SERVER, texts.BUSY, retry_after_s=error.retry_after_s)
        case StoreDown():
            return later(503, texts.SERVER, texts.AWAY, retry_after_s=error.retry_after_s)
        case BadBody():
            return _body(error)
        case ClientAddressUnknown():
            return failure(400, texts.MALFORMED, texts.NO_ADDRESS)
        case TooManyTokens():
            return failure(400, texts.TOO_MANY, texts.FULL.format(error.limit))
        case DisabledLogin():
            return failure(401, texts.REVOKED_USER, texts.USER_IS_REVOKED)
    return failure(401, texts.UNAUTHENTICATED, texts.FAILED.format(echo(login)))


def _body(error: BadBody) -> Reply:
    kind = texts.BODIES[error.status]
    msg = texts.NOT_JSON if kind == texts.MALFORMED else str(error)
    return failure(error.status, kind, msg, details={"error": echo(str(error))})


def later(status: int, kind: str, msg: str, *, retry_after_s: int) -> Reply:
    """A refusal that passes; *msg* takes for how long."""
    wait_s = max(1, retry_after_s)
    told = f"{wait_s} second" if wait_s == 1 else f"{wait_s} seconds"
    return failure(status, kind, msg.format(told), headers={"Retry-After": str(wait_s)})


def echo(text: str) -> str:
    """*text* of a client's as it can be said back to him: not long, and always writable."""
    return text[:ECHOED].encode("utf-8", "replace").decode()
