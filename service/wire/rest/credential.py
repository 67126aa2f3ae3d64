"""The text behind ``Authorization: Token``, with the words for what is wrong with it. Pure."""

from __future__ import annotations

from service.wire.rest.refusal import Denied

NO_TEXT = "Invalid token header. No credentials provided."
SPACES = "Invalid token header. Token string should not contain spaces."
BAD_BYTES = "Invalid token header. Token string should not contain invalid characters."


def words_of(authorization: str) -> list[bytes]:
    """The header (as Starlette gives it) split at white space of ASCII, in bytes as sent."""
    return authorization.encode("latin-1", "replace").split()


def token_of(authorization: str) -> str | None:
    """The token that the header carries; None when it is absent or has another scheme. Denied."""
    words = words_of(authorization)
    if not words or words[0].lower() != b"token":
        return None
    if len(words) == 1:
        raise Denied(NO_TEXT)
    if len(words) > 2:
        raise Denied(SPACES)
    try:
        return words[1].decode()
    except UnicodeDecodeError:
        raise Denied(BAD_BYTES) from None
