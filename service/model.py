"""The words of the field: policy, head, token, owner, verdict. No HTTP, no Redis, no clock."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from service.errors import BadName

SHARD_BYTES = 2
DIGEST_BYTES = 20
ADDRESS_BYTES = 16
AGENT_BYTES = 16
UNLIMITED = 9999
"""How "no limit" is spelled towards the scripts; a real limit is at most 1000."""

NO_AGENT = bytes(AGENT_BYTES)
"""The agent digest of a token that is not bound to an agent."""


Network = IPv4Network | IPv6Network


class Level(IntEnum):
    """How strictly a verify looks at address or agent."""

    OFF = 0
    LOG = 1
    ENFORCE = 2


class Life(StrEnum):
    """How a token ends; the letter stands in its head."""

    SLIDING = "s"
    FIXED = "f"
    NEVER = "n"


class Word(StrEnum):
    """Every first word a script may answer with (the RETURNS lines in ``lua/``)."""

    OK = "ok"
    UNKNOWN = "unknown"
    MOVED = "moved"
    MISMATCH = "mismatch"
    REVOKED = "revoked"
    EVICTED = "evicted"
    EXPIRED = "expired"
    INACTIVE = "inactive"
    DISABLED = "disabled"
    NETWORK = "network"
    READ_ONLY = "read_only"
    NO_POLICY = "no_policy"
    TRIM = "trim"
    ISSUED = "issued"
    REUSED = "reused"
    CONFLICT = "conflict"
    FULL = "full"
    AGAIN = "again"
    EXISTS = "exists"
    CHANGED = "changed"
    WAIT = "wait"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one kind of token; all times in milliseconds, 0 meaning "none".

    *letter* is how the token's head and the owner's index name it. *per_user* is -1 for no limit.
    *bind_ip* and *bind_agent* say what a use is held to; *prefix_v4* and *prefix_v6* how many of
    an address's 16 bytes a new token keeps.
    """

    name: str
    letter: str
    idle_ms: int = 0
    slide_step_ms: int = 0
    max_age_ms: int = 0
    lifetime_ms: int = 0
    max_lifetime_ms: int = 0
    per_user: int = -1
    max_tokens: int = 10_000
    bind_ip: Level = Level.OFF
    bind_agent: Level = Level.OFF
    prefix_v4: int = ADDRESS_BYTES
    prefix_v6: int = ADDRESS_BYTES
    reuse: bool = False
    grave_ms: int = 600_000
    write: bool = True

    @property
    def limit(self) -> int:
        """The per-user limit as the scripts take it."""
        return UNLIMITED if self.per_user < 0 else self.per_user


FLAGS = {(True, True): b"w", (False, True): b"r", (True, False): b"W", (False, False): b"R"}
"""How a head spells (whether the token may write, whether it is enabled)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Everything verify compares, in fixed width (``lua/KEYS.md`` has the layout)."""

    policy: str
    life: Life
    write: bool
    grave_s: int
    prefix: bytes = b""
    agent: bytes = NO_AGENT
    counter: int = 0
    end_ms: int = 0
    enabled: bool = True

    LAYOUT = b"1"
    SIZE = 52

    def pack(self) -> bytes:
        """The 52 bytes as Redis keeps them."""
        return b"".join(
            (
                self.LAYOUT,
                self.policy.encode("ascii"),
                self.life.encode("ascii"),
                FLAGS[self.write, self.enabled],
                self.counter.to_bytes(5, "big"),
                self.grave_s.to_bytes(4, "big"),
                self.end_ms.to_bytes(6, "big"),
                len(self.prefix).to_bytes(1, "big"),
                self.prefix.ljust(ADDRESS_BYTES, b"\0"),
                self.agent,
            )
        )

    @classmethod
    def unpack(cls, raw: bytes) -> Head:
        """The head in *raw*; ValueError when its layout is not ours."""
        if len(raw) != cls.SIZE or raw[:1] != cls.LAYOUT:
            raise ValueError("unknown head layout")
        return cls(
            policy=chr(raw[1]),
            life=Life(chr(raw[2])),
            write=raw[3:4] in b"wW",
            enabled=raw[3:4] in b"wr",
            counter=int.from_bytes(raw[4:9], "big"),
            grave_s=int.from_bytes(raw[9:13], "big"),
            end_ms=int.from_bytes(raw[13:19], "big"),
            prefix=raw[20 : 20 + raw[19]],
            agent=raw[36:52],
        )


class Trace(Enum):
    """What a use that passes leaves behind."""

    WHOLE = "it slides, and is noted in last_used"
    SLIDE = "it slides"
    NONE = "nothing"


class Verdict(NamedTuple):
    """What verify decided. The fields after *word* are set on ``ok`` only.

    *remaining_ms* is the life left after this use (-1: never ends); *gap_ms* the time since the
    previous use (-1: not known); *mismatch* has bit 0 for the address and bit 1 for the agent,
    when they differed and the policy only logs it; until *touch_ms* from now no use is noted in
    last_used.
    """

    word: Word
    owner: str = ""
    policy: str = ""
    write: bool = False
    token_id: int = 0
    remaining_ms: int = 0
    gap_ms: int = -1
    mismatch: int = 0
    touch_ms: int = 0

    @property
    def allowed(self) -> bool:
        """True for the one word that lets a request pass."""
        return self.word is Word.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token as its holder gets it; *expires_ms* since the epoch, 0 when it never ends.

    *replicas* is how many replicas acknowledged it, None when nobody asked.
    """

    text: str
    token_id: int
    created_ms: int
    expires_ms: int
    reused: bool
    replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as lists show it: never its text. Times in milliseconds since the epoch, 0 none.

    *state* is ``live``, or the word verify would refuse it with. *networks* is None where nobody
    said anything, and empty where somebody said "none": neither restricts. *prefix* and
    *agent* are what it is bound to, as the head has them. *nonce* and *hidden*
    are what the text can be had from again; *place* is the shard of its alias, if it has one.
    *seen* is everything of it that changes change, as it was read (``lua/lib/unlike.lua``).
    """

    token_id: int
    owner: str
    policy: str
    state: str
    write: bool
    life: Life
    created_ms: int
    expires_ms: int
    last_used_ms: int
    enabled: bool = True
    prefix: bytes = b""
    agent: bytes = NO_AGENT
    label: str = ""
    description: str = ""
    client: str = ""
    networks: tuple[Network, ...] | None = None
    form: str = ""
    digest: bytes = field(default=b"", repr=False)
    nonce: bytes = field(default=b"", repr=False)
    hidden: bytes = field(default=b"", repr=False)
    place: bytes = b""
    seen: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The user record; *password* is the Argon2id hash (empty: no password login).

    *last_login_ms* is kept by dialects that show it, and 0 until then.
    """

    name: str
    user_id: int
    active: bool
    password: str = field(default="", repr=False)
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    superuser: bool = False
    permissions: tuple[str, ...] = ()
    created_ms: int = 0
    last_login_ms: int = 0


def canonical_name(text: str) -> str:
    """*text* as a user name is kept: NFC, trimmed. BadName when it cannot be one."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= 150:
        raise BadName("a user name has 1 to 150 characters")
    categories = {unicodedata.category(char) for char in name}
    if "Cs" in categories:  # half of a pair, which is how Python has bytes that are none
        raise BadName("a user name is text in UTF-8")
    if "Cc" in categories:
        raise BadName("a user name has no control characters")
    return name


def guarded_name(text: str) -> str:
    """The form of a name that the login guard counts: every spelling shares one bucket."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def token_id(counter: int, shard: bytes) -> int:
    """A token's public number: ``counter * 65536 + shard``."""
    return (counter << 16) | int.from_bytes(shard, "big")


def split_id(number: int) -> tuple[int, bytes]:
    """The (counter, shard) that *number* was made of."""
    return number >> 16, (number & 0xFFFF).to_bytes(SHARD_BYTES, "big")
