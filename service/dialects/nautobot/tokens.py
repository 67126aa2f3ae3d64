"""One token: made, shown, changed, deleted. Lists of them are ``bulk``'s."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from service.core.amending import Change
from service.core.making import PasswordChanged, token_of
from service.core.tokens import Wish
from service.dialects.nautobot import shape, texts
from service.dialects.nautobot.fields import Said, said
from service.dialects.nautobot.own import Own
from service.dialects.nautobot.view import Call
from service.errors import (
    ClientAddressUnknown,
    KeyTaken,
    NoSuchToken,
    NoSuchUser,
    OneRefused,
    UserDisabled,
)
from service.model import Issued, Level, Token
from service.wire.reply import Reply
from service.wire.rest.metadata import described
from service.wire.rest.refusal import Denied, Invalid, NotFound

NAME = "Token"


def choosing(call: Call) -> bool:
    """Whether whoever asks may choose the key of a new token."""
    wanted = call.settings.client_keys
    return wanted == "own" or (wanted == "superuser" and call.me.superuser)


@asynccontextmanager
async def issued(call: Call, wanted: Sequence[Said]) -> AsyncIterator[list[Issued]]:
    """New tokens of whoever asks, as he *wanted* them, for the block that is to answer him.

    Invalid, with a list as long as *wanted*; Denied; TooManyTokens. None is left of any fault.
    """
    policy = call.service.policies[texts.POLICY]
    if policy.bind_ip is not Level.OFF and not call.caller.address:
        raise ClientAddressUnknown
    wishes = [_wish(call, one) for one in wanted]
    try:
        async with call.service.tokens.all_or_none(wishes) as made:
            yield made
    except OneRefused as refused:
        raise _refusal(refused, len(wishes)) from None


def _wish(call: Call, wanted: Said) -> Wish:
    return Wish(
        owner=call.me.name,
        policy=call.service.policies[texts.POLICY],
        address=call.caller.address,
        agent=call.caller.agent,
        write=wanted.write,
        end_ms=wanted.end_ms or 0,
        description=wanted.description or "",
        text=wanted.key or "",
        password=call.password,
    )


def _refusal(refused: OneRefused, count: int) -> Exception:
    """What to raise when one of *count* tokens was refused."""
    if isinstance(refused.error, KeyTaken):
        return Invalid(beside({"key": [texts.KEY_TAKEN]}, refused.at, count))
    if isinstance(refused.error, PasswordChanged):  # since it was compared
        return Denied(texts.BAD_BASIC)
    if isinstance(refused.error, NoSuchUser | UserDisabled):
        return Denied(texts.INACTIVE)
    return refused.error


def beside(fault: Any, at: int, count: int) -> list[Any]:
    """*fault* in its place in a list of *count* that are right otherwise."""
    return [fault if index == at else {} for index in range(count)]


def new_token(call: Call, wanted: Said, made: Issued) -> Token:
    """The token that was *made* for whoever asks, as he *wanted* it."""
    return token_of(_wish(call, wanted), made)


def replicas(made: Iterable[Issued]) -> dict[str, str]:
    """How many replicas have what was made, where anybody asked."""
    numbers = [one.replicas for one in made if one.replicas is not None]
    return {"X-Tokenhouse-Replicas": str(min(numbers))} if numbers else {}


async def create(call: Call, data: object) -> Reply:
    """POST of one token."""
    wanted = said(data, choose=choosing(call))
    try:
        async with issued(call, [wanted]) as made:
            own = Own(call, await call.service.tokens.born())
    except Invalid as invalid:
        raise Invalid(invalid.body[0]) from None
    body = own.shown(new_token(call, wanted, made[0]), key=made[0].text)
    return Reply(201, body, {"Location": body["url"], **replicas(made)})


async def show(call: Call) -> Reply:
    """GET of one token."""
    own = await Own.one(call)
    return Reply(200, own.shown(own.tokens[0], brief=call.brief))


async def change(call: Call) -> Reply:
    """PATCH and PUT of one token: what is not named stays, also with PUT."""
    own = await Own.one(call)
    wanted = said(await call.data(), current=key_of(call, own.tokens[0]))
    await amend(call, own.tokens[0], wanted)
    own = await Own.one(call)
    return Reply(200, own.shown(own.tokens[0]))


def key_of(call: Call, token: Token) -> str:
    """The key that *token* has; empty when nobody can tell, and then it fits none."""
    return call.service.tokens.text_of(token) or ""


async def amend(call: Call, token: Token, wanted: Said) -> None:
    """Change *token* as *wanted*. NotFound."""
    if wanted.end_ms is None and wanted.write is None and wanted.description is None:
        return
    try:
        change = Change(end_ms=wanted.end_ms, write=wanted.write, description=wanted.description)
        await call.service.tokens.amend(token, change)
    except NoSuchToken:
        raise NotFound from None


async def delete(call: Call) -> Reply:
    """DELETE of one token; a token may delete itself."""
    own = await Own.one(call)
    await revoke(call, own.tokens[0])
    return Reply(204)


async def revoke(call: Call, token: Token) -> None:
    """End *token*; that somebody else was faster is no matter."""
    try:
        await call.service.tokens.revoke_id(token.token_id)
    except NoSuchToken:
        return


async def describe(call: Call) -> Reply:
    """OPTIONS of one token."""
    try:
        await Own.one(call)
        changes = call.may("change")
    except NotFound:
        changes = False
    actions = {"PUT": shape.FIELDS} if changes else {}
    return Reply(200, described(NAME, "", parses=texts.PARSES, actions=actions))
