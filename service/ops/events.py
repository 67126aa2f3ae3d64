"""``GET /events``: revocations as they happen, as server-sent events (WHATWG HTML §9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.core.feed import Announcer, Revocation
from service.errors import StoreDown
from service.gate.answer import Answer
from service.gate.question import EXT, Missing, Question
from service.model import Trace
from service.ops.access import Access, bare
from service.store.feed import START

PATH = "/events"
LOOK_S = 0.25
"""How late an event is at most, as long as the store answers."""
PART = 500
CALM_S = 15.0
"""After so long without an event a comment is sent; as often, who listens is looked at again."""
RETRY_MS = 1000

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Events:
    """Tells superusers, and users with the permission ``gateway``, what is revoked.

    Each event has the id of its entry, the name ``revoked`` and JSON: ``owner``, ``reason``,
    ``id``, ``label``, ``mark`` (``Revocation``). The first one is ``start``, or ``reset`` for
    whoever came with a ``Last-Event-ID`` that is not known any more: he may have missed some. Who
    reads too slowly, or listens while the store is restored, gets ``reset`` at any time.
    401, 403 and 503 are the gate's; 404 without a feed.
    """

    def __init__(self, access: Access, announcer: Announcer, *, ending: Callable[[], bool]) -> None:
        self._access = access
        self._announcer = announcer
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if not self._announcer.feed.keep:
            return Response(status_code=404)
        if scope["method"] != "GET":
            return Response(status_code=405, headers={"allow": "GET"})
        question = self._access.asked(EXT, scope)
        if isinstance(question, Missing):
            return bare(self._access.answers.deny(question, EXT))
        last = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
        try:
            refusal = await self._refusal(question)
            if refusal is not None:
                return bare(refusal)
            begin, missed = await self._announcer.where(last)
        except StoreDown as error:
            return bare(self._access.answers.unavailable(error.retry_after_s))
        stream = self._stream(question, begin, missed=missed)
        return StreamingResponse(stream, headers=_HEADERS, media_type="text/event-stream")

    async def _refusal(self, question: Question) -> Answer | None:
        """Why whoever asks is not told, or no more; to listen is to use the token. StoreDown."""
        return await self._access.refusal(await self._access.verdict(question, Trace.WHOLE))

    async def _stream(self, question: Question, last: str, *, missed: bool) -> AsyncIterator[bytes]:
        """What is said until the client goes, the node ends, or the token is good no more."""
        yield b"retry: %d\n" % RETRY_MS
        yield _event(last, "reset" if missed else "start", b"{}")
        loop = asyncio.get_running_loop()
        calm_since = looked_at = loop.time()
        while not self._ending():
            try:
                if loop.time() > looked_at + CALM_S:
                    if await self._refusal(question) is not None:
                        return
                    looked_at = loop.time()
                found = await self._announcer.after(last, PART)
                # Behind the look: what was forgotten since is in it, or its reader has missed it.
                missed = last != START and (await self._announcer.where(last))[1]
            except StoreDown:
                found, missed = [], False
            if missed:
                last = START
                yield _event(last, "reset", b"{}")
                continue
            if found:
                yield b"".join(_event(name, "revoked", _json(each)) for name, each in found)
                last, calm_since = found[-1][0], loop.time()
            elif loop.time() > calm_since + CALM_S:
                yield b": \n\n"
                calm_since = loop.time()
            if len(found) < PART:
                await asyncio.sleep(LOOK_S)


def _event(name: str, kind: str, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (name.encode(), kind.encode(), data)


def _json(it: Revocation) -> bytes:
    return orjson.dumps(
        {
            "owner": it.owner,
            "reason": it.reason,
            "id": it.token_id,
            "label": it.label,
            "mark": it.mark,
        }
    )
