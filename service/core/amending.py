"""Changing a token that is there, beside everybody else who does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.core.making import end_of, texts_of
from service.errors import NoSuchToken, StoreDown, TokenChanged
from service.model import Life, Network, Token, Word, split_id
from service.store.imports import Imports
from service.store.records import Records
from service.store.store import Store

TRIES = 20
"""So many may change one token at the same moment."""

_WRITE = {None: b"", True: b"w", False: b"r"}
_ENABLED = {None: b"", True: b"+", False: b"-"}


class Unset(Enum):
    """Stands for "as it is" where None says something."""

    UNSET = 0


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be another at a token; what is not named stays as it is.

    *end_ms* 0 is for ever, or as long as the policy lets it live.
    """

    end_ms: int | None = None
    write: bool | None = None
    enabled: bool | None = None
    description: str | None = None
    networks: tuple[Network, ...] | Unset | None = UNSET

    @property
    def flags(self) -> bytes:
        """The flags as ``amend`` takes them."""
        return _WRITE[self.write] + _ENABLED[self.enabled]

    def fields(self, token: Token) -> dict[bytes, bytes]:
        """The further fields of *token* after the change, if it touches any: all of each."""
        if self.description is None and self.networks is UNSET:
            return {}
        return texts_of(
            {"label": token.label, "client": token.client, "form": token.form},
            token.description if self.description is None else self.description,
            token.networks if isinstance(self.networks, Unset) else self.networks,
        )

    def takes_away(self, token: Token) -> bool:
        """Whether *token*, as it was, may less after the change."""
        limits = None if isinstance(self.networks, Unset) else self.networks
        return (
            (token.write and self.write is False)
            or (token.enabled and self.enabled is False)
            or (bool(limits) and limits != token.networks)
            or (bool(self.end_ms) and not 0 < token.expires_ms <= (self.end_ms or 0))
        )


class Amending:
    """Makes changes."""

    def __init__(self, store: Store, records: Records, imports: Imports) -> None:
        self._store = store
        self._records = records
        self._imports = imports
        self._policies = {policy.name: policy for policy in store.policies.values()}

    async def amend(self, token: Token, change: Change, *, exact: bool) -> None:
        """As ``Tokens.amend`` has it. NoSuchToken; TokenChanged; StoreDown."""
        end = None
        if change.end_ms is not None:
            end = end_of(token, self._policies.get(token.policy), change.end_ms)
            await self._imports.hold(token)
        word = await self._amend(token, change, end, exact=exact)
        if end is not None:
            await self._let_go(token, word, end[1])
        if word is Word.AGAIN:
            raise TokenChanged(str(token.token_id))
        if word is not Word.OK:
            raise NoSuchToken(str(token.token_id))

    async def _amend(
        self, token: Token, change: Change, end: tuple[Life, int] | None, *, exact: bool
    ) -> Word:
        for _ in range(TRIES):
            fields = change.fields(token)
            word = await self._store.amend(
                token.owner,
                token.digest,
                seen=token.seen if exact or fields else b"",
                end=end,
                flags=change.flags,
                fields=fields,
            )
            if exact or word is not Word.AGAIN:
                return word
            # Somebody else has changed it since: what he wrote stays beside what is written now.
            fresh = await self._fresh(token)
            if fresh is None:
                return Word.UNKNOWN
            token = fresh
        raise StoreDown("moved on")

    async def _let_go(self, token: Token, word: Word, end_ms: int) -> None:
        """Let the alias of *token*, which was held, end with the record; held again if it has none.

        Whoever changed it at the same moment may have let go of the alias since.
        """
        if word is Word.AGAIN and token.place:  # as somebody else has it
            fresh = await self._fresh(token)
            word, end_ms = (Word.OK, fresh.expires_ms) if fresh else (Word.UNKNOWN, 0)
        if word not in (Word.OK, Word.AGAIN):
            await self._imports.forget(token)
        elif end_ms:
            await self._imports.release(token, end_ms)
        else:
            await self._imports.hold(token)

    async def _fresh(self, token: Token) -> Token | None:
        return await self._records.by_digest(split_id(token.token_id)[1], token.digest)
