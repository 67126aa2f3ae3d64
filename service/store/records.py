"""Reading tokens for people: lists, one by its number, never on the hot path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.model import DIGEST_BYTES, Head, Life, Network, Policy, Token, Word, split_id, token_id
from service.store.client import Client, Command, Reply
from service.store.keys import Keys, shard_of, split_entry
from service.store.networks import unpack_networks

PAGE = 500
ENTRIES = 10_000
"""Entries of indexes that are read at once, unless a single one has more."""
FIELDS = (b"h", b"o", b"l", b"d", b"c", b"m", b"n", b"x", b"s")


Place = tuple[str, bytes]
"""An owner, and the entry of a token in his index, or no more than the digest in it."""


@dataclass(frozen=True, slots=True)
class _State:
    """What an owner's state and floors say of tokens."""

    active: bool
    mark: int
    floors: dict[str, int]


class Records:
    """Token records in one Redis. Every method may raise StoreDown."""

    def __init__(self, client: Client, keys: Keys, policies: list[Policy]) -> None:
        self.client = client
        self.keys = keys
        self._names = {policy.letter: policy.name for policy in policies}

    async def of_owner(self, owner: str) -> list[Token]:
        """The tokens of *owner*, newest first, whether they still pass or not."""
        return await self.of_owners([owner])

    async def of_owners(self, names: Sequence[str]) -> list[Token]:
        """The tokens of all these owners, in their order, each one's newest first."""
        found: list[Token] = []
        for start in range(0, len(names), PAGE):
            for group in await self._groups(names[start : start + PAGE]):
                indexes = [self.keys.index(shard_of(name), name) for name in group]
                listed = await self.client.run(*((b"ZREVRANGE", key, 0, -1) for key in indexes))
                rows = zip(group, listed, strict=True)
                found += await self.at([(name, entry) for name, row in rows for entry in row])
        return found

    async def _groups(self, names: Sequence[str]) -> list[list[str]]:
        """Those of *names* who have tokens, so many together that their indexes are no big read."""
        indexes = [self.keys.index(shard_of(name), name) for name in names]
        counts = await self.client.run(*((b"ZCARD", key) for key in indexes))
        groups: list[list[str]] = []
        room = 0
        for name, count in zip(names, counts, strict=True):
            if not count:
                continue
            if count > room:
                groups.append([])
                room = ENTRIES
            groups[-1].append(name)
            room -= count
        return groups

    async def places(self, names: Sequence[str], letter: str) -> list[Place]:
        """Where all tokens of these owners under one policy are, by number.

        Nothing is read but the indexes, so some may be dead or gone.
        """
        return [place for _, place in await self.numbered(names, letter)]

    async def numbered(
        self, names: Sequence[str], letter: str, *, first: int = 0
    ) -> list[tuple[int, Place]]:
        """``places`` with their numbers, from the number *first* on."""
        found: list[tuple[int, Place]] = []
        mark, counter = ord(letter), split_id(first)[0]
        for start in range(0, len(names), PAGE):
            part = names[start : start + PAGE]
            indexes = [self.keys.index(shard_of(name), name) for name in part]
            steps: list[Command] = [
                (b"ZRANGEBYSCORE", key, counter, b"+inf", b"WITHSCORES") for key in indexes
            ]
            for name, listed in zip(part, await self.client.run(*steps), strict=True):
                last = int.from_bytes(shard_of(name), "big")
                pairs = zip(listed[::2], listed[1::2], strict=True)
                found += [
                    (number, (name, entry))
                    for entry, score in pairs
                    if entry[-1] == mark and (number := int(score) << 16 | last) >= first
                ]
        if len(names) > 1:
            found.sort()
        return found

    async def at(self, places: Sequence[Place]) -> list[Token]:
        """The tokens at these *places*, in order; what is gone is left out."""
        states = await self._states(dict.fromkeys(name for name, _ in places))
        found: list[Token] = []
        for start in range(0, len(places), PAGE):
            found += await self._read(places[start : start + PAGE], states)
        return found

    async def by_digest(self, shard: bytes, digest: bytes) -> Token | None:
        """The token with *digest* in *shard*, or where its alias there leads; None without one."""
        place = await self._place(shard, digest)
        if place is None:
            return None
        return await self._one(place[1], digest)

    async def by_id(self, number: int) -> Token | None:
        """The token with public number *number*, None when nobody has it."""
        if not 0 < number < 1 << 56:
            return None
        counter, shard = split_id(number)
        fields = (await self.client.run((b"HKEYS", self.keys.owners(shard))))[0]
        for owner in (name.decode() for name in fields if b"\0" not in name):
            step = (b"ZRANGEBYSCORE", self.keys.index(shard, owner), counter, counter)
            entries = (await self.client.run(step))[0]
            found = await self._one(owner, entries[0]) if entries else None
            if found is not None and found.token_id == number:
                return found
        return None

    async def owner_of(self, shard: bytes, digest: bytes) -> str | None:
        """Whose the token with *digest* is, or was; None when nothing is known of it any more."""
        place = await self._place(shard, digest)
        return None if place is None else place[1]

    async def _place(self, shard: bytes, digest: bytes) -> tuple[bytes, str] | None:
        """The shard and the owner of a record that is in *shard*, or where an alias leads to."""
        for _ in range(2):
            step = (b"HMGET", self.keys.token(shard, digest), b"o", b"a")
            owner, alias = (await self.client.run(step))[0]
            if owner is not None:
                return shard, owner.decode()
            if alias is None:
                return None
            shard = alias
        return None

    async def by_name(self, owner: str, name: bytes) -> Token | None:
        """The token that *name* (``label:…``) of *owner* points to."""
        shard = shard_of(owner)
        digest = (await self.client.run((b"HGET", self.keys.names(shard, owner), name)))[0]
        if digest is None:
            return None
        return await self._one(owner, digest)

    async def _one(self, owner: str, entry: bytes) -> Token | None:
        found = await self._read([(owner, entry)], await self._states([owner]))
        return found[0] if found else None

    async def _states(self, owners: Iterable[str]) -> dict[str, _State]:
        found: dict[str, _State] = {}
        names = list(owners)
        for start in range(0, len(names), PAGE):
            part = names[start : start + PAGE]
            replies = await self.client.run(*(self._asking(owner) for owner in part))
            found |= {owner: self._state(reply) for owner, reply in zip(part, replies, strict=True)}
        return found

    def _asking(self, owner: str) -> Command:
        floors = (f"{owner}\0{letter}".encode() for letter in self._names)
        return (b"HMGET", self.keys.owners(shard_of(owner)), owner.encode(), *floors)

    def _state(self, reply: Reply) -> _State:
        own = reply[0] or b"-" + bytes(5)
        floors = {
            letter: int.from_bytes(floor[:5], "big")
            for letter, floor in zip(self._names, reply[1:], strict=True)
            if floor is not None
        }
        return _State(own[:1] == b"a", int.from_bytes(own[1:6], "big"), floors)

    async def _read(self, places: Sequence[Place], states: Mapping[str, _State]) -> list[Token]:
        steps: list[Command] = [(b"TIME",)]
        for owner, entry in places:
            key = self.keys.token(shard_of(owner), _digest(entry))
            steps += [(b"HMGET", key, *FIELDS), (b"PTTL", key)]
        replies = await self.client.run(*steps)
        now = int(replies[0][0]) * 1000 + int(replies[0][1]) // 1000
        rows = zip(places, replies[1::2], replies[2::2], strict=True)
        return [
            self._token(_digest(entry), fields, pttl, now, states[owner])
            for (owner, entry), fields, pttl in rows
            if fields[0] is not None
            and fields[1] == owner.encode()
            # What the entry was for has gone, and another of the owner's tokens has its text.
            and entry[DIGEST_BYTES:] in (b"", fields[0][1:2])
        ]

    def _token(
        self, digest: bytes, fields: list[Reply], pttl: int, now: int, state: _State
    ) -> Token:
        head, owner = Head.unpack(fields[0]), fields[1].decode()
        expires = _expires(head, pttl, now)
        texts = unpack_texts(fields[5] or b"")
        return Token(
            token_id=token_id(head.counter, shard_of(owner)),
            owner=owner,
            policy=self._names.get(head.policy, head.policy),
            state=_word(head, fields[3], expires, now, state),
            write=head.write,
            enabled=head.enabled,
            prefix=head.prefix,
            agent=head.agent,
            life=head.life,
            created_ms=int.from_bytes((fields[4] or b"")[-6:], "big"),
            expires_ms=expires,
            last_used_ms=int.from_bytes(fields[2] or b"", "big"),
            label=texts.get("label", ""),
            description=texts.get("description", ""),
            client=texts.get("client", ""),
            networks=_networks(fields[6], texts),
            form=texts.get("form", ""),
            digest=digest,
            nonce=(fields[4] or b"")[:-6],
            hidden=fields[7] or b"",
            place=fields[8] or b"",
            seen=fields[0] + (fields[5] or b"") + bytes(2) + (fields[6] or b""),
        )


def _digest(entry: bytes) -> bytes:
    """The digest in *entry*, or that it is."""
    return split_entry(entry + b"-")[0]


def _expires(head: Head, pttl: int, now: int) -> int:
    """When the token ends, in ms since the epoch; 0 never."""
    if head.life is Life.NEVER:
        return 0
    if head.life is Life.FIXED:
        return head.end_ms
    slides_to = now + pttl - head.grave_s * 1000
    return min(slides_to, head.end_ms) if head.end_ms else slides_to


def _word(head: Head, reason: bytes | None, expires: int, now: int, state: _State) -> str:
    """``live`` or the word verify would refuse with, in verify's order."""
    if reason is not None:
        return Word.EVICTED if reason == b"evicted" else Word.REVOKED
    if head.counter <= state.floors.get(head.policy, 0):
        return Word.EVICTED
    if expires and expires <= now:
        return Word.EXPIRED
    if not state.active:
        return Word.INACTIVE
    if head.counter <= state.mark:
        return Word.REVOKED
    return "live" if head.enabled else Word.DISABLED


def _networks(raw: bytes | None, texts: dict[str, str]) -> tuple[Network, ...] | None:
    if raw is None:
        return () if texts.get("networks") == "[]" else None
    return unpack_networks(raw)


def pack_texts(texts: dict[str, str]) -> bytes:
    """Label, description, client and such as the one field ``m``; empty when there are none."""
    rows = [f"{key}\0{value}" for key, value in texts.items() if value]
    return "\0".join(rows).encode()


def unpack_texts(raw: bytes) -> dict[str, str]:
    """The opposite of ``pack_texts``."""
    parts = raw.decode().split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))
