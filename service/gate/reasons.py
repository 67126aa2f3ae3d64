"""Why the gate says what it says, in words that stay the same (``docs/reasons.md``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from service.core.address import unpack
from service.gate.question import Missing, Mount
from service.model import Word

log = logging.getLogger("tokenhouse.gate")

REASONS: Mapping[str, str] = {
    Word.OK: "The token passes.",
    Missing.PREFLIGHT: "A browser asks what it may send; it passes as nobody.",
    Missing.NONE: "No header that is looked at holds a token.",
    Missing.MALFORMED: "What stands in a token's place cannot be a token.",
    Missing.AMBIGUOUS: "The request holds two different tokens.",
    Word.UNKNOWN: (
        "Nobody has this token: it was never made, or its grave has ended, or its user is gone."
    ),
    Word.MISMATCH: "The token is bound to another address or user agent.",
    Word.REVOKED: "The token, or every token of its user, was revoked.",
    Word.EVICTED: "Newer tokens of the user have taken its place (per_user).",
    Word.EXPIRED: "The token was not used for too long, or its end has come.",
    Word.INACTIVE: "The user is disabled.",
    Word.DISABLED: "The token itself is disabled.",
    Word.NETWORK: "The token is not good for the network that the client is in.",
    Word.READ_ONLY: "The token may only read, and the request may change something.",
}
"""A sentence for each reason of a verdict."""


def tell(reason: str, mount: Mount, address: bytes) -> None:
    """Write down that a client at *address* (16 bytes, or empty) was refused, and why."""
    log.info("refused: %s at %s from %s", reason, mount.path, unpack(address) if address else "-")
