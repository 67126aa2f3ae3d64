"""The resource of tokens: the list of them, each one, and both in bulk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.dialects.netbox import changing, fields, making, present, rows, texts
from service.dialects.netbox.shape import Row
from service.dialects.netbox.view import (
    ACTION,
    Call,
    View,
    description,
    known_where_required,
    turned_away,
)
from service.wire.log import shown
from service.wire.reply import Reply
from service.wire.rest import bulk
from service.wire.rest.fields import whole
from service.wire.rest.links import absolute
from service.wire.rest.pages import MOST, Page, number
from service.wire.rest.refusal import Invalid, NotFound
from service.wire.rest.reply import JSON, MULTIPART

log = logging.getLogger("tokenhouse.netbox")


UNFILTERED = frozenset({"brief", "export", "fields", "format", "limit", "offset", "omit"})
"""Parameters of a list that choose no tokens, and no order."""
FROM_START = UNFILTERED | {"ordering", "start"}
"""The same, of a list that has an order of its own."""


def guard(call: Call) -> None:
    """Let in who may do to tokens what the method does. Denied; Forbidden."""
    action = ACTION.get(call.request.method)
    if action is None:
        known_where_required(call)
    elif not call.may(action):
        raise turned_away(call)


# -- the list --------------------------------------------------------------------------------


async def get_list(call: Call) -> Reply:
    """The tokens that the caller may see and his query selects, a part at a time."""
    query = call.request.query_params
    if query.get("export"):
        raise NotFound
    if call.new and "start" in query:
        return await _from_start(call)
    page = Page.of(query.get("limit"), query.get("offset"), 0)
    if UNFILTERED.issuperset(query):
        found, page = await rows.part(call, page)
        return Reply(200, page.envelope(await present.all_asked(call, found), *_here(call)))
    found = await rows.listed(call)
    page = replace(page, count=len(found))
    results = await present.all_asked(call, page.part(found))
    return Reply(200, page.envelope(results, *_here(call)))


def _here(call: Call) -> tuple[str, str]:
    """The URL of this list, and the query."""
    url = absolute(call.request, call.service)
    return url, call.request.scope["query_string"].decode("latin-1")


async def _from_start(call: Call) -> Reply:
    """The part that begins at a number, by which nothing is counted."""
    query = call.request.query_params
    if query.get("offset"):
        raise Invalid([texts.TWO_WAYS])
    start, limit = number(query.get("start")) or 0, Page.of(query.get("limit"), None, 0).limit
    if FROM_START.issuperset(query):
        part, more = await rows.part_from(call, start, limit)
    else:
        part, more = _cut(await rows.listed(call), start, limit)
    url = call.request.url.include_query_params(limit=limit, start=more).query
    body = {
        "count": None,
        "next": f"{_here(call)[0]}?{url}" if more is not None else None,
        "previous": None,
        "results": await present.all_asked(call, part),
    }
    return Reply(200, body)


def _cut(found: Sequence[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    """The part of what was *found*, and where to go on."""
    after = sorted(
        (row for row in found if row.token.token_id >= start), key=lambda row: row.token.token_id
    )
    more = after[limit - 1].token.token_id + 1 if len(after) > limit else None
    return after[:limit], more


async def post(call: Call) -> Reply:
    """Make a token, or one for each entry of a list."""
    data = _short(await call.data())
    if isinstance(data, list):
        return Reply(201, [made.body for made in await making.make(call, data)])
    try:
        (made,) = await making.make(call, [data])
    except Invalid as invalid:
        raise Invalid(invalid.body[0]) from None
    headers = {"Location": made.body["url"], **made.tag, **witnesses(made.replicas)}
    return Reply(201, made.body, headers)


def _short(data: Any) -> Any:
    """*data*, unless it is a list without end: each entry costs a question to the store."""
    if isinstance(data, list) and len(data) > MOST:
        raise Invalid.whole(texts.TOO_MANY.format(MOST))
    return data


def witnesses(replicas: int | None) -> dict[str, str]:
    """How many replicas have a new token, where somebody asked for replicas."""
    return {} if replicas is None else {"X-Tokenhouse-Replicas": str(replicas)}


async def change_list(call: Call) -> Reply:
    """Change the tokens that the entries name; those that cannot be seen are left out."""
    entries = bulk.numbered(_short(await call.data()), whole)
    changes = [
        changing.checked(call, row, data)
        for asked, data in entries
        if (row := await rows.seen(call, asked)) is not None
    ]
    changed = await changing.change(call, changes)
    return Reply(200, [present.token(call, row) for row in changed])


async def delete_list(call: Call) -> Reply:
    """Delete the tokens that the entries name; those that cannot be seen are left alone."""
    for asked, _ in bulk.numbered(_short(await call.data()), whole):
        row = await rows.seen(call, asked)
        if row is not None:
            await _delete(call, row)
    return Reply(204)


async def _delete(call: Call, row: Row, *, exact: bool = False) -> None:
    await call.service.tokens.revoke_token(row.token, exact=exact)
    by, whose = shown(call.me.name), shown(row.user.name)
    log.info("user %s deleted token %d of user %s", by, row.token.token_id, whose)


# -- one token -------------------------------------------------------------------------------


async def get(call: Call) -> Reply:
    """One token."""
    row = await rows.one(call, call.argument)
    return Reply(200, present.asked(call, row), present.tag(call, row))


async def change(call: Call) -> Reply:
    """Change one token. TokenChanged, when the client has seen another, and says so."""
    row = await rows.one(call, call.argument)
    exact = present.meant(call, row)
    wanted = changing.checked(call, row, await call.data())
    changed = await changing.change(call, [wanted], exact=exact)
    if not changed:
        raise NotFound
    return Reply(200, present.token(call, changed[0]), present.tag(call, changed[0]))


async def delete(call: Call) -> Reply:
    """Delete one token; it may be the one that is used for it. TokenChanged, as above."""
    row = await rows.one(call, call.argument)
    await _delete(call, row, exact=present.meant(call, row))
    return Reply(204)


# -- what there is ---------------------------------------------------------------------------


async def options(call: Call) -> Reply:
    """Describe the resource: its fields for what the caller may do with it."""
    body = fields.described(new=call.new)
    offered = {"POST": "add", "PUT": "change"} if "POST" in call.view.handlers else {}
    if not offered and await _there(call):
        offered = {"PUT": "change"}
    actions = {
        method: body for method, action in offered.items() if call.write and call.may(action)
    }
    return Reply(200, description(call, actions))


async def _there(call: Call) -> bool:
    try:
        await rows.one(call, call.argument)
    except NotFound:
        return False
    return True


LIST = View(
    name="Token",
    newer_name="Token List",
    handlers={
        "GET": get_list,
        "POST": post,
        "PUT": change_list,
        "PATCH": change_list,
        "DELETE": delete_list,
        "HEAD": get_list,
        "OPTIONS": options,
    },
    guard=guard,
    parses=(JSON, MULTIPART),
)
ONE = View(
    name="Token",
    newer_name="Token Instance",
    handlers={
        "GET": get,
        "PUT": change,
        "PATCH": change,
        "DELETE": delete,
        "HEAD": get,
        "OPTIONS": options,
    },
    guard=guard,
    parses=(JSON, MULTIPART),
)
