"""From the credential of a request to the user who sent it. The core decides, we only ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.core.address import unpack
from service.dialects.netbox import texts
from service.dialects.netbox.view import Call
from service.errors import NoSuchUser
from service.model import Trace, Word
from service.wire.headers import joined
from service.wire.rest.credential import token_of, words_of
from service.wire.rest.refusal import Denied, Forbidden

READS = ("GET", "HEAD", "OPTIONS")
SCHEMES = (b"token", b"bearer")

_REFUSED: Mapping[Word, str] = {
    Word.EXPIRED: texts.EXPIRED,
    Word.INACTIVE: texts.INACTIVE,
    Word.DISABLED: texts.DISABLED,
}
"""What a token's holder is told; for every other word that there is no such token."""


async def authenticate(call: Call) -> Call:
    """*call* with the user who sends it, None without a credential. Denied; Forbidden."""
    authorization = joined(call.request.headers, "authorization")
    text = newer_token_of(authorization) if call.new else token_of(authorization)
    if text is None:
        return call
    verdict = await call.service.tokens.verify(
        text.encode(),
        address=call.caller.address,
        agent=call.caller.agent,
        write=call.view.protected and call.request.method not in READS,
        trace=Trace.SLIDE if call.settings.maintenance_mode else Trace.WHOLE,
    )
    if verdict.word is Word.READ_ONLY:
        raise Forbidden
    if verdict.word is Word.NETWORK:
        raise Denied(_bad_source(call))
    unknown = _unknown(call, text)
    if not verdict.allowed:
        raise Denied(_REFUSED.get(verdict.word, unknown))
    try:
        user = await call.service.users.get(verdict.owner)
    except NoSuchUser:  # deleted since the verdict
        raise Denied(unknown) from None
    return replace(call, user=user, write=verdict.write)


def newer_token_of(authorization: str) -> str | None:
    """The token in the header by the rules of 4.5; None without one. Denied."""
    words = words_of(authorization)
    if not words or words[0].lower() not in SCHEMES:
        return None
    if len(words) != 2:
        raise Denied(texts.BAD_FORM)
    try:
        text = words[1].decode()
    except UnicodeDecodeError:
        raise Denied(texts.BAD_BYTES) from None
    if text.startswith(texts.PREFIX) and "." not in text:
        raise Denied(texts.NO_DOT)
    return text


def _unknown(call: Call, text: str) -> str:
    if not call.new:
        return texts.BAD_TOKEN
    return texts.BAD_V2 if text.startswith(texts.PREFIX) else texts.BAD_V1


def _bad_source(call: Call) -> str:
    address = call.caller.address
    return texts.BAD_SOURCE.format(unpack(address)) if address else texts.NO_SOURCE
