"""What is done at the path of the list: to one new token, or to many tokens at once."""

from __future__ import annotations

from collections.abc import Mapping

from service.dialects.nautobot import shape, texts
from service.dialects.nautobot.fields import Said, an_id, said
from service.dialects.nautobot.own import Own
from service.dialects.nautobot.tokens import (
    NAME,
    amend,
    beside,
    choosing,
    create,
    issued,
    key_of,
    new_token,
    replicas,
    revoke,
)
from service.dialects.nautobot.view import Call
from service.model import Token
from service.wire.reply import Reply
from service.wire.rest.bulk import each, numbered
from service.wire.rest.metadata import described
from service.wire.rest.refusal import Invalid, NotFound

MOST = 1000
"""Tokens that one request may be about."""


async def create_any(call: Call) -> Reply:
    """POST: one token, or a list of them, all or none."""
    data = await call.data()
    if not isinstance(data, list):
        return await create(call, data)
    _bounded(data)
    wanted = each(data, lambda item: said(item, choose=choosing(call)))
    _no_key_twice(wanted)
    async with issued(call, wanted) as made:
        own = Own(call, await call.service.tokens.born())
    pairs = zip(wanted, made, strict=True)
    body = [own.shown(new_token(call, one, new), key=new.text) for one, new in pairs]
    return Reply(201, body, replicas(made))


def _no_key_twice(wanted: list[Said]) -> None:
    """Invalid when one key is wanted for two tokens; the later one is to blame."""
    seen: set[str] = set()
    for at, one in enumerate(wanted):
        if one.key is not None and one.key in seen:
            raise Invalid(beside({"key": [texts.KEY_TAKEN]}, at, len(wanted)))
        seen.add(one.key or "")


def _bounded(data: object) -> None:
    if isinstance(data, list) and len(data) > MOST:
        raise Invalid.whole(texts.TOO_MANY.format(MOST))


async def _named(call: Call) -> list[tuple[Token, Mapping[str, object]]]:
    """The tokens that the body names, with what it says; what one cannot see is left out."""
    data = await call.data()
    _bounded(data)
    wanted = numbered(data, an_id)
    own = await Own.of(call)
    by_number = {token.token_id: token for token in own.tokens}
    found = ((by_number.get(own.number(name) or 0), fields) for name, fields in wanted)
    return [(token, fields) for token, fields in found if token is not None]


async def change_many(call: Call) -> Reply:
    """PATCH and PUT of a list: all that are right, or none."""
    named = await _named(call)
    wanted = [(token, said(fields, current=key_of(call, token))) for token, fields in named]
    for token, one in wanted:
        await _amend_if_there(call, token, one)
    own = await Own.of(call)
    by_number = {token.token_id: token for token in own.tokens}
    still = (by_number.get(token.token_id) for token, _ in wanted)
    return Reply(200, [own.shown(token) for token in still if token is not None])


async def _amend_if_there(call: Call, token: Token, wanted: Said) -> None:
    try:
        await amend(call, token, wanted)
    except NotFound:  # deleted since it was read: left out like any other that is not there
        return


async def delete_many(call: Call) -> Reply:
    """DELETE of a list; what is not there, or another's, is left alone."""
    named = await _named(call)
    for token, _ in named:
        await revoke(call, token)
    return Reply(204)


async def describe(call: Call) -> Reply:
    """OPTIONS of the list."""
    actions = {
        method: shape.FIELDS
        for method, action in (("POST", "add"), ("PUT", "change"))
        if call.may(action)
    }
    return Reply(200, described(NAME, "", parses=texts.PARSES, actions=actions))
