"""What goes into making and killing a token, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from service.model import Head, Policy, Word


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
