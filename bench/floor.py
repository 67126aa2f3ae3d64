"""The floor of any ASGI application: 200 and nothing else, served as ``tokenhouse serve`` does.

``python -m bench.floor PORT PROTOCOL [app|wait]`` with uvicorn's own ``httptools`` or a class of
ours. ``wait`` does no work either, but has the shape of an answer that comes from elsewhere: the
requests of a millisecond wait together for one event, and each gets the gate's nine headers.
"""

from __future__ import annotations

import asyncio
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


WAIT_S = 0.001
IDENTITY = {
    **START,
    "headers": [
        (b"content-length", b"0"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Authorization, X-Auth-Token, X-Authentication, User-Agent, x-forwarded-for"),
        (b"x-auth-user", b"user0001"),
        (b"x-auth-token-id", b"123456789"),
        (b"x-auth-policy", b"tower"),
        (b"x-auth-scopes", b"read write"),
        (b"x-auth-expires-in", b"1799"),
    ],
}
_waiting: list[asyncio.Future[None]] = []


def _wake() -> None:
    for waiting in _waiting:
        waiting.set_result(None)
    _waiting.clear()


async def wait(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when the millisecond is over."""
    if scope["type"] != "http":
        await app(scope, receive, send)
        return
    loop = asyncio.get_running_loop()
    if not _waiting:
        loop.call_later(WAIT_S, _wake)
    waiting = loop.create_future()
    _waiting.append(waiting)
    await waiting
    await send(IDENTITY)
    await send(BODY)


def create() -> ASGIApp:
    """What uvicorn asks for the application."""
    return {"app": app, "wait": wait}[sys.argv[3]]


if __name__ == "__main__":
    run("bench.floor:create", port=int(sys.argv[1]), http=sys.argv[2])
