"""Tokens whose text was not made here: the record with its owner, an alias where the text points.

The alias comes first, for as long as a grave, then the record, then the alias's final life; every
step can be repeated. That nobody else has the same text is decided at the alias, and at the record
where text and owner share a shard: of two who want the same at once, one has it at the end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from service.model import Token, Word
from service.store.aliases import Release, let_go, settling
from service.store.client import Call, Part, Reply
from service.store.issuing import NewToken, Outcome
from service.store.keys import shard_of
from service.store.store import Store

GRAVE_MS = 90 * 86_400_000
"""As long as any grave may be (``[policy.…] grave``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A token to import: *place* is the shard that its text names, *made_ms* 0 for now.

    *active* is whether its owner must be.
    """

    new: NewToken
    place: bytes
    made_ms: int = 0
    active: bool = False

    @property
    def shard(self) -> bytes:
        """Where its owner lives."""
        return shard_of(self.new.owner)

    @property
    def aliased(self) -> bool:
        """Whether its text names another shard."""
        return self.place != self.shard


class Imports:
    """Imports in bulk: a few round trips for any number of tokens. May raise StoreDown."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = store.keys
        self._claim = store.scripts["claim"]
        self._import = store.scripts["import"]

    async def many(self, tokens: Sequence[Foreign]) -> list[Outcome]:
        """One outcome each, in order.

        ``issued``, ``exists``, ``conflict``, ``unknown``, ``inactive``, ``again``, ``full``;
        ``exists``: the owner has this very token; ``conflict``: somebody else has or had it.
        """
        held = await self._claim_all(tokens)
        wanted = [token for token, word in zip(tokens, held, strict=True) if word is Word.OK]
        replies = await self._import_all(wanted)
        made = [_outcome(reply, token) for reply, token in zip(replies, wanted, strict=True)]
        await self._settle(wanted, replies, made)
        rest = iter(made)
        return [next(rest) if word is Word.OK else Outcome(word=word) for word in held]

    async def hold(self, token: Token) -> None:
        """Keep the alias of *token*, if it has one, before it may live longer."""
        if token.place:
            alias = self._keys.token(token.place, token.digest)
            await self._run([settling(self._store, alias, shard_of(token.owner))])

    async def release(self, token: Token, end_ms: int) -> None:
        """Let the alias of *token*, if it has one, end a grave after *end_ms*."""
        if token.place:
            shard = shard_of(token.owner)
            release = Release(token.digest, token.place, shard, grave_ms=GRAVE_MS, end_ms=end_ms)
            await let_go(self._store, [release])

    async def forget(self, token: Token) -> None:
        """Let the alias of *token*, if it has one, end with the grave: the record is dead."""
        await self.release(token, 0)

    async def _run(self, calls: Sequence[Call]) -> list[Reply]:
        return await self._store.client.run(*calls) if calls else []

    async def _claim_all(self, tokens: Sequence[Foreign]) -> list[Word]:
        """Word.OK for each token whose place is held, or needs no holding."""
        asked = [token for token in tokens if token.aliased]
        replies = await self._run([self._claiming(token) for token in asked])
        found = iter(replies)
        return [await self._held(t, next(found)) if t.aliased else Word.OK for t in tokens]

    async def _held(self, token: Foreign, reply: Reply) -> Word:
        word = Word(reply[0].decode())
        if word is Word.EXISTS:  # a record of somebody whose shard the text names
            return Word.CONFLICT
        if word is not Word.CONFLICT:
            return word
        if await self._leads_somewhere(token, reply):
            return Word.CONFLICT
        _, other, attempt = reply
        again = await self._run([self._claiming(token, seen=(other, attempt))])
        return Word.OK if again[0][0] == b"ok" else Word.CONFLICT

    async def _leads_somewhere(self, token: Foreign, conflict: Reply) -> bool:
        """Whether there is a record behind the alias that was in the way of *token*.

        If not, it outlived its record or came just before it: then one of the two loses.
        """
        key = self._keys.token(conflict[1], token.new.digest)
        return bool((await self._store.client.run((b"EXISTS", key)))[0])

    async def _import_all(self, tokens: Sequence[Foreign]) -> list[Reply]:
        replies = await self._run([self._importing(token) for token in tokens])
        rooms: dict[tuple[str, str], int] = {}
        for at, reply in enumerate(replies):
            if reply[0] == b"full":
                new = tokens[at].new
                who = new.owner, new.policy.letter
                if who not in rooms:
                    rooms[who] = await self._store.make_room(new.owner, new.policy)
                again = self._importing(tokens[at], ceiling=rooms[who])
                replies[at] = (await self._run([again]))[0]
                continue
            barred = reply[0] == b"conflict" and len(reply) > 1
            if barred and not await self._leads_somewhere(tokens[at], reply):
                seen = reply[1] + reply[2]
                replies[at] = (await self._run([self._importing(tokens[at], seen=seen)]))[0]
        return replies

    def _claiming(self, token: Foreign, seen: tuple[bytes, bytes] = (b"", b"")) -> Call:
        alias = self._keys.token(token.place, token.new.digest)
        args: list[Part] = [token.shard, os.urandom(8), *seen, token.new.policy.grave_ms]
        return Call(self._claim, [alias], args)

    def _importing(self, token: Foreign, seen: bytes = b"", ceiling: int = 0) -> Call:
        new, shard = token.new, token.shard
        keys = [
            self._keys.token(shard, new.digest),
            self._keys.owners(shard),
            self._keys.counter(shard),
            self._keys.index(shard, new.owner),
            self._keys.user(shard, new.owner),
        ]
        fields = dict(new.fields)
        if token.aliased:
            fields[b"s"] = token.place
        args: list[Part] = [
            new.owner,
            new.head.pack(),
            new.policy.idle_ms,
            new.end_ms,
            new.age_ms,
            token.made_ms,
            new.nonce,
            ceiling or new.policy.max_tokens,
            new.password,
            b"1" if token.active else b"",
            seen,
            *(part for pair in fields.items() for part in pair),
        ]
        return Call(self._import, keys, args)

    async def _settle(
        self, tokens: Sequence[Foreign], replies: Sequence[Reply], made: list[Outcome]
    ) -> None:
        """Let each alias live as long as its record; who has lost his place loses the token."""
        there = (Word.ISSUED, Word.EXISTS)  # the latter may lack this step from another time
        done = [at for at, t in enumerate(tokens) if t.aliased and made[at].word in there]
        settled = await self._run([self._settling(tokens[at], replies[at][-1]) for at in done])
        lost = [
            at
            for at, reply in zip(done, settled, strict=True)
            if reply[0] != b"ok" and made[at].word is Word.ISSUED
        ]
        await self._run([self._revoking(tokens[at]) for at in lost])
        for at in lost:
            made[at] = Outcome(word=Word.CONFLICT)

    def _settling(self, token: Foreign, left_ms: int) -> Call:
        alias = self._keys.token(token.place, token.new.digest)
        # An alias that lives longer than its record does no harm.
        ttl_ms = 0 if left_ms < 0 else left_ms + token.new.policy.grave_ms
        return settling(self._store, alias, token.shard, ttl_ms=ttl_ms)

    def _revoking(self, token: Foreign) -> Call:
        shard, new = token.shard, token.new
        keys = [self._keys.token(shard, new.digest), self._keys.index(shard, new.owner)]
        return Call(self._store.scripts["revoke"], keys, [new.owner])


def _outcome(reply: Reply, token: Foreign) -> Outcome:
    word = Word(reply[0].decode())
    if word is not Word.ISSUED:
        return Outcome(word=word)
    return Outcome(
        word=word,
        counter=reply[1],
        created_ms=reply[2],
        expires_ms=reply[3],
        digest=token.new.digest,
    )
