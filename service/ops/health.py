"""``/livez`` and ``/readyz``: is the process there, and may it be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from service.errors import StoreDown
from service.store.setup import Setup

FRESH_S = 0.2
_HEADERS = {"cache-control": "no-store"}


class Health:
    """Answers GET and HEAD of the two probes (405 for any other method).

    Ready means: not draining, the real verify script runs, and the store was set up. One probe of
    the store serves every caller for *FRESH_S*, so that many balancers do not become a load.
    """

    def __init__(self, setup: Setup, draining: Callable[[], bool]) -> None:
        self._setup = setup
        self._draining = draining
        self._lock = asyncio.Lock()
        self._known = ""
        self._until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"allow": "GET, HEAD"})
        if scope["path"] == "/livez":
            return JSONResponse({"status": "alive"}, headers=_HEADERS)
        trouble = "draining" if self._draining() else await self._trouble()
        if trouble:
            headers = {**_HEADERS, "retry-after": "1"}
            return JSONResponse({"status": "not ready", "reason": trouble}, 503, headers)
        return JSONResponse({"status": "ready"}, headers=_HEADERS)

    async def _trouble(self) -> str:
        """Why the store cannot be asked; empty when it can."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() >= self._until:
                self._known = await self._probe()
                self._until = loop.time() + FRESH_S
            return self._known

    async def _probe(self) -> str:
        try:
            return "" if await self._setup.probe() else "store is not set up"
        except StoreDown as error:
            return f"store: {error.reason}"
