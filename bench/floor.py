"""The floor of any ASGI application: 200 and nothing else, served as ``tokenhouse serve`` does.

``python -m bench.floor PORT PROTOCOL`` with uvicorn's own ``httptools`` or a class of ours.
"""

from __future__ import annotations

import sys

from starlette.types import ASGIApp, Receive, Scope, Send

from service.serve import run

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
BODY = {"type": "http.response.body", "body": b""}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once."""
    if scope["type"] == "http":
        await send(START)
        await send(BODY)
        return
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def create() -> ASGIApp:
    """What uvicorn asks for the application."""
    return app


if __name__ == "__main__":
    run("bench.floor:create", port=int(sys.argv[1]), http=sys.argv[2])
