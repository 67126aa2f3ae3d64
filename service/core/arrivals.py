"""Taking tokens in that another product made, many at a time and as often as one likes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from service.core.importing import Entry
from service.core.tokens import Tokens
from service.core.users import Users
from service.model import Token, Word
from service.store.traces import Alias, Spot, keep_all, traces_of

_DEAD = frozenset((Word.REVOKED, Word.EVICTED))
_PAST = _DEAD | {Word.EXPIRED}


class Became(StrEnum):
    """What became of a row."""

    IMPORTED = "imported"
    THERE = "already there"
    ELSEWHERE = "under another policy"
    REFUSED = "refused"


class Fate(NamedTuple):
    """What became of a row, and why when it was refused."""

    word: Became
    reason: str = ""


IMPORTED, THERE = Fate(Became.IMPORTED), Fate(Became.THERE)
ELSEWHERE = Fate(Became.ELSEWHERE)
"""There already, but under the rules of another policy, where it stays."""


def refused(reason: str) -> Fate:
    """The fate of a row that cannot go in."""
    return Fate(Became.REFUSED, reason)


@dataclass(slots=True)
class _Account:
    """What is known of an owner: the tokens by digest, and how many count under each policy.

    Those that went in meanwhile do, too; what has expired makes room.
    """

    tokens: dict[bytes, Token] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)


class Importer:
    """Takes entries in, some hundred at a time; it may be asked again for what is in already.

    Owners are looked up once, with their tokens, and keys before they go in: what was revoked here
    stays dead. *write* False decides by reading alone and changes nothing.
    """

    def __init__(self, users: Users, tokens: Tokens, *, write: bool = True) -> None:
        self._users = users
        self._tokens = tokens
        self._write = write
        self._accounts: dict[str, _Account | None] = {}
        self._seen: set[bytes] = set()

    async def take(self, entries: Sequence[Entry]) -> list[Fate]:
        """What becomes of each entry, in order. StoreDown: ask again, it does no harm."""
        await self._learn(entries)
        traces = await traces_of(self._tokens.store, [_spot(entry) for entry in entries])
        fates = [self._decide(e, trace) for e, trace in zip(entries, traces, strict=True)]
        if self._write:
            fresh = [e for e, fate in zip(entries, fates, strict=True) if fate is IMPORTED]
            made = iter(await self._make(fresh))
            fates = [next(made) if fate is IMPORTED else fate for fate in fates]
            there = (THERE, ELSEWHERE)
            await self._keep(e for e, fate in zip(entries, fates, strict=True) if fate in there)
        return fates

    async def _learn(self, entries: Iterable[Entry]) -> None:
        names = list(dict.fromkeys(e.owner for e in entries if e.owner not in self._accounts))
        if not names:
            return
        there = await self._users.some(names)
        self._accounts.update((name, _Account() if name in there else None) for name in names)
        for token in await self._tokens.of_owners([name for name in names if name in there]):
            account = self._accounts[token.owner]
            if account is not None:
                account.tokens[token.digest] = token
                account.counted[token.policy] += token.state not in _PAST

    def _decide(self, entry: Entry, trace: Word) -> Fate:
        account = self._accounts[entry.owner]
        if account is None:
            return refused("no such user")
        if entry.digest in self._seen:
            return refused("an earlier row has the same key")
        self._seen.add(entry.digest)
        known = account.tokens.get(entry.digest)
        if known is not None:
            return _there(known, entry)
        if trace is not Word.UNKNOWN:
            return _fate(trace, entry)
        policy = entry.wish.policy
        if account.counted[policy.name] >= policy.max_tokens:
            return _full(policy.max_tokens)
        account.counted[policy.name] += 1
        return IMPORTED

    async def _make(self, entries: Sequence[Entry]) -> list[Fate]:
        wanted = [
            self._tokens.foreign(e.wish, made_ms=e.made_ms, digest=e.digest, place=e.place)
            for e in entries
        ]
        outcomes = await self._tokens.imports.many(wanted)
        return [_fate(o.word, e) for o, e in zip(outcomes, entries, strict=True)]

    async def _keep(self, entries: Iterable[Entry]) -> None:
        """See to what an import that was cut short may have left: aliases that end too early."""
        found = [(self._known(entry), entry) for entry in entries]
        aliases = [
            Alias(token, entry.place, entry.wish.policy.grave_ms)
            for token, entry in found
            if token is not None
        ]
        await keep_all(self._tokens.store, aliases)

    def _known(self, entry: Entry) -> Token | None:
        account = self._accounts[entry.owner]
        return account.tokens.get(entry.digest) if account else None


def _there(token: Token, entry: Entry) -> Fate:
    """What becomes of an entry whose owner has this very *token*."""
    if token.state in _DEAD:
        return refused(f"this key was {token.state} here")
    return THERE if token.policy == entry.wish.policy.name else ELSEWHERE


def _full(most: int) -> Fate:
    return refused(f"this user already has {most} tokens")


def _spot(entry: Entry) -> Spot:
    return Spot(entry.owner, entry.digest, entry.place)


def _fate(word: Word, entry: Entry) -> Fate:
    """What the look, or the store itself, says of an entry that was not among the owner's."""
    if word is Word.ISSUED:
        return IMPORTED
    if word is Word.EXISTS:  # by another import of the same rows
        return THERE
    if word in _DEAD:
        return refused(f"this key was {word} here")
    if word is Word.FULL:
        return _full(entry.wish.policy.max_tokens)
    if word is Word.CONFLICT:
        return refused("another user has, or had, this key")
    return refused("no such user")
