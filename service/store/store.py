"""The token operations, one method a script: what a node reads first, sends and understands."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic

from service.errors import NotSetUp, StoreDown, WriteLost
from service.model import Head, Life, Policy, Trace, Verdict, Word, token_id
from service.store.aliases import Release, let_go
from service.store.client import Call, Client, Command, Part, Reply
from service.store.issuing import (
    KILLS,
    LOOKS,
    MARGIN,
    Killed,
    Look,
    NewToken,
    Outcome,
    issuing,
    killing,
    looked,
    looking,
    outcome_of,
    window_of,
)
from service.store.keys import Keys, shard_of, split_entry
from service.store.lane import TAG_BYTES, Lane
from service.store.records import unpack_texts
from service.store.scripts import load_all
from service.store.verify import NEVER, VerifyTail, clocked, pack_rules

log = logging.getLogger(__name__)

TRIES = 5
"""A lowered limit, a full house and a narrow window cost one each; two are left for a race."""
_USUAL = Trace.WHOLE  # an enum's attribute costs more than all the rest of a comparison
_WORDS = {word.value.encode(): word for word in Word}
WHOLE = 1 << 31  # as many entries as any index has
BURY = 200


class Store:
    """Tokens in one Redis. Every method may raise StoreDown, and nothing else of Redis's."""

    def __init__(
        self,
        client: Client,
        keys: Keys,
        policies: Sequence[Policy],
        *,
        interval_ms: int = 60_000,
        wait_replicas: int = 0,
    ) -> None:
        self.client = client
        self.keys = keys
        self.policies = {policy.letter: policy for policy in policies}
        self.scripts = load_all()
        self.rules = pack_rules(policies, interval_ms)
        self.tail = VerifyTail(keys, self.rules)
        still = [replace(policy, idle_ms=0, slide_step_ms=0) for policy in policies]
        self._tails = {
            Trace.SLIDE: VerifyTail(keys, pack_rules(policies, NEVER)),
            Trace.NONE: VerifyTail(keys, pack_rules(still, NEVER)),
        }
        self._lane: Lane | None = None
        self._told_of_policy = False
        self._wait_replicas = 0 if client.embedded else wait_replicas

    def open_lane(self, *, most: int) -> Lane:
        """Verify over a connection of its own from now on, in the event loop that runs."""
        self._lane = Lane(
            self.scripts["verify"],
            self.client.dial,
            born=self.keys.born,
            outage=self.client.outage,
            timeout_s=self.client.timeout_s,
            most=most,
        )
        return self._lane

    async def aclose(self) -> None:
        """Close that connection."""
        lane, self._lane = self._lane, None
        if lane is not None:
            await lane.aclose()

    # -- verify ------------------------------------------------------------------------------

    async def verify(
        self,
        shard: bytes,
        digest: bytes,
        *,
        address: bytes,
        agent: bytes,
        write: bool,
        trace: Trace = Trace.WHOLE,
    ) -> Verdict:
        """Decide one use of the token with *digest*; one that passes leaves *trace*.

        *address* is 16 bytes, empty when unknown; *agent* the digest of the user agent.
        """
        spell = self.tail if trace is _USUAL else self._tails[trace]
        for _ in range(TRIES):
            if self._lane is not None:
                seen = spell.seen(address, agent)
                tail = spell(shard, digest, seen, write=write, now=monotonic())
                reply = await self._lane.reply(digest[:TAG_BYTES], tail)
            else:
                args: list[Part] = [agent + address, clocked(spell.rules, write=write)]
                keys = [self.keys.token(shard, digest), self.keys.owners(shard)]
                reply = (await self.client.run(Call(self.scripts["verify"], keys, args)))[0]
            word = _WORDS.get(reply[0])
            if reply[1] != digest[:TAG_BYTES]:
                raise StoreDown("crossed replies")
            if word is Word.OK:
                return self._allowed(reply, shard)
            if word is Word.MOVED:
                shard = reply[2]
            elif word is Word.TRIM:
                await self.trim(reply[2].decode(), self.policies[reply[3].decode()])
            elif word is Word.NO_POLICY:
                self._tell_of_policy()
                raise StoreDown("policy missing")
            else:
                if word is Word.UNKNOWN:
                    await self.check_born()
                if word is None:
                    raise StoreDown("unknown word")
                return Verdict(word=word)
        raise StoreDown("moved on")

    def _tell_of_policy(self) -> None:
        """Once: it is the config that is at fault, and every use of such a token would say so."""
        if not self._told_of_policy:
            self._told_of_policy = True
            log.error("a token names a policy that the config does not have")

    def _allowed(self, reply: Reply, shard: bytes) -> Verdict:
        _, _, kind, counter, owner, remaining_ms, gap_ms, mismatch, touch_ms = reply
        return Verdict(
            word=Word.OK,
            owner=owner.decode(),
            policy=self.policies[chr(kind[0])].name,
            write=kind[2:] == b"w",
            token_id=token_id(counter, shard),
            remaining_ms=remaining_ms,
            gap_ms=gap_ms,
            mismatch=mismatch,
            touch_ms=touch_ms,
        )

    async def check_born(self) -> bytes:
        """The store's random id; NotSetUp when it was never set up, or was emptied since."""
        born: bytes | None = (await self.client.run((b"GET", self.keys.born)))[0]
        if born is None:
            error = NotSetUp()
            self.client.outage.failed(error.reason)
            raise error
        return born

    # -- issue -------------------------------------------------------------------------------

    async def issue(self, new: NewToken) -> Outcome:
        """Make *new* or reuse what bears its name; Word.AGAIN only when the password changed."""
        shard, window, ceiling = shard_of(new.owner), window_of(new), 0
        for _ in range(TRIES):
            look = await self._look(shard, new, window)
            outcome = await self._issue(shard, new, look, ceiling)
            if outcome.word is Word.TRIM:
                await self.trim(new.owner, new.policy)
            elif outcome.word is Word.FULL and not ceiling:
                ceiling = await self.make_room(new.owner, new.policy)
            elif outcome.word is Word.UNKNOWN:
                await self.check_born()
                return outcome
            elif outcome.word is not Word.AGAIN or outcome.again == "user":
                return outcome
            elif outcome.again == "more":
                window = WHOLE
        raise StoreDown("moved on")

    async def issue_all(self, news: Sequence[NewToken]) -> list[Outcome]:
        """Make several tokens that claim no name, in two round trips.

        Word.ISSUED, or what ``issue`` may yet find a way round. WriteLost when some may be made.
        """
        asked = {(new.owner, new.policy.letter): new for new in news}
        steps = [step for new in asked.values() for step in looking(self.keys, new, window_of(new))]
        replies = await self.client.run(*steps)
        looks = {
            who: looked(replies[LOOKS * at : LOOKS * (at + 1)], new, window_of(new))
            for at, (who, new) in enumerate(asked.items())
        }
        calls = [
            self._issuing(new, looks[new.owner, new.policy.letter], new.policy.max_tokens)
            for new in news
        ]
        for (owner, _), look in looks.items():
            calls += self._tidy(shard_of(owner), owner, look.entries, look.names)
        replies = await self._sure(*calls)
        rows = zip(replies, news, strict=False)
        return [outcome_of(reply, new, replicas=replies[-1]) for reply, new in rows]

    async def _look(self, shard: bytes, new: NewToken, window: int) -> Look:
        return looked(await self.client.run(*looking(self.keys, new, window)), new, window)

    async def _issue(self, shard: bytes, new: NewToken, look: Look, ceiling: int) -> Outcome:
        replies = await self._sure(
            self._issuing(new, look, ceiling or new.policy.max_tokens),
            *self._tidy(shard, new.owner, look.entries, look.names),
        )
        return outcome_of(replies[0], new, seen=look.seen, replicas=replies[-1])

    def _issuing(self, new: NewToken, look: Look, ceiling: int) -> Call:
        return issuing(self.scripts["issue"], self.keys, new, look=look, ceiling=ceiling)

    async def _sure(self, *steps: Call) -> list[Reply]:
        """``_write``, but WriteLost where nobody knows whether it was done."""
        try:
            return await self._write(*steps)
        except StoreDown as error:
            raise WriteLost(error.reason) from error

    async def _write(self, *steps: Call | Command) -> list[Reply]:
        """Run *steps*; the last reply is how many replicas have them, None when nobody asked."""
        if not self._wait_replicas:
            return [*await self.client.run(*steps), None]
        # A third of the deadline, since a missing script makes it wait twice.
        patience_ms = int(self.client.timeout_s * 333)
        return await self.client.run(*steps, (b"WAIT", self._wait_replicas, patience_ms))

    async def make_room(self, owner: str, policy: Policy) -> int:
        """Unlist what is dead, and under *policy* what has expired; what the index may hold then.

        Only tokens of *policy* count against its ``max_tokens``.
        """
        shard = shard_of(owner)
        index = self.keys.index(shard, owner)
        entries = (await self.client.run((b"ZRANGE", index, 0, -1)))[0]
        for start in range(0, len(entries), BURY):
            some = entries[start : start + BURY]
            await self.client.run(*self._tidy(shard, owner, some, {}, room=policy.letter))
        left = (await self.client.run((b"ZRANGE", index, 0, -1)))[0]
        others = sum(1 for entry in left if split_entry(entry)[1] != policy.letter)
        return others + policy.max_tokens

    # -- revoke, amend -----------------------------------------------------------------------

    async def revoke(self, shard: bytes, digest: bytes, seen: bytes = b"") -> Killed:
        """Kill the token with *digest*, wherever its record lives.

        Word.AGAIN when it is not any more as it was *seen* (``Token.seen``).
        """
        for _ in range(TRIES):
            key = self.keys.token(shard, digest)
            row = (await self.client.run((b"HMGET", key, b"o", b"a", b"s", b"h", b"m")))[0]
            owner, alias, place, head, texts = row
            if alias is not None and owner is None:
                shard = alias
                continue
            if owner is None:
                await self.check_born()
                return Killed(word=Word.UNKNOWN)
            keys = [key, self.keys.index(shard, owner.decode())]
            replies = await self._write(Call(self.scripts["revoke"], keys, [owner, seen]))
            word = Word(replies[0][0].decode())
            if place is not None and word is Word.OK:
                # The alias may go when the record does.
                grave_ms = Head.unpack(head).grave_s * 1000
                await let_go(self, [Release(digest, place, shard, grave_ms=grave_ms)])
            return Killed(
                word=word,
                replicas=replies[1],
                owner=owner.decode(),
                token_id=token_id(Head.unpack(head).counter, shard),
                label=unpack_texts(texts or b"").get("label", ""),
            )
        raise StoreDown("moved on")

    async def take_back(self, news: Sequence[NewToken]) -> list[NewToken]:
        """Kill those of *news* that were made; the others, which may be on their way."""
        keys = [self.keys.token(shard_of(new.owner), new.digest) for new in news]
        rows = await self.client.run(*((b"HMGET", key, *KILLS) for key in keys))
        # One with another nonce was there before: it bears the same chosen text.
        made = [
            (new, row)
            for new, row in zip(news, rows, strict=True)
            if row[0] is not None and row[0][:-6] == new.nonce
        ]
        calls = [killing(self.scripts["revoke"], self.keys, new, row=row) for new, row in made]
        replies = await self._write(*calls) if calls else []
        words = [Word(reply[0].decode()) for reply in replies[: len(made)]]
        dead = [
            Release(new.digest, row[1], shard_of(new.owner), grave_ms=new.head.grave_s * 1000)
            for (new, row), word in zip(made, words, strict=True)
            if row[1] is not None and word in (Word.OK, Word.REVOKED)
        ]
        await let_go(self, dead)
        left = [new for new, row in zip(news, rows, strict=True) if row[0] is None]
        # Somebody has changed it since, or it is another by now, which its holder was told of.
        again = [new for (new, _), word in zip(made, words, strict=True) if word is Word.AGAIN]
        return left + await self.take_back(again) if again else left

    async def revoke_owner(self, owner: str) -> tuple[Word, int]:
        """Kill every token of *owner* with one write; also the highest counter that is dead now.

        ``bury_all`` tidies up after it.
        """
        shard = shard_of(owner)
        keys = [self.keys.owners(shard), self.keys.counter(shard)]
        reply = (await self._write(Call(self.scripts["revoke_owner"], keys, [owner])))[0]
        return Word(reply[0].decode()), reply[1] if len(reply) > 1 else 0

    async def amend(
        self,
        owner: str,
        digest: bytes,
        *,
        seen: bytes = b"",
        end: tuple[Life, int] | None = None,
        flags: bytes = b"",
        fields: Mapping[bytes, bytes] | None = None,
    ) -> Word:
        """Change how one token ends (and when, in ms since the epoch), its *flags* or texts.

        Word.AGAIN when it is not any more as it was *seen* (``Token.seen``).
        """
        shard = shard_of(owner)
        keys = [self.keys.token(shard, digest), self.keys.owners(shard)]
        pairs = [part for pair in (fields or {}).items() for part in pair]
        args: list[Part] = [owner, seen, *(end or (b"", 0)), flags, *pairs]
        replies = await self._write(Call(self.scripts["amend"], keys, args))
        return Word(replies[0][0].decode())

    # -- trim, bury --------------------------------------------------------------------------

    async def trim(self, owner: str, policy: Policy) -> None:
        """Hold *owner* to the limit *policy* has now."""
        shard = shard_of(owner)
        index, window = self.keys.index(shard, owner), policy.limit + MARGIN
        for _ in range(TRIES):
            reply = (await self.client.run((b"ZREVRANGE", index, 0, window - 1, b"WITHSCORES")))[0]
            listed = reply[::2]
            newest = [e[:-1] for e in listed if split_entry(e)[1] == policy.letter]
            keys = [self.keys.owners(shard), index]
            keys += [self.keys.token(shard, digest) for digest in newest]
            args: list[Part] = [
                owner,
                policy.letter,
                policy.limit,
                int(reply[1]) if listed else 0,
                b"1" if len(listed) < window else b"0",
            ]
            answer = (await self._write(Call(self.scripts["trim"], keys, args)))[0]
            if answer[0] != b"again":
                return
            window = WHOLE
        raise StoreDown("moved on")

    def _tidy(
        self,
        shard: bytes,
        owner: str,
        entries: Sequence[bytes],
        names: Mapping[bytes, bytes],
        *,
        room: str = "",
    ) -> list[Call]:
        if not entries and not names:
            return []
        digests = [entry[:-1] for entry in entries] + list(names.values())
        keys = [
            self.keys.owners(shard),
            self.keys.index(shard, owner),
            self.keys.names(shard, owner),
            *(self.keys.token(shard, digest) for digest in digests),
        ]
        args: list[Part] = [owner, len(entries), room, *entries, *names]
        return [Call(self.scripts["bury"], keys, args)]

    async def bury_all(self, owner: str) -> int:
        """Give every dead token of *owner* its grave's TTL and unlist it; how many that were."""
        shard, removed, start = shard_of(owner), 0, 0
        index = self.keys.index(shard, owner)
        while True:
            entries = (await self.client.run((b"ZRANGE", index, start, start + BURY - 1)))[0]
            if not entries:
                return removed
            reply = (await self.client.run(*self._tidy(shard, owner, entries, {})))[0]
            removed += reply[1]
            start += len(entries) - reply[1]
