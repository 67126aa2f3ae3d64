"""Which tokens there are for whoever asks: one by its number, or what a query selects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.core.secret import digest_of
from service.dialects.netbox import texts
from service.dialects.netbox.shape import Row
from service.dialects.netbox.view import Call
from service.errors import BadName, NoSuchToken, NoSuchUser
from service.model import Token, User
from service.wire.rest.fields import NO_NULS
from service.wire.rest.filters import Column, Kind, Query, ordered, query_of, select
from service.wire.rest.pages import Page, number
from service.wire.rest.refusal import Invalid, NotFound

SHOWN = ("live", "expired", "inactive", "disabled")
"""The states of tokens that are listed; any other one is gone for good."""
FEW = 20
"""So many tokens are looked up by their numbers rather than among all."""
AT_ONCE = 500
"""So many are looked at before others get their turn."""

_ORDER: Mapping[str, Callable[[Row], Any]] = {
    "id": lambda row: row.token.token_id,
    "user": lambda row: row.user.user_id,
    "created": lambda row: (row.token.created_ms, row.token.token_id),
    "expires": lambda row: row.token.expires_ms or None,
    "last_used": lambda row: row.token.last_used_ms or None,
    "write_enabled": lambda row: row.token.write,
    "description": lambda row: row.token.description,
}


async def one(call: Call, argument: str) -> Row:
    """The token whose number *argument* is, if the caller may see it. NotFound."""
    asked = number(argument)
    if asked is None:
        raise NotFound
    row = await seen(call, asked)
    if row is None:
        raise NotFound(texts.NO_MATCH.format("Token")) if call.new else NotFound
    return row


async def seen(call: Call, asked: int) -> Row | None:
    """The token with this number, None when there is none for the caller to see."""
    if call.user is None:
        return None
    try:
        found = await call.service.tokens.get(asked)
    except NoSuchToken:
        return None
    if not _listed(found):
        return None
    if found.owner == call.user.name:
        return row_of(call, found, call.user)
    if not call.user.superuser:
        return None
    try:
        return row_of(call, found, await call.service.users.get(found.owner))
    except NoSuchUser:
        return None


async def part(call: Call, page: Page) -> tuple[list[Row], Page]:
    """The tokens on *page* of all that the caller may see, and the page with their count.

    By number, in 4.6 the newest first, without reading those that are not on it.
    """
    if call.user is None:
        return [], page
    policy = call.service.policies[texts.POLICY]
    found, count = await call.service.tokens.page(
        await _names(call, call.user), policy, start=page.offset, size=page.limit, newest=call.new
    )
    return await _rows(call, found), replace(page, count=count)


async def part_from(call: Call, first: int, limit: int) -> tuple[list[Row], int | None]:
    """(what the caller may see from the number *first* on, where to go on; None at the end)."""
    if call.user is None:
        return [], None
    policy = call.service.policies[texts.POLICY]
    found, more = await call.service.tokens.page_from(
        await _names(call, call.user), policy, first=first, size=limit
    )
    return await _rows(call, found), more


async def _names(call: Call, me: User) -> list[str]:
    """Whose tokens *me* may see."""
    return await call.service.users.names() if me.superuser else [me.name]


async def _rows(call: Call, found: Sequence[Token]) -> list[Row]:
    users = await call.service.users.some(dict.fromkeys(token.owner for token in found))
    return [
        row_of(call, token, users[token.owner])
        for token in found
        if _listed(token) and token.owner in users
    ]


async def listed(call: Call) -> list[Row]:
    """The tokens that the caller may see and his query selects, in order. Invalid."""
    if call.user is None:
        return []
    query = query_of(call.request.query_params.multi_items())
    if (numbers := _numbers(query)) is not None:
        found = [row for each in numbers if (row := await seen(call, each)) is not None]
        return await _selected(call, found, query, [row.user for row in found])
    users = await _pool(call, call.user, query)
    known = {user.name: user for user in users}
    keys = [] if call.new else [key for key in query.pop("key", []) if key]
    if keys:
        # Known by its digest, without telling what anybody's key is.
        policy, digests = call.service.policies[texts.POLICY], map(digest_of, map(str.encode, keys))
        tokens = await call.service.tokens.some([*known], policy, frozenset(digests))
    else:
        tokens = await call.service.tokens.of_owners([*known])
    rows = [row_of(call, token, known[token.owner]) for token in tokens if _listed(token)]
    return await _selected(call, rows, query, users)


def _numbers(query: Query) -> list[int] | None:
    """The few numbers that all of the *query* is about, if it is; so nothing else is read."""
    given = {text for text in query.get("id", ()) if text}
    numbers = {each for text in given if (each := number(text)) is not None}
    few = 0 < len(numbers) == len(given) <= FEW
    # A user must be there, whether it is his token or not; a key is known by its digest.
    beyond = any(name == "key" or name.startswith("user") for name in query)
    return sorted(numbers) if few and not beyond else None


async def _selected(
    call: Call, rows: Sequence[Row], query: Query, users: Iterable[User]
) -> list[Row]:
    """Those of *rows* that the *query* selects, in its order. Invalid."""
    word = (query.get("q") or [""])[-1].strip().lower()
    if "\0" in word:
        raise Invalid({"q": [NO_NULS]})
    table, found = columns(call, users), list[Row]()
    for start in range(0, len(rows) or 1, AT_ONCE):
        part = select(rows[start : start + AT_ONCE], query, table)
        found += [row for row in part if _has(row, word)]
        await asyncio.sleep(0)  # whoever else waits comes in between
    found = ordered(found, "-id" if call.new else "id", _ORDER)
    return ordered(found, (query.get("ordering") or [""])[-1], _keys(call))


def row_of(call: Call, token: Token, user: User) -> Row:
    """*token* of *user* as it will be shown."""
    return Row(token, user, call.service.tokens.text_of)


def _listed(token: Token) -> bool:
    return token.policy == texts.POLICY and token.state in SHOWN


def _has(row: Row, word: str) -> bool:
    return word in row.user.name.lower() or word in row.token.description.lower()


def _keys(call: Call) -> Mapping[str, Callable[[Row], Any]]:
    """What may be sorted by; by a key only where it is shown, as the order tells something."""
    if call.new:
        return {**_ORDER, "version": lambda row: row.version, "key": lambda row: row.public}
    return {**_ORDER, "key": lambda row: row.key} if shows_keys(call) else _ORDER


def shows_keys(call: Call) -> bool:
    """Whether a key is shown whenever its token is."""
    return not call.new and call.settings.show_key == "always"


async def _pool(call: Call, me: User, query: Mapping[str, list[str]]) -> list[User]:
    """The users whose tokens may be selected: everybody's for a superuser, unless he names some."""
    if not me.superuser:
        return [me]
    filters = [name for name, values in query.items() if name.startswith("user") and any(values)]
    if filters == ["user"]:
        return list(await _named(call, filter(None, query["user"])))
    if filters == ["user_id"]:
        numbers = {number(text) or 0 for text in query["user_id"]}
        found = [await call.service.users.by_id(each) for each in numbers]
        return [user for user in found if user is not None]
    return await call.service.users.all()


async def _named(call: Call, names: Iterable[str]) -> Iterable[User]:
    found: dict[str, User] = {}
    for name in names:
        try:
            user = await call.service.users.get(name)
        except (NoSuchUser, BadName):
            continue
        found[user.name] = user
    return found.values()


def columns(call: Call, users: Iterable[User]) -> Mapping[str, Column[Row]]:
    """What the list may be filtered by; nobody can be chosen but *users*."""
    names = frozenset(user.name for user in users)
    numbers = frozenset(str(user.user_id) for user in users)
    key: Callable[[Row], Any] = (lambda row: row.public) if call.new else (lambda row: row.key)
    # Where keys are not shown, nobody is to find one out by its beginnings.
    guessable = call.new or shows_keys(call)
    old: dict[str, Column[Row]] = {
        "id": Column(Kind.NUMBER, lambda row: row.token.token_id),
        "key": Column(Kind.TEXT, key, lookups=None if guessable else ()),
        "description": Column(Kind.TEXT, lambda row: row.token.description),
        "write_enabled": Column(Kind.TRUTH, lambda row: row.token.write),
        "user": Column(Kind.CHOICE, lambda row: row.user.name, choices=names),
        "user_id": Column(Kind.CHOICE, lambda row: str(row.user.user_id), choices=numbers),
        "created": Column(Kind.MOMENT, lambda row: row.token.created_ms),
        "expires": Column(Kind.MOMENT, lambda row: row.token.expires_ms or None),
    }
    new: dict[str, Column[Row]] = {
        "last_used": Column(Kind.MOMENT, lambda row: row.token.last_used_ms or None),
        "version": Column(Kind.NUMBER, lambda row: row.version),
        "enabled": Column(Kind.TRUTH, lambda row: row.token.enabled),
    }
    return {**old, **new} if call.new else old
