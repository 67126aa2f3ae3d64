"""From the credential of a request to the user who sent it. The core decides, we only ask."""

from __future__ import annotations

from dataclasses import replace

from service.dialects.puppet import texts
from service.dialects.puppet.certificate import is_api_user
from service.dialects.puppet.credential import Presented, credential_of
from service.dialects.puppet.refusal import Refused, denied
from service.dialects.puppet.view import CERTIFIED, Call
from service.errors import NoSuchUser
from service.model import Trace, User, Verdict, Word

READS = ("GET", "HEAD", "OPTIONS")


async def authenticate(call: Call) -> Call:
    """*call* with its user. Refused (401), and 403 for a write with a token for reading.

    A token that is presented decides alone: a bad one loses even beside a good certificate.
    """
    request = call.request
    shown = credential_of(
        request.headers.getlist("x-authentication"), request.query_params.getlist("token")
    )
    if shown is not None:
        return replace(call, user=await _by_token(call, shown))
    puppet, trust = call.service.config.dialects.puppet, call.service.trust
    if call.view.certified and is_api_user(request.scope, puppet, trust):
        return replace(call, user=CERTIFIED)
    raise Refused(401, texts.UNAUTHENTICATED, texts.NO_LOGIN)


async def _by_token(call: Call, shown: Presented) -> User:
    verdict = await ask(
        call, shown, trace=shown.trace, write=call.request.method not in READS, unreadable=401
    )
    try:
        return await call.service.users.get(verdict.owner)
    except NoSuchUser:  # deleted since the verdict
        raise revoked(401) from None


async def ask(
    call: Call, shown: Presented, *, trace: Trace, write: bool, unreadable: int
) -> Verdict:
    """What verify allows of *shown*. Refused.

    *unreadable* is the status for what is no token; where that is 401 so is every other refusal
    of it, and else they are 403.
    """
    if not shown.askable:
        raise _unknown(shown, unreadable)
    verdict = await call.service.tokens.verify(
        shown.text.encode(),
        address=call.caller.address,
        agent=call.caller.agent,
        write=write,
        trace=trace,
    )
    if verdict.allowed:
        return verdict
    if verdict.word is Word.UNKNOWN:
        raise _unknown(shown, unreadable)
    if verdict.word is Word.READ_ONLY:
        raise denied(texts.READ_ONLY)
    raise refusal_of(await _why(call, shown, verdict.word), _dead(unreadable))


async def _why(call: Call, shown: Presented, word: Word) -> Word:
    """*word*, or that the owner is revoked: his tokens are dead then as well."""
    if word is Word.REVOKED:
        owner = await call.service.tokens.owner_of(shown.text.encode())
        users = await call.service.users.some([owner] if owner else [])
        if any(not user.active for user in users.values()):
            return Word.INACTIVE
    return word


def refusal_of(word: Word, status: int) -> Refused:
    """The refusal for a token that verify answers with *word*."""
    kind, msg = texts.REFUSED.get(word, (texts.REVOKED_TOKEN, texts.TOKEN_IS_REVOKED))
    return Refused(status, kind, msg)


def revoked(status: int) -> Refused:
    """The refusal for a token that is no more."""
    return refusal_of(Word.REVOKED, status)


def _unknown(shown: Presented, unreadable: int) -> Refused:
    if shown.shaped:
        return revoked(_dead(unreadable))
    return Refused(unreadable, texts.INVALID_TOKEN, texts.TOKEN_IS_INVALID)


def _dead(unreadable: int) -> int:
    return 401 if unreadable == 401 else 403
