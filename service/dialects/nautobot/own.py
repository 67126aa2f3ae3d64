"""The tokens that whoever asks may see: his own, whoever he is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.core.ids import from_uuid, to_uuid
from service.dialects.nautobot import shape
from service.dialects.nautobot.texts import POLICY
from service.dialects.nautobot.view import Call
from service.errors import NoSuchToken
from service.model import Token
from service.wire.rest.pages import Page
from service.wire.rest.refusal import NotFound

STATES = frozenset({"live", "expired", "inactive", "disabled"})
"""Of tokens that are still there for their owner to see."""


@dataclass(frozen=True, slots=True)
class Own:
    """Tokens of the user of *call*, the oldest first, in the store whose id is *born*."""

    call: Call
    born: bytes
    tokens: Sequence[Token] = ()

    @classmethod
    async def of(cls, call: Call) -> Own:
        """All of them."""
        born = await call.service.tokens.born()
        newest_first = await call.service.tokens.of_owner(call.me.name)
        mine = [token for token in newest_first if _seen(token, call)]
        return cls(call, born, mine[::-1])

    @classmethod
    async def part(cls, call: Call, page: Page) -> tuple[Own, Page]:
        """Those on *page*, without reading the others; and the page with the count of all."""
        service = call.service
        found, count = await service.tokens.page(
            [call.me.name], service.policies[POLICY], start=page.offset, size=page.limit
        )
        mine = [token for token in found if _seen(token, call)]
        return cls(call, await service.tokens.born(), mine), replace(page, count=count)

    @classmethod
    async def one(cls, call: Call) -> Own:
        """The one that the path names. NotFound."""
        name = shape.uuid_of(call.argument)
        born = await call.service.tokens.born()
        number = from_uuid(name, born) if name else None
        try:
            token = await call.service.tokens.get(number) if number is not None else None
        except NoSuchToken:
            token = None
        if token is None or not _seen(token, call):
            raise NotFound
        return cls(call, born, (token,))

    def number(self, name: uuid.UUID) -> int | None:
        """The number of the token that *name* is the UUID of."""
        return from_uuid(name, self.born)

    def name(self, token: Token) -> str:
        """The UUID of *token*, as text."""
        return str(to_uuid(token.token_id, self.born))

    def shown(self, token: Token, *, brief: bool = False, key: str = "") -> dict[str, Any]:
        """*token* as answers have it; *key* is its text when it was made just now."""
        name = to_uuid(token.token_id, self.born)
        text = key or self.call.service.tokens.text_of(token)
        url = self.call.link("users", "tokens", str(name))
        body = shape.token(token, url, number=name, key=text)
        if not key and self.call.settings.show_key == "once":
            del body["key"]
        return {name: body[name] for name in shape.BRIEF if name in body} if brief else body


def _seen(token: Token, call: Call) -> bool:
    mine = token.owner == call.me.name and token.policy == POLICY
    return mine and token.state in STATES
