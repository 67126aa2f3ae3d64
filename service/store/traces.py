"""What many keys have left in the store: looked up before they go in, seen to when they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.model import Life, Token, Word
from service.store.aliases import settling
from service.store.client import Call, Command, Reply
from service.store.keys import shard_of
from service.store.store import Store

_REASONS = {b"revoked": Word.REVOKED, b"evicted": Word.EVICTED}


class Spot(NamedTuple):
    """A key that *owner* shall have: its digest, and the shard that its text names."""

    owner: str
    digest: bytes
    place: bytes


async def traces_of(store: Store, spots: Sequence[Spot]) -> list[Word]:
    """One word for each spot, in two round trips at most. StoreDown.

    ``unknown``: nothing is there; ``exists``: the owner has it; ``revoked`` or ``evicted``: had
    it; ``conflict``: somebody else has, or had it.
    """
    steps = [step for spot in spots for step in _looks(store, spot)]
    replies = await store.client.run(*steps) if steps else []
    pairs = zip(spots, replies[::2], replies[1::2], strict=True)
    found = [_word(spot, record, place) for spot, record, place in pairs]
    others = [(at, shard) for at, shard in enumerate(found) if not isinstance(shard, Word)]
    checks: list[Command] = [
        (b"EXISTS", store.keys.token(shard, spots[at].digest)) for at, shard in others
    ]
    there = await store.client.run(*checks) if checks else []
    # An alias may have outlived its record: then it is no obstacle.
    late = {at: yes for (at, _), yes in zip(others, there, strict=True)}
    return [
        each if isinstance(each, Word) else Word.CONFLICT if late[at] else Word.UNKNOWN
        for at, each in enumerate(found)
    ]


class Alias(NamedTuple):
    """The *place* that the text of an imported *token* names."""

    token: Token
    place: bytes
    grave_ms: int


async def keep_all(store: Store, aliases: Sequence[Alias]) -> None:
    """Let each alias live as long as its record: the import that made it was cut short. StoreDown.

    One that lives longer already is left as it is.
    """
    apart = [alias for alias in aliases if alias.place != shard_of(alias.token.owner)]
    if not apart:
        return
    now_ms = await clock(store)
    await store.client.run(*(_keeping(store, alias, now_ms) for alias in apart))


async def clock(store: Store) -> int:
    """Milliseconds since the epoch by the store's clock. StoreDown."""
    seconds, micros = (await store.client.run((b"TIME",)))[0]
    return int(seconds) * 1000 + int(micros) // 1000


def _keeping(store: Store, alias: Alias, now_ms: int) -> Call:
    token, ttl_ms = alias.token, 0
    if token.life is Life.FIXED:
        ttl_ms = max(token.expires_ms - now_ms, 0) + alias.grave_ms
    key = store.keys.token(alias.place, token.digest)
    return settling(store, key, shard_of(token.owner), ttl_ms=ttl_ms)


def _looks(store: Store, spot: Spot) -> tuple[Command, Command]:
    """At the record with its owner, and at what stands where the text points."""
    record = store.keys.token(shard_of(spot.owner), spot.digest)
    place = store.keys.token(spot.place, spot.digest)
    return (b"HMGET", record, b"o", b"d"), (b"HMGET", place, b"h", b"a")


def _word(spot: Spot, record: Reply, place: Reply) -> Word | bytes:
    """What stands there, or the shard of somebody whom only an alias names."""
    owner, reason = record
    if owner is not None:
        if owner != spot.owner.encode():
            return Word.CONFLICT
        return _REASONS.get(reason, Word.EXISTS)
    head, alias = place
    if head is not None:
        return Word.CONFLICT
    return Word.UNKNOWN if alias in (None, shard_of(spot.owner)) else bytes(alias)
