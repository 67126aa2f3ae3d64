"""What a client is shown of tokens: by its contract, in full or as much as it asks for."""

from __future__ import annotations

from typing import Any

from service.dialects.netbox import shape
from service.dialects.netbox.rows import shows_keys
from service.dialects.netbox.shape import Row
from service.dialects.netbox.view import Call


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
