"""The composition root: builds the house from the config and sends each path where it belongs."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.config import Config, load
from service.gate.answer import Answers
from service.gate.asgi import Gate
from service.gate.ground import Ground
from service.gate.question import Asking, Questions
from service.house import House, build
from service.limits import Limits, plain
from service.ops import echo, events, metrics, openapi
from service.ops.access import Access
from service.ops.echo import Echo
from service.ops.events import Events
from service.ops.health import Health
from service.ops.metrics import Metrics
from service.ops.welcome import local_url, welcome
from service.wire.dialect import Dialect, Service

log = logging.getLogger("tokenhouse")

NOT_FOUND = b'{"detail":"Not found."}'
GATE = "/authz/"
PROBES = ("/livez", "/readyz")


def create() -> App:
    """The application as ``serve`` runs it: configured by file and environment."""
    return App(load())


class App:
    """One ASGI application over gate, probes and dialects."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.house: House = build(config)
        self.draining = False
        asking = Asking(
            trust=self.house.trust,
            ip_header=config.server.client_ip_header,
            fallback=config.server.bind_ip_fallback == "peer",
            cookie=config.gate.cookie,
            query=config.gate.query,
            preflight=config.gate.preflight,
        )
        answers = Answers(
            asking,
            reason_header=config.gate.reason_header,
            staleness_s=config.gate.staleness // 1000,
        )
        questions = Questions(asking)
        self._gate = Gate(self.house.tokens, questions, answers, tells=config.log.refusals)
        self._health = Health(self.house.setup, lambda: self.draining)
        access = Access(self.house.tokens, self.house.users, questions=questions, answers=answers)
        self._echo = Echo(access)
        self._events = Events(access, self.house.announcer, ending=lambda: self.draining)
        self._metrics = None
        if config.metrics.enabled:
            self._metrics = Metrics(self._gate.counts, self.house.tokens.mismatches.counts)
        self._dialects = [_dialect(name) for name in config.dialects.enabled]
        self._owner = _root_owner(config)
        self._routes = routes(self._dialects, service_of(self.house), self._owner)
        self._document = openapi.Document(config, self._dialects, self._owner)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(echo.PATH):
            await self._echo(scope, receive, send)
        elif path.startswith(GATE):
            await self._gate(scope, receive, send)
        elif path in PROBES:
            await self._health(scope, receive, send)
        elif path == events.PATH:
            await self._events(scope, receive, send)
        elif path == metrics.PATH and self._metrics is not None:
            await self._metrics(scope, receive, send)
        elif path == openapi.PATH:
            await self._document(scope, receive, send)
        else:
            await self._route(path, scope, receive, send)

    async def _route(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        for prefix, mounted, app in self._routes:
            if path == prefix or path.startswith(prefix + "/"):
                inner = {**scope, "path": path[len(mounted) :] or "/", "root_path": mounted}
                await app(inner, receive, send)
                return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(NOT_FOUND)),
        ]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else NOT_FOUND
        await send({"type": "http.response.body", "body": body})

    # -- start and stop ----------------------------------------------------------------------

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start(scope.get("state", {}))
        except Exception as error:
            log.exception("cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send(_message("startup"))
        await receive()
        self.draining = True
        await self.house.aclose()
        await send(_message("shutdown"))

    async def _start(self, state: dict[str, Any]) -> None:
        state["limits"] = self.limits()
        if not self.config.in_memory:
            state["gate"] = self._ground()
        self._watch_for_the_end()
        # Requests leave hardly a cycle behind; looking for one after every 700 objects costs more.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        if self.house.client.embedded and await self.house.setup.born() is None:
            await self.house.setup.init()
        server = self.config.server
        scheme = "https" if server.ssl_certfile else "http"
        text = await welcome(self.house, local_url(server.host, server.port, scheme=scheme))
        if text:
            sys.stderr.write(text)
            sys.stderr.flush()

    def _ground(self) -> Ground:
        """What the gate's lane needs, if it is on; the store's lane serves every gate."""
        store = self.house.tokens.store
        return Ground(
            self._gate,
            store=store.open_lane(most=self.config.server.in_flight),
            tail=store.tail,
            header_count=self.config.server.header_count,
        )

    def _watch_for_the_end(self) -> None:
        """Turn not ready at the very signal that the server takes as its end."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            signal.signal(number, self._ending(before))

    def _ending(self, before: Any) -> Any:
        def handler(number: int, frame: Any) -> None:
            self.draining = True
            if callable(before):
                before(number, frame)

        return handler

    # -- limits ------------------------------------------------------------------------------

    def limits(self) -> Limits:
        """What the protocol holds every connection to."""
        server = self.config.server
        return Limits(
            header_bytes=server.header_bytes,
            header_count=server.header_count,
            max_body=server.max_body,
            header_timeout_s=server.header_timeout / 1000,
            body_timeout_s=server.body_timeout / 1000,
            idle_timeout_s=server.idle_timeout / 1000,
            in_flight=server.in_flight,
            refuse=self.refuse,
        )

    def refuse(self, status: int, path: bytes) -> tuple[bytes, bytes]:
        """Content type and body for a request that never got to an application."""
        text = path.decode("latin-1")
        if text.startswith(GATE):
            return b"text/plain", b""
        for dialect in self._dialects:
            shared = dialect.root_paths if dialect.name == self._owner else ()
            own = (*dialect.paths, *shared, f"/{dialect.name}/")
            if any(text.startswith(prefix) for prefix in own):
                return dialect.refuse(status)
        return plain(status, path)


def service_of(house: House) -> Service:
    """What a dialect may use of *house*."""
    return Service(
        config=house.config,
        policies=house.policies,
        tokens=house.tokens,
        users=house.users,
        logins=house.logins,
        trust=house.trust,
        node=house.config.server.node,
    )


def _message(stage: str) -> Message:
    return {"type": f"lifespan.{stage}.complete"}


def _dialect(name: str) -> Dialect:
    dialect: Dialect = import_module(f"service.dialects.{name}").DIALECT
    return dialect


def _root_owner(config: Config) -> str:
    """Who answers the paths that several products share: as configured, else whoever can."""
    enabled = config.dialects.enabled
    wanted = (config.dialects.users_tokens, "netbox", "nautobot")
    return next((name for name in wanted if name in enabled), enabled[0])


def routes(
    dialects: Sequence[Dialect], service: Service, owner: str
) -> list[tuple[str, str, ASGIApp]]:
    """(path prefix, the part of it that is stripped, application), longest prefix first."""
    found: list[tuple[str, str, ASGIApp]] = []
    for dialect in dialects:
        app = dialect.build(service)
        shared = dialect.root_paths if dialect.name == owner else ()
        found += [(path.rstrip("/"), "", app) for path in (*dialect.paths, *shared)]
        found.append((f"/{dialect.name}", f"/{dialect.name}", app))
    return sorted(found, key=lambda route: len(route[0]), reverse=True)
