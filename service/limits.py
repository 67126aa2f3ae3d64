"""What one client may take of the server, and how it is told when it wants more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus


def plain(status: int, path: bytes) -> tuple[bytes, bytes]:
    """Say *status* in plain text, whatever the *path*."""
    return b"text/plain; charset=utf-8", HTTPStatus(status).phrase.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take; the app puts its own into the lifespan state as ``limits``.

    *refuse* turns a status and the raw path (as much of it as has arrived, maybe empty) into
    content type and body, so that each dialect says no in its own shape.
    """

    header_bytes: int = 16 * 1024
    header_count: int = 100
    max_body: int = 64 * 1024
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    linger_s: float = 2.0
    in_flight: int = 1000
    pipelined: int = 100
    refuse: Callable[[int, bytes], tuple[bytes, bytes]] = plain
