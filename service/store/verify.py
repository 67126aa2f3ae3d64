"""How verify is asked: its keys and arguments as RESP, put together from parts made beforehand."""

from __future__ import annotations

import time
from binascii import hexlify
from collections.abc import Sequence

from service.model import Policy
from service.store.keys import Keys
from service.store.resp import bulk

NEVER = (1 << 48) - 1
"""The interval under which no last use is noted."""


def pack_rules(policies: Sequence[Policy], interval_ms: int) -> bytes:
    """The part of verify's rules that stays the same (``lua/verify.lua``)."""
    return b"".join(
        (
            interval_ms.to_bytes(6, "big"),
            bytes([len(policies)]),
            *(policy.letter.encode("ascii") for policy in policies),
            *(_pack_policy(policy) for policy in policies),
        )
    )


def _pack_policy(policy: Policy) -> bytes:
    return b"".join(
        (
            policy.idle_ms.to_bytes(6, "big"),
            policy.slide_step_ms.to_bytes(6, "big"),
            policy.limit.to_bytes(2, "big"),
            bytes([policy.bind_ip, policy.bind_agent]),
        )
    )


def clocked(rules: bytes, *, write: bool) -> bytes:
    """Verify's *rules* for one use, with this node's clock among them.

    A hint when it may pay to look at Redis's clock; nothing is decided by it (ADR 0007).
    """
    now_ms = int(time.time() * 1000)  # noqa: TID251
    return (b"w" if write else b"r") + now_ms.to_bytes(6, "big") + rules


class VerifyTail:
    """Spells what follows the script's name for one use; *rules* as ``pack_rules`` has them.

    The clock among the rules is a hint and may lag two seconds; it is set anew once a second.
    """

    def __init__(self, keys: Keys, rules: bytes) -> None:
        self.rules = rules
        self._old_at = 0.0
        self._clocked = (b"", b"")
        token, owners = keys.token(bytes(2), bytes(20)), keys.owners(bytes(2))
        self._before_token = b"$%d\r\n%bt:{" % (len(token), keys.prefix)
        self._before_owners = b"\r\n$%d\r\n%bo:{" % (len(owners), keys.prefix)

    def __call__(
        self, shard: bytes, digest: bytes, seen: bytes, *, write: bool, now: float
    ) -> bytes:
        """The bytes behind the script; *seen* as the method of that name spells it.

        *now* is ``time.monotonic``.
        """
        if now >= self._old_at:
            self._set(now)
        tag = hexlify(shard)
        return b"".join(
            (
                self._before_token,
                tag,
                b"}:",
                digest,
                self._before_owners,
                tag,
                b"}\r\n",
                seen,
                self._clocked[write],
            )
        )

    @staticmethod
    def seen(address: bytes, agent: bytes) -> bytes:
        """Who uses the token: *address* 16 bytes or empty, *agent* 16."""
        return bulk(agent + address)

    def _set(self, now: float) -> None:
        self._old_at = now + 1
        read, write = (bulk(clocked(self.rules, write=flag)) for flag in (False, True))
        self._clocked = read, write
