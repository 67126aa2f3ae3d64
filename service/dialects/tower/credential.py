"""Where a request carries its credential, in Tower's order of precedence. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from service.dialects.tower import texts
from service.dialects.tower.refusal import Denied


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as it was sent."""

    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NamePassword:
    """What HTTP Basic carries."""

    name: str = field(repr=False)
    password: str = field(repr=False)


def credential_of(
    x_auth_token: str, authorization: str, cookie: str, *, basic: bool
) -> TokenText | NamePassword:
    """The one credential that counts among what the two headers and the cookie hold.

    ``X-Auth-Token`` outranks all, so that a browser's saved Basic login cannot override the
    token of the page it shows; Basic outranks the cookie. Denied when there is none or it is
    malformed.
    """
    sent = authorization.split()
    scheme = sent[0].lower() if sent else ""
    if _is_token(x_auth_token.split()):
        return _token(x_auth_token.split())
    if scheme == "token":
        return _token(sent)
    if scheme == "basic":
        if not basic:
            raise Denied(texts.NO_CREDENTIALS)
        return _basic(sent)
    if cookie:
        return _token(["token", *_from_cookie(cookie)])
    raise Denied(texts.NO_CREDENTIALS)


def revocable(authorization: str) -> bytes | None:
    """What DELETE revokes: all that follows exactly ``Token`` and one blank; None otherwise."""
    scheme, blank, text = authorization[:5], authorization[5:6], authorization[6:]
    return text.encode("latin-1") if scheme == "Token" and blank.isspace() and text else None


def _is_token(words: list[str]) -> bool:
    return bool(words) and words[0].lower() == "token"


def _from_cookie(cookie: str) -> list[str]:
    """The browser's page stores its token in percent-encoded quotes."""
    return (
        unquote_to_bytes(cookie.encode("latin-1", "replace")).decode("latin-1").strip('"').split()
    )


def _token(words: list[str]) -> TokenText:
    _check(words, "token", "Token string")
    return TokenText(words[1].encode("latin-1", "replace"))


def _check(words: list[str], kind: str, noun: str) -> None:
    if len(words) == 1:
        raise Denied(f"Invalid {kind} header. No credentials provided.")
    if len(words) > 2:
        raise Denied(f"Invalid {kind} header. {noun} should not contain spaces.")


def _basic(words: list[str]) -> NamePassword:
    _check(words, "basic", "Credentials string")
    try:
        raw = base64.b64decode(words[1])
    except (binascii.Error, ValueError):
        raise Denied("Invalid basic header. Credentials not correctly base64 encoded.") from None
    name, _, password = _text(raw).partition(":")
    return NamePassword(name, password)


def _text(raw: bytes) -> str:
    """UTF-8, as clients of today send it, else Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
