"""From the credential of a request to the user who sent it. The core decides, we only ask."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from service.core.passwords import public_part
from service.dialects.nautobot import texts
from service.dialects.nautobot.view import Call
from service.errors import BadCredentials, NoSuchUser, TokenhouseError
from service.model import Word
from service.wire.headers import joined
from service.wire.log import login_failed
from service.wire.rest.credential import token_of, words_of
from service.wire.rest.refusal import Denied, Forbidden

READS = ("GET", "HEAD", "OPTIONS")


async def authenticate(call: Call) -> Call:
    """*call* with its user, or as it is when it has no credential that its view takes.

    Denied; Forbidden for a write with a token for reading; what a login may raise.
    """
    header = joined(call.request.headers, "authorization")
    text = token_of(header)
    if text is not None:
        return await _by_token(call, text)
    login = basic_of(header) if call.view.basic else None
    if login is not None:
        return await _by_password(call, *login)
    return call


async def _by_token(call: Call, text: str) -> Call:
    verdict = await call.service.tokens.verify(
        text.encode(),
        address=call.caller.address,
        agent=call.caller.agent,
        write=call.request.method not in READS,
    )
    if verdict.word is Word.READ_ONLY:
        raise Forbidden
    if not verdict.allowed:
        raise Denied(texts.REFUSED[verdict.word])
    try:
        user = await call.service.users.get(verdict.owner)
    except NoSuchUser:  # deleted since the verdict
        raise Denied(texts.BAD_TOKEN) from None
    return replace(call, user=user, writes=verdict.write)


async def _by_password(call: Call, name: str, password: str) -> Call:
    address = call.caller.guard_address
    try:
        user = await call.service.logins.check(name, password, address=address)
    except TokenhouseError as error:
        login_failed(name, address, error)
        if isinstance(error, BadCredentials):
            raise Denied(texts.BAD_BASIC) from None
        raise
    return replace(call, user=user, password=public_part(user.password))


def basic_of(authorization: str) -> tuple[str, str] | None:
    """(name, password) of HTTP Basic; None when the header is absent or of another scheme. Denied.

    UTF-8, as clients of today send it, else Latin-1. Characters that are not base64's are skipped.
    """
    words = words_of(authorization)
    if not words or words[0].lower() != b"basic":
        return None
    if len(words) == 1:
        raise Denied(texts.NO_BASIC)
    if len(words) > 2:
        raise Denied(texts.BASIC_SPACES)
    try:
        raw = base64.b64decode(words[1])
    except binascii.Error:
        raise Denied(texts.BASIC_NOT_BASE64) from None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    name, _, password = text.partition(":")
    return name, password
