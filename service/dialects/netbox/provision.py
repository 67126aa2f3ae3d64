"""The first token: for a user name and a password, asked for by whoever has them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from service.core.address import unpack
from service.core.tokens import Wish
from service.dialects.netbox import fields, texts
from service.dialects.netbox.fields import Wanted
from service.dialects.netbox.making import represented, wish_of
from service.dialects.netbox.tokens import witnesses
from service.dialects.netbox.view import Call, View, anybody, describe
from service.errors import BadCredentials, BadName, NoSuchUser, TokenhouseError
from service.model import Issued, User
from service.wire.log import login_failed, shown
from service.wire.reply import Reply
from service.wire.rest.fields import Reader, Wrong, an_object, plain_text
from service.wire.rest.refusal import Denied, Forbidden
from service.wire.rest.reply import JSON, MULTIPART

log = logging.getLogger("tokenhouse.login")


async def post(call: Call) -> Reply:
    """A new token of the user whose name and password these are."""
    name, password, want = _asked(call, await call.data())
    # Before there is a token that nobody would be told of if the store went away now.
    owner = await _user(call, name)
    wish = wish_of(call, owner.name if owner else name, want)
    issued = await _login(call, wish, password)
    made = await represented(call, wish, issued, owner=owner)
    return Reply(201, made.body, witnesses(made.replicas))


def _asked(call: Call, data: Any) -> tuple[str, str, Wanted]:
    """Name, password, and what is wanted of the token. Forbidden; Invalid."""
    if call.new:
        reader = Reader(an_object(data))
        name, password = fields.login(reader)
    else:
        known = data if isinstance(data, dict) else {}
        reader = Reader(known)
        name, password = _pair(known)
    want = fields.wanted(reader, new=call.new, making=True, keyed=False)
    reader.done()
    # Nobody said anything: the older contract shows that as null.
    return name, password, replace(want, networks=want.networks or ()) if call.new else want


def _pair(data: dict[str, object]) -> tuple[str, str]:
    """Name and password, neither of them empty. Forbidden."""
    values = [data.get("username"), data.get("password")]
    try:
        name, password = (plain_text(value) for value in values)
    except Wrong:
        raise Forbidden(texts.NO_LOGIN) from None
    # Blanks are something, though no name and no password.
    if "" in values:
        raise Forbidden(texts.NO_LOGIN)
    return name, password


async def _user(call: Call, name: str) -> User | None:
    try:
        return await call.service.users.get(name)
    except (NoSuchUser, BadName):
        return None


async def _login(call: Call, wish: Wish, password: str) -> Issued:
    address = call.caller.guard_address
    try:
        issued = await call.service.logins.issue(wish, password, address=address)
    except TokenhouseError as error:
        login_failed(wish.owner, address, error)
        if isinstance(error, BadCredentials):
            raise Denied(texts.BAD_LOGIN) from None
        raise
    log.info("user %s logged in from %s", shown(wish.owner), unpack(address))
    return issued


PROVISION = View(
    name="Token Provision",
    description="Gives a token to whoever sends the name and the password of a user.",
    handlers={"POST": post, "OPTIONS": describe},
    guard=anybody,
    parses=(JSON, MULTIPART),
    protected=False,
)
