"""The list of one's tokens: which of them a query selects, and one page of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.core.ids import from_uuid
from service.dialects.nautobot import texts
from service.dialects.nautobot.own import Own
from service.dialects.nautobot.shape import uuid_of
from service.dialects.nautobot.view import Call
from service.model import Token
from service.wire.reply import Reply
from service.wire.rest.filters import Column, Kind, query_of, select
from service.wire.rest.links import absolute
from service.wire.rest.pages import Page
from service.wire.rest.refusal import Invalid

UNFILTERED = frozenset({"api_version", "brief", "format", "limit", "offset"})
NO_FILTERS = UNFILTERED | {"q"}


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
    rows: Sequence[Token] = own.tokens
    for word in query.get("q", []):
        rows = [row for row in rows if word.strip().lower() in row.description.lower()]
    if "id" in query:
        query = {**query, "id": [_number(text, own) for text in query["id"] if text]}
    return select(rows, query, columns(call), besides=NO_FILTERS)


def columns(call: Call) -> Mapping[str, Column[Token]]:
    """What may be selected by."""
    tokens = call.service.tokens

    def text(token: Token) -> Any:
        return tokens.text_of(token) or ""

    # Where keys are not shown, a search for a part of one would show it all the same.
    whole_only = call.settings.show_key == "once"
    return {
        "id": Column(Kind.TEXT, lambda token: str(token.token_id), lookups=False),
        "key": Column(Kind.TEXT, text, lookups=not whole_only),
        "write_enabled": Column(Kind.TRUTH, lambda token: token.write),
        "created": Column(Kind.MOMENT, lambda token: token.created_ms),
        "expires": Column(Kind.MOMENT, lambda token: token.expires_ms or None),
    }


def _number(text: str, own: Own) -> str:
    found = uuid_of(text.strip())
    if found is None:
        raise Invalid({"id": [texts.BAD_UUID_FILTER]})
    return str(from_uuid(found, own.born) or 0)
