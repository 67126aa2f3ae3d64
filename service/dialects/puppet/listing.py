"""``GET /v1/users/<sid>/tokens``: somebody's tokens, a part of them, in some order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from service.dialects.puppet import shape, texts
from service.dialects.puppet.people import named
from service.dialects.puppet.refusal import Refused
from service.dialects.puppet.view import CERTIFIED, Call
from service.model import Token
from service.wire.reply import Reply

CREATION = "creation_date"
ORDERS: Mapping[str, Callable[[Token], float | str]] = {
    CREATION: lambda token: token.token_id,
    "expiration_date": lambda token: token.expires_ms or float("inf"),
    "last_active_date": lambda token: token.last_used_ms or token.created_ms,
    "client": lambda token: token.client,
}
WAYS = ("asc", "desc")
ALL = sys.maxsize


@dataclass(frozen=True, slots=True)
class Part:
    """Which tokens are wanted: *limit* None is all of them from *offset* on."""

    limit: int | None
    offset: int
    order_by: str
    order: str

    @classmethod
    def of(cls, query: QueryParams) -> Part:
        """What *query* asks for. Refused (400)."""
        return cls(
            limit=_whole("limit", query.get("limit")),
            offset=_whole("offset", query.get("offset")) or 0,
            order_by=_one_of("order_by", query, tuple(ORDERS)),
            order=_one_of("order", query, WAYS),
        )

    @property
    def size(self) -> int:
        """At most how many."""
        return ALL if self.limit is None else self.limit


def _whole(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise _bad(f"{name} is not a whole number of 0 or more")
    return int(value)


def _one_of(name: str, query: QueryParams, words: tuple[str, ...]) -> str:
    value = query.get(name, words[0])
    if value not in words:
        raise _bad(f"{name} is not one of {', '.join(words)}")
    return value


def _bad(fault: str) -> Refused:
    return Refused(400, texts.MALFORMED, f"The query cannot be answered: {fault}.")


async def get(call: Call) -> Reply:
    """The tokens of one user that are alive, or have expired and are still kept."""
    part = Part.of(call.request.query_params)
    owner = await named(call, call.argument)
    found, total = await _tokens(call, owner.name, part) if owner != CERTIFIED else ([], 0)
    born = await call.service.tokens.born()
    pagination = {
        "limit": part.limit,
        "offset": part.offset,
        "order_by": part.order_by,
        "order": part.order,
        "total": total,
    }
    items = [shape.item(token, born) for token in found]
    return Reply(200, {"items": items, "pagination": pagination})


async def _tokens(call: Call, owner: str, part: Part) -> tuple[list[Token], int]:
    """(the tokens that are wanted, how many there are in all)."""
    tokens, policy = call.service.tokens, call.service.policies[texts.POLICY]
    down = part.order == "desc"
    if part.order_by == CREATION:  # as they lie
        return await tokens.page([owner], policy, start=part.offset, size=part.size, newest=down)
    found, _ = await tokens.page([owner], policy, start=0, size=ALL)
    found.sort(key=ORDERS[part.order_by], reverse=down)
    return found[part.offset : part.offset + part.size], len(found)
