"""Every key we ever touch in Redis, spelled here and nowhere else (``lua/KEYS.md`` explains)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from service.model import DIGEST_BYTES, SHARD_BYTES


@dataclass(frozen=True, slots=True)
class Keys:
    """Spells keys under one *prefix*; a shard (two bytes) becomes the hash tag ``{abcd}``."""

    prefix: bytes = b""

    def token(self, shard: bytes, digest: bytes) -> bytes:
        """``t:{s}:<digest>``, the token record."""
        return b"%bt:{%b}:%b" % (self.prefix, shard.hex().encode(), digest)

    def owners(self, shard: bytes) -> bytes:
        """``o:{s}``, states and floors of the shard's owners."""
        return b"%bo:{%b}" % (self.prefix, shard.hex().encode())

    def counter(self, shard: bytes) -> bytes:
        """``c:{s}``, the shard's id counter."""
        return b"%bc:{%b}" % (self.prefix, shard.hex().encode())

    def index(self, shard: bytes, owner: str) -> bytes:
        """``i:{s}:<owner>``, the owner's tokens by age."""
        return b"%bi:{%b}:%b" % (self.prefix, shard.hex().encode(), owner.encode())

    def names(self, shard: bytes, owner: str) -> bytes:
        """``n:{s}:<owner>``, what the owner's labels and bindings point to."""
        return b"%bn:{%b}:%b" % (self.prefix, shard.hex().encode(), owner.encode())

    def user(self, shard: bytes, owner: str) -> bytes:
        """``u:{s}:<owner>``, the user record."""
        return b"%bu:{%b}:%b" % (self.prefix, shard.hex().encode(), owner.encode())

    @property
    def users(self) -> bytes:
        """``users``, all user names scored by numeric id."""
        return self.prefix + b"users"

    @property
    def users_next(self) -> bytes:
        """``users:next``, the last numeric user id given."""
        return self.prefix + b"users:next"

    @property
    def born(self) -> bytes:
        """``born``, the mark that this store was set up."""
        return self.prefix + b"born"

    @property
    def events(self) -> bytes:
        """``events``, the feed of revocations."""
        return self.prefix + b"events"

    def guard(self, bucket: bytes) -> bytes:
        """``g:<bucket>``, one login guard counter."""
        return b"%bg:%b" % (self.prefix, bucket)

    def tokens_pattern(self) -> bytes:
        """What SCAN finds every token record with."""
        return self.prefix + b"t:{*"


def index_entry(digest: bytes, letter: str) -> bytes:
    """A token's entry in its owner's index."""
    return digest + letter.encode("ascii")


def split_entry(entry: bytes) -> tuple[bytes, str]:
    """The (digest, policy letter) of an index entry."""
    return entry[:DIGEST_BYTES], chr(entry[DIGEST_BYTES])


def shard_of(owner: str) -> bytes:
    """The shard an owner lives in: the first two bytes of SHA-256 of the name."""
    return hashlib.sha256(owner.encode()).digest()[:SHARD_BYTES]
