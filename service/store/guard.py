"""The login guard's buckets in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.model import Word
from service.store.client import Call, Client, Part
from service.store.keys import Keys
from service.store.scripts import load_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How many guesses a bucket takes, how long it remembers and how long it makes wait."""

    limit: int
    window_ms: int
    first_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What reserving a guess answered.

    *word* is ``ok``; ``wait`` (refused for *wait_ms*, not counted) or ``busy`` (others are
    undecided: ask again in a moment).
    """

    name: bytes
    rule: Rule
    word: Word
    guesses: int = 0
    until_ms: int = 0
    before_ms: int = 0
    wait_ms: int = 0


class GuardStore:
    """Buckets of guesses. Every method may raise StoreDown."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self._script = load_all()["attempt"]

    async def reserve(self, name: bytes, rule: Rule) -> Bucket:
        """Count one guess in the bucket *name*, or learn how long it has to wait."""
        reply = (await self.client.run(self._call(name, rule, "", 0, 0)))[0]
        word = Word(reply[0].decode())
        if word is not Word.OK:
            wait = reply[1] if word is Word.WAIT else 0
            return Bucket(name=name, rule=rule, word=word, wait_ms=wait)
        return Bucket(
            name=name,
            rule=rule,
            word=word,
            guesses=reply[3],
            until_ms=reply[1],
            before_ms=reply[2],
        )

    async def settle(self, buckets: Sequence[Bucket], *, good: bool) -> list[int]:
        """Decide the guess that *buckets* were reserved for; a *good* one does not count.

        How many wrong ones each of them has counted so far.
        """
        verdict = "good" if good else "bad"
        replies = await self.client.run(
            *(self._call(b.name, b.rule, verdict, b.until_ms, b.before_ms) for b in buckets)
        )
        return [reply[3] for reply in replies]

    async def forget(self, *names: bytes) -> None:
        """Forget all guesses in these buckets."""
        await self.client.run(*((b"DEL", self.keys.guard(name)) for name in names))

    def _call(self, name: bytes, rule: Rule, settle: str, own: int, before: int) -> Call:
        numbers = [rule.limit, rule.window_ms, rule.first_ms, rule.max_ms]
        args: list[Part] = [*numbers, settle, own, before]
        return Call(self._script, [self.keys.guard(name)], args)
