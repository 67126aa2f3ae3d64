"""Users: who am I, who is that, revoking and reinstating, a new password."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from service.core.users import BadPassword
from service.dialects.puppet import shape, texts
from service.dialects.puppet.fields import Key, Schema, conform, string
from service.dialects.puppet.login import failed
from service.dialects.puppet.people import by_id, named, nobody
from service.dialects.puppet.refusal import Refused, denied
from service.dialects.puppet.reply import Pages
from service.dialects.puppet.view import CERTIFIED, Call
from service.errors import BadCredentials, NoSuchUser, TokenhouseError
from service.model import User
from service.wire.log import shown
from service.wire.reply import Reply

log = logging.getLogger("tokenhouse.users")

SHORTEST = 6
"""Characters that a password has at least."""


def new_password(value: object) -> str:
    """A text of six characters at least."""
    text = string(value)
    if len(text) < SHORTEST:
        raise ValueError(f"less than {SHORTEST} characters")
    return text


WHOM: Schema = {"user_id": Key("string", string, needed=True)}
PASSWORDS: Schema = {
    "current_password": Key("string", string, needed=True, secret=True),
    "password": Key("string", new_password, needed=True, secret=True),
}


async def current(call: Call) -> Reply:
    """``GET /v1/users/current``: who is asking."""
    return await _shown(call, call.me)


async def one(call: Call) -> Reply:
    """``GET /v1/users/<sid>``. Refused."""
    return await _shown(call, await named(call, call.argument))


async def every(call: Call) -> Reply:
    """``GET /v1/users``: all, or those whose ids ``?id=`` names with commas between. Refused."""
    if not call.me.superuser:
        raise denied()
    born = await call.service.tokens.born()
    wanted = call.request.query_params.getlist("id")
    if wanted:
        found = [await by_id(call, name) for name in _ids(",".join(wanted))]
        return Reply(200, [shape.user(user, born) for user in found if user is not None])
    pages = call.service.users.pages()
    rest = ([shape.user(user, born) for user in page] async for page in pages)
    # An outage is told while it can be, and a list that is not long has its length.
    first, more = await anext(rest), await anext(rest, None)
    everybody = [shape.user(CERTIFIED, born), *first]
    return Reply(200, everybody if more is None else Pages([*everybody, *more], rest))


def _ids(text: str) -> list[UUID]:
    """The ids in *text*, each once. Refused."""
    found = [shape.uuid_of(part.strip()) for part in text.split(",") if part.strip()]
    if None in found:
        raise Refused(400, texts.INVALID_FILTER, texts.BAD_FILTER)
    return [name for name in dict.fromkeys(found) if name is not None]


async def _shown(call: Call, user: User) -> Reply:
    return Reply(200, shape.user(user, await call.service.tokens.born()))


async def revoke(call: Call) -> Reply:
    """``POST /v1/command/users/revoke``: the user and every token of his, for good."""
    name = await _told(call, call.service.users.revoke)
    log.warning("user %s revoked by %s", shown(name), shown(call.me.name))
    return Reply(204)


async def reinstate(call: Call) -> Reply:
    """``POST /v1/command/users/reinstate``: he may log in again; his old tokens stay dead."""
    name = await _told(call, call.service.users.enable)
    await call.service.logins.forgive(name)
    log.info("user %s reinstated by %s", shown(name), shown(call.me.name))
    return Reply(204)


async def _told(call: Call, change: Callable[[str], Awaitable[None]]) -> str:
    """The name of whom the body told to *change*. Refused."""
    if not call.me.superuser:
        raise denied()
    said = conform(await call.data(), WHOM)
    user = await named(call, said["user_id"])
    if user == CERTIFIED:
        raise denied(texts.API_USER_STAYS)
    try:
        await change(user.name)
    except NoSuchUser:  # deleted since
        raise nobody() from None
    return user.name


async def password(call: Call) -> Reply:
    """``PUT /v1/users/current/password``: tokens live on. Refused; what a login may raise."""
    me = call.me
    if me == CERTIFIED:
        raise denied(texts.API_USER_STAYS)
    said = conform(await call.data(), PASSWORDS)
    try:
        user = await call.service.logins.check(
            me.name, said["current_password"], address=call.caller.guard_address
        )
    except TokenhouseError as error:
        await failed(call, me.name, error)
        if isinstance(error, BadCredentials):
            raise denied(texts.WRONG_PASSWORD) from None
        raise
    try:
        changed = await call.service.users.replace_password(user, said["password"])
    except BadPassword as error:
        raise Refused(400, texts.MALFORMED, f"The new password is refused: {error}.") from None
    if not changed:  # somebody else has changed it since it was compared
        raise denied(texts.WRONG_PASSWORD)
    log.info("user %s has a new password", shown(me.name))
    return Reply(200)
