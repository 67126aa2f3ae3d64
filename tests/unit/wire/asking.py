"""Makes requests without a server."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import Message


def request(
    *chunks: bytes,
    headers: Sequence[tuple[str, str]] = (),
    peer: str | None = "192.0.2.1",
    ends: bool = True,
) -> Request:
    """A request whose body comes in *chunks*; it hangs up after them unless it *ends*."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request"} if ends else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": (peer, 40000) if peer is not None else None,
    }
    return Request(scope, receive)
