"""Aliases, which lead from where a token's text points to its record: how long they live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.model import Head, Life
from service.store.client import Call, Command, Part, Reply

if TYPE_CHECKING:
    from service.store.store import Store


@dataclass(frozen=True, slots=True)
class Release:
    """Of the alias in *place*, the shard that a text names, to the record with *digest* in *shard*.

    It is needed no longer than *grave_ms* after *end_ms* (0: now).
    """

    digest: bytes
    place: bytes
    shard: bytes
    grave_ms: int = field(kw_only=True)
    end_ms: int = field(default=0, kw_only=True)


async def let_go(store: Store, releases: Sequence[Release]) -> None:
    """Let aliases end, but those whose records live longer by now. StoreDown.

    Meanwhile somebody may have made such a record, or have prolonged it. Whoever does that sees to
    the alias behind it, so either he or the look here comes last.
    """
    calls = [_releasing(store, each) for each in releases]
    replies = await store.client.run(*calls) if calls else []
    pairs = zip(releases, replies, strict=True)
    ended = [(each, reply[1]) for each, reply in pairs if reply[0] == b"ok"]
    looks = [step for each, _ in ended for step in _looks(store, each)]
    found = await store.client.run(*looks) if looks else []
    rows = zip(ended, found[::2], found[1::2], strict=True)
    kept = [
        settling(store, _key(store, each), each.shard, ttl_ms=ttl_ms)
        for (each, now_ms), record, pttl in rows
        if (ttl_ms := _needed_ms(each, now_ms, record, pttl)) is not None
    ]
    if kept:
        await store.client.run(*kept)


def settling(store: Store, alias: bytes, shard: bytes, *, ttl_ms: int = 0) -> Call:
    """Let the key *alias* lead to *shard*, where the record is, for *ttl_ms* at least (0: always).

    There is no attempt under way, nor was anything seen there.
    """
    return Call(store.scripts["claim"], [alias], [shard, b"", b"", b"", ttl_ms])


def _key(store: Store, each: Release) -> bytes:
    return store.keys.token(each.place, each.digest)


def _releasing(store: Store, each: Release) -> Call:
    args: list[Part] = [each.shard, each.end_ms, each.grave_ms]
    return Call(store.scripts["release"], [_key(store, each)], args)


def _looks(store: Store, each: Release) -> tuple[Command, Command]:
    record = store.keys.token(each.shard, each.digest)
    return (b"HMGET", record, b"h", b"d"), (b"PTTL", record)


def _needed_ms(each: Release, now_ms: int, record: Reply, pttl: int) -> int | None:
    """How long the record needs its alias, 0 for always; None: no longer than it is there."""
    raw, reason = record
    if raw is None or reason is not None:
        return None
    head = Head.unpack(raw)
    grave_ms = head.grave_s * 1000
    if 0 <= pttl <= grave_ms:  # it has expired
        return None
    if head.life is Life.NEVER or not head.end_ms:
        return 0
    left_ms = head.end_ms + grave_ms - now_ms
    there_ms = max(each.end_ms - now_ms, 0) + each.grave_ms
    return left_ms if left_ms > there_ms else None
