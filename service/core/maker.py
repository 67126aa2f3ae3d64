"""Making tokens: one, or several of which all are made or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.core.making import (
    age_ms,
    fields_of,
    form_of,
    head_of,
    issued_of,
    name_of,
    refusal_of,
)
from service.core.secret import Secrets, digest_of, shard_of_text
from service.core.undo import Undo
from service.errors import OneRefused, StoreDown, TokenhouseError, WriteLost
from service.model import Issued, Word
from service.store.imports import Foreign, Imports
from service.store.issuing import NewToken, Outcome
from service.store.keys import shard_of
from service.store.store import TRIES, Store

if TYPE_CHECKING:
    from service.core.tokens import Wish

BATCH = 25
"""Tokens that are asked for at once, within one deadline of the store."""
_LOST = (WriteLost, asyncio.CancelledError)


@dataclass(frozen=True, slots=True)
class _Order:
    """A wish, and what is asked of the store for it; *foreign* when the client chose its text."""

    wish: Wish
    new: NewToken
    text: str
    foreign: Foreign | None = None

    @property
    def alone(self) -> bool:
        """Whether it may come to a token that is there already."""
        return bool(self.new.name)


class Maker:
    """Makes tokens. May raise StoreDown."""

    def __init__(self, store: Store, imports: Imports, secrets: Secrets) -> None:
        self._store = store
        self._imports = imports
        self._secrets = secrets
        self.undo = Undo(store)

    # -- one ---------------------------------------------------------------------------------

    async def issue(self, wish: Wish) -> Issued:
        """See ``Tokens.issue``."""
        order = self._order(wish)
        try:
            return await self._issue(order)
        except BaseException as error:
            if _doubtful(order, error):
                self.undo.later([order.new])
            raise

    async def _issue(self, order: _Order) -> Issued:
        wish = order.wish
        if order.foreign is not None:
            await self.undo.before([order.new])
            return await self._issued(order, (await self._imports.many([order.foreign]))[0])
        new = order.new
        for _ in range(TRIES):
            outcome = await self._store.issue(new)
            if outcome.word is not Word.REUSED:
                return await self._issued(order, outcome)
            known = self._recover(wish, outcome)
            if known is not None:
                return issued_of(wish, outcome, known)
            # Made with a key this node lacks: its holder keeps it, without the label if it has
            # one, and this login gets a new one.
            new = replace(new, replaces=outcome.digest)
        raise StoreDown("moved on")

    async def _issued(self, order: _Order, outcome: Outcome) -> Issued:
        if outcome.word is Word.ISSUED:
            return issued_of(order.wish, outcome, order.text)
        if order.foreign is not None and outcome.word is Word.UNKNOWN:
            await self._store.check_born()
        raise refusal_of(order.wish, outcome.word)

    def _order(self, wish: Wish) -> _Order:
        if wish.text:
            foreign = replace(self.foreign(wish), active=True)
            return _Order(wish, foreign.new, wish.text, foreign)
        head = head_of(wish)
        text, nonce = self._secrets.make(shard_of(wish.owner), form_of(wish))
        new = NewToken(
            owner=wish.owner,
            head=head,
            digest=digest_of(text.encode()),
            policy=wish.policy,
            nonce=nonce,
            password=wish.password,
            name=name_of(wish, head),
            conflict=wish.conflict if wish.label else "reuse",
            age_ms=age_ms(wish),
            end_ms=wish.end_ms,
            fields=fields_of(wish),
        )
        return _Order(wish, new, text)

    def _recover(self, wish: Wish, outcome: Outcome) -> str | None:
        return self._secrets.recover(
            shard_of(wish.owner), form_of(wish), nonce=outcome.nonce, digest=outcome.digest
        )

    def foreign(
        self, wish: Wish, *, made_ms: int = 0, digest: bytes = b"", place: bytes = b""
    ) -> Foreign:
        """What *wish* wants of ``Imports``; *made_ms* 0 for now.

        Without a text it is known by the *digest* of it, and the shard *place* that it names; then
        it can never be shown.
        """
        text = wish.text.encode()
        nonce, hidden = self._secrets.hide(text) if text else (b"", b"")
        fields = fields_of(wish)
        new = NewToken(
            owner=wish.owner,
            head=head_of(wish),
            digest=digest_of(text) if text else digest,
            policy=wish.policy,
            nonce=nonce,
            password=wish.password,
            age_ms=age_ms(wish),
            end_ms=wish.end_ms,
            fields={**fields, b"x": hidden} if text else fields,
        )
        return Foreign(new=new, place=shard_of_text(text) if text else place, made_ms=made_ms)

    # -- several -----------------------------------------------------------------------------

    @asynccontextmanager
    async def all_or_none(self, wishes: Sequence[Wish]) -> AsyncIterator[list[Issued]]:
        """See ``Tokens.all_or_none``."""
        sent: list[NewToken] = []
        try:
            yield await self._issue_all([self._order(wish) for wish in wishes], sent)
        except BaseException as error:
            if isinstance(error, TokenhouseError) and not isinstance(error, StoreDown):
                await self.undo.now(sent)
            elif len(wishes) != 1 or not wishes[0].text:
                self.undo.later(sent)
            # Else whoever chose the key learns by asking again whether he has it.
            raise

    async def _issue_all(self, orders: Sequence[_Order], sent: list[NewToken]) -> list[Issued]:
        """A token for each of *orders*; what may be made by now is put into *sent*."""
        made: list[Issued] = []
        for start in range(0, len(orders), BATCH):
            part = orders[start : start + BATCH]
            outcomes = await self._outcomes(part, sent)
            for order, outcome in zip(part, outcomes, strict=True):
                try:
                    made.append(await self._one_of_all(order, outcome, sent))
                except StoreDown:
                    raise
                except Exception as error:
                    raise OneRefused(len(made), error) from error
        return made

    async def _outcomes(
        self, part: Sequence[_Order], sent: list[NewToken]
    ) -> Sequence[Outcome | None]:
        """What came of all that can be asked for together; None for the others."""
        plain = [order.new for order in part if order.foreign is None and not order.alone]
        chosen = [order.foreign for order in part if order.foreign is not None]
        try:
            made = await self._store.issue_all(plain) if plain else []
        except _LOST:
            sent += plain
            raise
        sent += [new for new, out in zip(plain, made, strict=True) if out.word is Word.ISSUED]
        await self.undo.before([foreign.new for foreign in chosen])
        sent += [foreign.new for foreign in chosen]
        imported = await self._imports.many(chosen)
        rest, others = iter(made), iter(imported)
        return [
            next(others) if order.foreign is not None else None if order.alone else next(rest)
            for order in part
        ]

    async def _one_of_all(
        self, order: _Order, outcome: Outcome | None, sent: list[NewToken]
    ) -> Issued:
        """The token that came of *order*, asked for once more where that may help."""
        if outcome is not None and (order.foreign is not None or outcome.word is Word.ISSUED):
            return await self._issued(order, outcome)
        try:
            issued = await self._issue(order)
        except BaseException as error:
            if _doubtful(order, error):
                sent.append(order.new)
            raise
        if not issued.reused:
            sent.append(order.new)
        return issued


def _doubtful(order: _Order, error: BaseException) -> bool:
    """Whether *error* may leave a token that nobody finds, by a name or by the text he chose."""
    return isinstance(error, _LOST) and not order.alone and order.foreign is None
