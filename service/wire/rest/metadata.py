"""The answer to OPTIONS: what a resource is called, reads and writes, and its fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.wire.rest.accept import MEDIA


def described(
    name: str,
    description: str,
    *,
    parses: Sequence[str],
    actions: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The body. *actions* are the fields for each method that the caller may use, if any."""
    body: dict[str, Any] = {
        "name": name,
        "description": description,
        "renders": list(MEDIA.values()),
        "parses": list(parses),
    }
    return {**body, "actions": dict(actions)} if actions else body


def field(kind: str, label: str, **facts: Any) -> dict[str, Any]:
    """One field: *kind* is its type; *facts* beyond ``required`` and ``read_only`` as they are.

    For example ``help_text``, ``min_length``, ``max_length``, ``child``, ``children``.
    """
    required, read_only = facts.pop("required", False), facts.pop("read_only", False)
    return {"type": kind, "required": required, "read_only": read_only, "label": label, **facts}
