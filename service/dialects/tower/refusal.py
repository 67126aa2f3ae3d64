"""What Tower says to everything that can go wrong: from our errors to its statuses and texts."""

from __future__ import annotations

from service.dialects.tower import texts
from service.errors import TokenhouseError, TooManyTokens
from service.wire.reply import Reply
from service.wire.rest.refusal import TOO_MANY_TOKENS, alike


class Denied(TokenhouseError):
    """A request that did not prove whom it is from; its text is Tower's."""


class Forbidden(TokenhouseError):
    """A request whose sender is known and may not do this."""


class NotFound(TokenhouseError):
    """A resource whose path is right and which is not there; its text is Tower's."""


class Invalid(TokenhouseError):
    """A query that says something this resource has no answer to; its text is Tower's."""


def reply_to(error: TokenhouseError) -> Reply:
    """The answer to *error*; a refusal that has no words of its own reads as a failed login."""
    reply = alike(error)
    if reply is not None:
        return reply
    match error:
        case TooManyTokens():
            return Reply(400, {texts.NON_FIELD: [TOO_MANY_TOKENS.format(error.limit)]})
        case Forbidden():
            return Reply.detail(403, texts.FORBIDDEN)
        case NotFound():
            return Reply.detail(404, str(error))
        case Invalid():
            return Reply.detail(400, str(error))
    return Reply(400, {texts.NON_FIELD: [texts.BAD_LOGIN]})


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
