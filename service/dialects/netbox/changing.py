"""Changing tokens: what may be changed, checked for all of them before the first is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.core.amending import UNSET, Change
from service.dialects.netbox import rows, texts
from service.dialects.netbox.fields import Wanted, reference, wanted
from service.dialects.netbox.shape import Row, secret_of
from service.dialects.netbox.view import Call
from service.errors import NoSuchToken
from service.wire.rest.fields import Reader, an_object
from service.wire.rest.refusal import Invalid

Wish = tuple[Row, Wanted]


def checked(call: Call, row: Row, data: Any) -> Wish:
    """What *data* wants of *row*. Invalid.

    PUT needs a user, and without networks it takes them away; all else stays as it is unless it
    is named.
    """
    reader = Reader(an_object(data))
    whole = call.request.method == "PUT"
    want = wanted(reader, new=call.new, making=False)
    named = reader.take("user", reference, None, required=whole)
    if named is not None and not call.new and not named.means(row.user):
        reader.wrong("user", texts.USER_STAYS)
    name = "token" if call.new else "key"
    if want.text and name not in reader.errors and want.text != _key(call, row):
        reader.wrong(name, texts.KEY_STAYS)
    reader.done()
    if want.version not in (None, row.version):
        raise Invalid({"__all__": [texts.VERSION_STAYS]})
    if whole and want.networks is None:
        want = replace(want, networks=())
    return row, want


def _key(call: Call, row: Row) -> str | None:
    key = row.key
    return secret_of(key) if key and call.new else key


async def change(call: Call, changes: Sequence[Wish], *, exact: bool = False) -> list[Row]:
    """Make the *changes*; the tokens as they are then, without those that are gone.

    TokenChanged with *exact*, when one is not any more as it was read.
    """
    for row, want in changes:
        wanted = Change(
            end_ms=want.end_ms,
            write=want.write,
            enabled=want.enabled,
            description=want.description,
            networks=UNSET if want.networks is None else want.networks,
        )
        try:
            await call.service.tokens.amend(row.token, wanted, exact=exact)
        except NoSuchToken:
            continue
    found = [await rows.seen(call, row.token.token_id) for row, _ in changes]
    return [row for row in found if row is not None]
