"""Our words in Nautobot's shapes: tokens, their UUIDs, and what OPTIONS says of them. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from service.model import Token
from service.wire.rest.metadata import field
from service.wire.rest.times import shown

KEY_LENGTH = 40
DESCRIPTION_LENGTH = 200
TAIL = 6

BRIEF = ("id", "url", "display", "key", "write_enabled")

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "id": field("string", "Id", read_only=True),
    "url": field("field", "Url", read_only=True),
    "display": field("field", "Display", read_only=True, help_text="Human friendly display value"),
    "created": field("datetime", "Created", read_only=True),
    "expires": field("datetime", "Expires"),
    "key": field("string", "Key", min_length=KEY_LENGTH, max_length=KEY_LENGTH),
    "write_enabled": field(
        "boolean",
        "Write enabled",
        help_text="Permit create/update/delete operations using this key",
    ),
    "description": field("string", "Description", max_length=DESCRIPTION_LENGTH),
}

_UUID = re.compile("-?".join(f"[0-9a-f]{{{size}}}" for size in (8, 4, 4, 4, 12)), re.I | re.ASCII)


def uuid_of(text: str) -> uuid.UUID | None:
    """The UUID that *text* is, with or without dashes; None when it is none."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def token(made: Token, url: str, *, number: uuid.UUID, key: str | None) -> dict[str, Any]:
    """The members of a token; *key* None where its text cannot be had here any more."""
    tail = key[-TAIL:] if key else "*" * TAIL
    return {
        "id": str(number),
        "url": url,
        "display": f"{tail} ({made.owner})",
        "created": shown(made.created_ms),
        "expires": shown(made.expires_ms) if made.expires_ms else None,
        "key": key,
        "write_enabled": made.write,
        "description": made.description,
    }
