"""What a client is shown of tokens: by its contract, in full or as much as it asks for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from service.dialects.netbox import shape
from service.dialects.netbox.rows import shows_keys
from service.dialects.netbox.shape import Row
from service.dialects.netbox.view import Call
from service.errors import TokenChanged
from service.model import Life
from service.wire import json
from service.wire.headers import joined

AT_ONCE = 100
_TAG_SIZE = 16


def token(call: Call, row: Row, *, key: str | None = None) -> dict[str, Any]:
    """*row* in full; *key* is the text of a token just made, which is shown in any case."""
    if not call.new:
        return shape.token(row, call.link, masked=not shows_keys(call), key=key)
    body = shape.newer_token(row, call.link)
    return {**body, "token": shape.secret_of(key)} if key else body


def asked(call: Call, row: Row) -> dict[str, Any]:
    """*row* with the members that the query asks for."""
    query = call.request.query_params
    body = token(call, row)
    if query.get("brief"):
        wanted = shape.NEW_BRIEF if call.new else shape.BRIEF
        return {name: body[name] for name in wanted if name in body}
    if call.new:
        return shape.chosen(body, query.get("fields", ""), query.get("omit", ""))
    return body


async def all_asked(call: Call, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """As ``asked``, of many *rows*: now and then others get their turn."""
    bodies: list[dict[str, Any]] = []
    for row in rows:
        bodies.append(asked(call, row))
        if not len(bodies) % AT_ONCE:
            await asyncio.sleep(0)
    return bodies


def tag(call: Call, row: Row) -> Mapping[str, str]:
    """The ``ETag`` of *row*, which 4.6 has: another one after each change, but not after a use."""
    if not call.new:
        return {}
    body, it = token(call, row), row.token
    # A sliding end moves with every use.
    uses = ("last_used", "expires") if it.life is Life.SLIDING else ("last_used",)
    said = json.dumps({name: body[name] for name in body if name not in uses})
    return {"ETag": f'W/"{hashlib.sha256(said).hexdigest()[:_TAG_SIZE]}"'}


def meant(call: Call, row: Row) -> bool:
    """Whether *row* is meant just as it is: ``If-Match`` names its tag (4.6).

    TokenChanged when it names others.
    """
    named = [each.strip() for each in joined(call.request.headers, "if-match").split(",")]
    wanted = [each for each in named if each]
    if not call.new or not wanted or "*" in wanted:
        return False
    if tag(call, row)["ETag"] not in wanted:
        raise TokenChanged(str(row.token.token_id))
    return True
