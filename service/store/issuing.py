"""What goes into making and killing a token, and what comes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from service.model import UNLIMITED, Head, Policy, Word
from service.store.client import Call, Command, Part, Reply
from service.store.keys import Keys, shard_of, split_entry
from service.store.scripts import Script

TIDY = 8
MARGIN = 16
LOOKS = 4
"""Commands that ``looking`` gives."""
KILLS = (b"c", b"s", b"h", b"m", b"n")
"""Fields of a record that ``killing`` needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What ``issue`` needs to know of a token to be.

    *password* is the first bytes of the hash that was checked (empty: none was); *name* the field
    of the owner's names to claim and *conflict* what to do when it is taken by a live token:
    ``reuse`` or ``reject``. The one with the digest *replaces* gives it up instead, and lives on.
    *age_ms* counts from Redis's now, *end_ms* is absolute.
    """

    owner: str
    head: Head
    digest: bytes
    policy: Policy
    nonce: bytes = b""
    password: bytes = b""
    name: bytes = b""
    conflict: str = "reuse"
    replaces: bytes = b""
    age_ms: int = 0
    end_ms: int = 0
    fields: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What ``issue`` did: *word*, and for a token that came of it the rest.

    *digest* is the new token's or the reused one's; *nonce* the reused one's field ``c``.
    """

    word: Word
    counter: int = 0
    created_ms: int = 0
    expires_ms: int = 0
    digest: bytes = b""
    nonce: bytes = b""
    again: str = ""
    replicas: int | None = None


class Killed(NamedTuple):
    """What ``revoke`` did, and to which token; *replicas* acknowledged it (None: nobody asked)."""

    word: Word
    replicas: int | None = None
    owner: str = ""
    token_id: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a node saw of an owner before it asks for a token."""

    seen: bytes
    top: int
    newest: list[bytes]
    whole: bool
    entries: list[bytes]
    names: dict[bytes, bytes]


def window_of(new: NewToken) -> int:
    """How many of an owner's newest tokens to look at where his policy has a limit."""
    return new.policy.limit + MARGIN


def _pages(new: NewToken, window: int) -> int:
    return window if new.policy.limit != UNLIMITED else 1


def looking(keys: Keys, new: NewToken, window: int) -> list[Command]:
    """What to read before *new* is asked for."""
    shard = shard_of(new.owner)
    index, names = keys.index(shard, new.owner), keys.names(shard, new.owner)
    return [
        (b"HGET", names, new.name),
        (b"ZREVRANGE", index, 0, _pages(new, window) - 1, b"WITHSCORES"),
        (b"ZRANDMEMBER", index, TIDY),
        (b"HRANDFIELD", names, TIDY, b"WITHVALUES"),
    ]


def looked(replies: Sequence[Reply], new: NewToken, window: int) -> Look:
    """What the *replies* to ``looking`` say."""
    listed, named = replies[1][::2], replies[3] or []
    limited = new.policy.limit != UNLIMITED
    return Look(
        seen=replies[0] or b"",
        top=int(replies[1][1]) if listed else 0,
        newest=[e[:-1] for e in listed if limited and split_entry(e)[1] == new.policy.letter],
        whole=len(listed) < _pages(new, window),
        entries=replies[2] or [],
        names=dict(zip(named[::2], named[1::2], strict=True)),
    )


def issuing(script: Script, keys: Keys, new: NewToken, *, look: Look, ceiling: int) -> Call:
    """The call of ``issue`` for *new* after that *look*; *ceiling* is of entries in the index."""
    shard = shard_of(new.owner)
    token = keys.token(shard, new.digest)
    seen = look.seen if new.name else b""
    named = [
        token,
        keys.owners(shard),
        keys.counter(shard),
        keys.index(shard, new.owner),
        keys.names(shard, new.owner),
        keys.user(shard, new.owner),
        keys.token(shard, seen) if seen else token,
        *(keys.token(shard, digest) for digest in look.newest),
    ]
    args: list[Part] = [
        new.owner,
        new.password,
        new.name,
        seen,
        b"replace" if seen and seen == new.replaces else new.conflict,
        look.top,
        new.policy.limit,
        b"1" if look.whole else b"0",
        ceiling,
        new.head.pack(),
        new.policy.idle_ms,
        new.age_ms,
        new.end_ms,
        new.nonce,
        *(part for pair in new.fields.items() for part in pair),
    ]
    return Call(script, named, args)


def outcome_of(
    reply: Reply, new: NewToken, *, seen: bytes = b"", replicas: int | None = None
) -> Outcome:
    """What the *reply* of ``issue`` says came of *new*; *seen* was under its name before."""
    word = Word(reply[0].decode())
    if word is Word.AGAIN:
        return Outcome(word=word, again=reply[1].decode())
    if word is Word.ISSUED:
        return Outcome(
            word=word,
            counter=reply[1],
            created_ms=reply[2],
            expires_ms=reply[3],
            digest=new.digest,
            replicas=replicas,
        )
    if word is Word.REUSED:
        return Outcome(
            word=word,
            counter=reply[1],
            created_ms=int.from_bytes(reply[2][-6:], "big"),
            expires_ms=reply[3],
            digest=seen,
            nonce=reply[2],
            replicas=replicas,
        )
    return Outcome(word=word)


def killing(script: Script, keys: Keys, new: NewToken, *, row: Sequence[Reply]) -> Call:
    """The call of ``revoke`` for *new*, if its record still is as ``KILLS`` were read: *row*."""
    shard = shard_of(new.owner)
    named = [keys.token(shard, new.digest), keys.index(shard, new.owner)]
    _, _, head, texts, networks = row
    return Call(script, named, [new.owner, head + (texts or b"") + bytes(2) + (networks or b"")])
