"""The list of one's tokens: which of them a query selects, and one page of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.core.secret import digest_of
from service.dialects.nautobot import texts
from service.dialects.nautobot.own import Own
from service.dialects.nautobot.shape import uuid_of
from service.dialects.nautobot.view import Call
from service.model import Token
from service.wire.reply import Reply
from service.wire.rest.filters import Column, Kind, Whole, query_of, select
from service.wire.rest.links import absolute
from service.wire.rest.pages import Page

UNFILTERED = frozenset({"api_version", "brief", "format", "include", "limit", "offset"})
NO_FILTERS = UNFILTERED | {"q"}
_PARTS = ("n", "ic", "nic", "isw", "nisw", "iew", "niew", "ie", "nie")
_TIMES = ("n", "lt", "lte", "gt", "gte")
LOOKUPS: Mapping[str, tuple[str, ...]] = {
    "id": _PARTS,
    "key": _PARTS,
    "created": _TIMES,
    "expires": _TIMES,
}
"""What may be asked for but an exact value: the product's, without regular expressions."""


async def list_tokens(call: Call) -> Reply:
    """GET: one's own tokens, the oldest first."""
    params = call.request.query_params
    query = query_of(params.multi_items())
    page = Page.of(params.get("limit"), params.get("offset"), 0)
    if UNFILTERED.issuperset(query):
        own, page = await Own.part(call, page)
        part = own.tokens
    else:
        own = await Own.of(call)
        rows = selected(call, own, query)
        page = replace(page, count=len(rows))
        part = page.part(rows)
    results = [own.shown(token, brief=call.brief) for token in part]
    url = absolute(call.request, call.service)
    return Reply(200, page.envelope(results, url, call.request.url.query))


def selected(call: Call, own: Own, query: dict[str, list[str]]) -> list[Token]:
    """The tokens that *query* selects. Invalid, also for a filter that there is not."""
    word = (query.get("q") or [""])[-1].strip().lower()
    rows = [token for token in own.tokens if _has(own, token, word)]
    return select(rows, query, columns(call, own), besides=NO_FILTERS)


def _has(own: Own, token: Token, word: str) -> bool:
    return word in token.description.lower() or word == own.name(token)


def columns(call: Call, own: Own) -> Mapping[str, Column[Token]]:
    """What *own* may be selected by."""
    tokens = call.service.tokens
    lookups = lookups_of(once=call.settings.show_key == "once")

    def text(token: Token) -> str:
        return tokens.text_of(token) or ""

    def number(text: str) -> int:
        found = uuid_of(text.strip())
        if found is None:
            raise ValueError(texts.BAD_UUID_FILTER)
        return own.number(found) or 0

    # A key is known by its digest, also where nobody can tell it any more.
    key: Whole[Token] = Whole(lambda token: token.digest, lambda text: digest_of(text.encode()))
    one: Whole[Token] = Whole(lambda token: token.token_id, number)
    return {
        "id": Column(Kind.UUID, own.name, lookups=lookups["id"], whole=one),
        "key": Column(Kind.TEXT, text, lookups=lookups["key"], whole=key),
        "write_enabled": Column(Kind.TRUTH, lambda token: token.write),
        "created": Column(Kind.MOMENT, lambda token: token.created_ms, lookups=lookups["created"]),
        "expires": Column(
            Kind.MOMENT, lambda token: token.expires_ms or None, lookups=lookups["expires"]
        ),
    }


def lookups_of(*, once: bool) -> Mapping[str, tuple[str, ...]]:
    """``LOOKUPS``; where keys are shown only *once*, a search for a part of one would show it."""
    return {**LOOKUPS, "key": ("n",)} if once else LOOKUPS
