"""One token: made, shown, changed, deleted. Lists of them are ``bulk``'s."""

from __future__ import annotations

from service.core.amending import Change
from service.core.making import PasswordChanged
from service.core.passwords import public_part
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
    UserDisabled,
)
from service.model import Issued, Level, Life, Token
from service.wire.reply import Reply
from service.wire.rest.metadata import described
from service.wire.rest.refusal import Denied, Invalid, NotFound

NAME = "Token"


def choosing(call: Call) -> bool:
    """Whether whoever asks may choose the key of a new token."""
    wanted = call.settings.client_keys
    return wanted == "own" or (wanted == "superuser" and call.me.superuser)


async def issue(call: Call, wanted: Said) -> tuple[Token, Issued]:
    """A new token of whoever asks, as he *wanted* it. Invalid; Denied; TooManyTokens."""
    policy = call.service.policies[texts.POLICY]
    if policy.bind_ip is not Level.OFF and not call.caller.login_address:
        raise ClientAddressUnknown
    wish = Wish(
        owner=call.me.name,
        policy=policy,
        address=call.caller.login_address,
        agent=call.caller.agent,
        write=wanted.write,
        end_ms=wanted.end_ms or 0,
        description=wanted.description or "",
        text=wanted.key or "",
        password=call.password,
    )
    try:
        issued = await call.service.tokens.issue(wish)
    except KeyTaken:
        raise Invalid({"key": [texts.KEY_TAKEN]}) from None
    except PasswordChanged:  # since it was compared
        raise Denied(texts.BAD_BASIC) from None
    except (NoSuchUser, UserDisabled):
        raise Denied(texts.INACTIVE) from None
    token = _token(wish, issued)
    if wish.text and wish.password:
        await _recheck(call, token)
    return token, issued


async def _recheck(call: Call, token: Token) -> None:
    """Take *token* back when the password that was compared is another one by now. Denied.

    Only tokens made here are written together with that comparison; one with a chosen key is not.
    """
    try:
        user = await call.service.users.get(call.me.name)
    except NoSuchUser:
        raise Denied(texts.INACTIVE) from None
    if public_part(user.password) != call.password:
        await revoke(call, token)
        raise Denied(texts.BAD_BASIC)


def _token(wish: Wish, issued: Issued) -> Token:
    return Token(
        token_id=issued.token_id,
        owner=wish.owner,
        policy=texts.POLICY,
        state="live",
        write=wish.policy.write if wish.write is None else wish.write,
        life=Life.FIXED if issued.expires_ms else Life.NEVER,
        created_ms=issued.created_ms,
        expires_ms=issued.expires_ms,
        last_used_ms=0,
        description=wish.description,
    )


def replicas(*issued: Issued) -> dict[str, str]:
    """How many replicas have what was issued, where anybody asked."""
    numbers = [one.replicas for one in issued if one.replicas is not None]
    return {"X-Tokenhouse-Replicas": str(min(numbers))} if numbers else {}


async def create(call: Call, data: object) -> Reply:
    """POST of one token."""
    wanted = said(data, choose=choosing(call))
    token, issued = await issue(call, wanted)
    own = Own(call, await call.service.tokens.born())
    body = own.shown(token, key=issued.text)
    return Reply(201, body, {"Location": body["url"], **replicas(issued)})


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
