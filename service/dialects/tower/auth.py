"""From the credential of a request to the user who sent it. The core decides, we only ask."""

from __future__ import annotations

from service.dialects.tower import texts
from service.dialects.tower.credential import NamePassword, TokenText, credential_of
from service.dialects.tower.refusal import Denied, Forbidden
from service.dialects.tower.view import Call
from service.errors import BadCredentials, NoSuchUser, TokenhouseError
from service.model import User, Word
from service.wire.headers import joined
from service.wire.log import login_failed

READS = ("GET", "HEAD", "OPTIONS")


async def authenticate(call: Call) -> User:
    """The user who sends *call*. Denied; Forbidden; what a login may raise."""
    headers = call.request.headers
    credential = credential_of(
        joined(headers, "x-auth-token"),
        joined(headers, "authorization"),
        call.request.cookies.get("token", ""),
        basic=call.service.config.dialects.tower.auth_basic,
    )
    if isinstance(credential, NamePassword):
        return await _by_password(call, credential)
    return await _by_token(call, credential)


async def _by_token(call: Call, credential: TokenText) -> User:
    verdict = await call.service.tokens.verify(
        credential.text,
        address=call.caller.address,
        agent=call.caller.agent,
        write=call.request.method not in READS,
    )
    if verdict.word is Word.READ_ONLY:
        raise Forbidden
    if not verdict.allowed:
        raise Denied(texts.REFUSED[verdict.word])
    try:
        return await call.service.users.get(verdict.owner)
    except NoSuchUser:  # deleted since the verdict
        raise Denied(texts.BAD_TOKEN) from None


async def _by_password(call: Call, credential: NamePassword) -> User:
    try:
        return await call.service.logins.check(
            credential.name, credential.password, address=call.caller.guard_address
        )
    except TokenhouseError as error:
        login_failed(credential.name, call.caller.guard_address, error)
        if isinstance(error, BadCredentials):
            raise Denied(texts.BAD_BASIC) from None
        raise
