"""Making tokens: from what a request wants to tokens, all of them or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.core.address import unpack
from service.core.making import token_of
from service.core.tokens import Wish
from service.dialects.netbox import present, texts
from service.dialects.netbox.fields import Reference, Wanted, chosen_text, reference, wanted
from service.dialects.netbox.shape import Row
from service.dialects.netbox.view import Call
from service.errors import (
    BadName,
    ClientAddressUnknown,
    KeyTaken,
    NoSuchToken,
    NoSuchUser,
    OneRefused,
    UserDisabled,
)
from service.model import Issued, Level, User
from service.wire.log import shown
from service.wire.rest import bulk, times
from service.wire.rest.fields import Reader, an_object
from service.wire.rest.refusal import Forbidden, Invalid, NotFound

log = logging.getLogger("tokenhouse.netbox")


@dataclass(frozen=True, slots=True)
class Order:
    """One token that is to be made, when nothing is wrong with it any more."""

    owner: User
    want: Wanted
    text: str


Known = dict[Reference, User | None]
"""Who was looked for in one request, and who was found."""


@dataclass(frozen=True, slots=True)
class Made:
    """A token that was made, and how many replicas have it (None: nobody asked)."""

    body: dict[str, Any]
    replicas: int | None
    tag: Mapping[str, str]


async def make(call: Call, data: Sequence[Any]) -> list[Made]:
    """A token for each object in *data*, or none at all.

    Forbidden; ClientAddressUnknown, where the policy binds to one; Invalid, with a list as long as
    *data* that says what is wrong with which.
    """
    orders = await _each(call, data)
    policy = call.service.policies[texts.POLICY]
    if policy.bind_ip is not Level.OFF and not call.caller.address:
        raise ClientAddressUnknown
    wishes = [_wish(call, order) for order in orders]
    try:
        async with call.service.tokens.all_or_none(wishes) as issued:
            _in_time(call, orders, issued)
            each = zip(wishes, issued, orders, strict=True)
            made = [await represented(call, w, one, owner=o.owner) for w, one, o in each]
    except OneRefused as refused:
        raise _refusal(call, orders, refused) from None
    by, place = call.me.name, unpack(call.caller.guard_address)
    for wish in wishes:
        log.info("user %s made a token for user %s from %s", shown(by), shown(wish.owner), place)
    return made


async def _each(call: Call, data: Sequence[Any]) -> list[Order]:
    """An order for each object, checked as far as it can be beforehand."""
    orders: list[Order | Invalid] = []
    known: Known = {}
    for item in data:
        try:
            orders.append(await _order(call, item, known))
        except Invalid as invalid:
            orders.append(invalid)
    name = "token" if call.new else "key"
    seen: set[str] = set()

    def once(order: Order | Invalid) -> Order:
        if isinstance(order, Invalid):
            raise order
        if order.text and order.text in seen:
            raise Invalid({name: [texts.KEY_TAKEN[name]]})
        seen.add(order.text)
        return order

    return bulk.each(orders, once)


async def _order(call: Call, item: Any, known: Known) -> Order:
    reader = Reader(an_object(item))
    named = reader.take("user", reference, None, required=True)
    want = wanted(reader, new=call.new, making=True)
    owner = await _owner(call, reader, named, known)
    if owner is None:
        reader.done()
        raise Forbidden(texts.NOT_FOR_OTHERS)
    text = chosen_text(call, reader, want, owner=owner)
    reader.done()
    return Order(owner, want, text)


async def _owner(call: Call, reader: Reader, named: Reference | None, known: Known) -> User | None:
    """The user who is *named*, if he may get a token by the caller; else None.

    Whoever may not make tokens for others does not learn who there is.
    """
    if named is None:
        return None
    if named.means(call.me):
        return call.me
    if not call.may("grant"):
        return None
    if named not in known:
        known[named] = await _find(call, named)
    found = known[named]
    if found is None or not named.means(found):
        reader.wrong("user", named.lost)
        return None
    return found


async def _find(call: Call, named: Reference) -> User | None:
    if named.number is not None:
        return await call.service.users.by_id(named.number)
    if named.name is None:
        return None
    try:
        return await call.service.users.get(named.name)
    except (NoSuchUser, BadName):
        return None


def wish_of(call: Call, owner: str, want: Wanted, *, text: str = "") -> Wish:
    """What is asked of the core."""
    return Wish(
        owner=owner,
        policy=call.service.policies[texts.POLICY],
        address=call.caller.address,
        agent=call.caller.agent,
        write=want.write,
        enabled=want.enabled is not False,
        end_ms=want.end_ms or 0,
        description=want.description or "",
        networks=want.networks,
        text=text,
        form=want.form,
    )


def _wish(call: Call, order: Order) -> Wish:
    want = replace(order.want, networks=order.want.networks or ())
    return wish_of(call, order.owner.name, want, text=order.text)


def _refusal(call: Call, orders: Sequence[Order], refused: OneRefused) -> Exception:
    """What to raise when one of *orders* was refused."""
    name = "token" if call.new else "key"
    if isinstance(refused.error, KeyTaken):
        fault = {name: [texts.KEY_TAKEN[name]]}
    elif isinstance(refused.error, UserDisabled):
        fault = {"user": [texts.USER_DISABLED]}
    elif isinstance(refused.error, NoSuchUser):  # deleted since he was found
        number = orders[refused.at].owner.user_id
        fault = {"user": [texts.NO_SUCH_NUMBER.format(number)]}
    else:
        return refused.error
    return _beside(fault, refused.at, len(orders))


def _beside(fault: Any, at: int, count: int) -> Invalid:
    """Invalid with *fault* in its place in a list of *count* that are right otherwise."""
    return Invalid([fault if index == at else {} for index in range(count)])


def _in_time(call: Call, orders: Sequence[Order], issued: Sequence[Issued]) -> None:
    """Invalid when one ends as it is made: only the store knows what time it is."""
    for at, (order, made) in enumerate(zip(orders, issued, strict=True)):
        if call.new and order.want.end_ms and made.expires_ms <= made.created_ms:
            now = times.shown(made.created_ms // 1000 * 1000).rstrip("Z").replace("T", " ")
            raise _beside({"expires": [texts.PAST.format(now)]}, at, len(orders))


async def represented(call: Call, wish: Wish, issued: Issued, *, owner: User | None) -> Made:
    """The token of *owner* that came of *wish*; nothing is read but what was there already.

    NotFound when somebody has deleted that, or its user, since.
    """
    token = token_of(wish, issued)
    try:
        if issued.reused:
            token = await call.service.tokens.get(issued.token_id)
        owner = owner or await call.service.users.get(token.owner)
    except (NoSuchToken, NoSuchUser):
        raise NotFound from None
    row = Row(token, owner, lambda _: issued.text)
    body = present.token(call, row, key=issued.text)
    return Made(body, issued.replicas, present.tag(call, row))
