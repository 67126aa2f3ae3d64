"""A real uvicorn on loopback, an app that misbehaves as asked, and a client of raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from service.limits import Limits
from service.serve import Secured
from service.tls import Tls

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SHORT = {"header_timeout_s": 0.3, "body_timeout_s": 0.3, "idle_timeout_s": 0.3, "linger_s": 0.3}
"""Deadlines for clients that a test lets miss them."""


class App:
    """An ASGI app whose path says how it behaves, and which remembers what it was asked."""

    def __init__(self, **limits: Any) -> None:
        self.limits = limits
        self.seen: list[str] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.extensions: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["limits"] = Limits(**self.limits)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        name = scope["path"].strip("/")
        self.headers = scope["headers"]
        self.extensions.append(scope.get("extensions"))
        self.seen.append(f"begin {name}")
        behave = getattr(self, name.partition("/")[0], self.echo)
        await behave(name, receive, send)
        self.seen.append(f"end {name}")

    async def echo(self, name: str, receive: Any, send: Any) -> None:
        body = await self.read(name, receive)
        await self.answer(f"{name}:{len(body)}".encode(), send)

    async def read(self, name: str, receive: Any) -> bytes:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.seen.append(f"gone {name}")
                return body
            body += message["body"]
            more = message["more_body"]
        return body

    async def answer(self, body: bytes, send: Any, more: bool = False) -> None:
        length = [(b"content-length", b"%d" % (100 if more else len(body)))]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body, "more_body": more})

    async def slow(self, name: str, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        await self.answer(b"slow", send)

    async def held(self, name: str, receive: Any, send: Any) -> None:
        latch = Latch(Path(name.removeprefix("held")))
        latch.arrived.touch()
        while not latch.let_go.exists():  # noqa: ASYNC110 - it may be let go by another process
            await asyncio.sleep(0.01)
        await self.answer(b"held", send)

    async def early(self, name: str, receive: Any, send: Any) -> None:
        await self.answer(b"early", send)

    async def begun(self, name: str, receive: Any, send: Any) -> None:
        await self.answer(b"first words", send, more=True)
        await self.read(name, receive)

    async def endless(self, name: str, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})

    async def wait(self, name: str, receive: Any, send: Any) -> None:
        await self.read(name, receive)
        assert (await receive())["type"] == "http.disconnect"
        self.seen.append(f"gone {name}")


@dataclass(frozen=True)
class Latch:
    """A request that is under way for as long as a test wants, in whatever process it is served.

    It is asked for as ``path``; *folder* holds the two files by which both sides come to terms.
    """

    folder: Path

    @property
    def path(self) -> bytes:
        """What to ask for."""
        return b"held" + bytes(self.folder)

    @property
    def arrived(self) -> Path:
        """There once the application has the request."""
        return self.folder / "arrived"

    @property
    def let_go(self) -> Path:
        """Makes the application answer."""
        return self.folder / "let-go"

    def wait(self) -> None:
        """Until the application has the request."""
        wait_for(self.arrived.exists)


@contextlib.contextmanager
def serving(app: App, tls: Tls | None = None) -> Iterator[int]:
    """Run *app* under uvicorn in a thread, over TLS if wanted; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    options: dict[str, Any] = {
        "http": "service.protocol:Limited",
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "server_header": False,
        "timeout_graceful_shutdown": 1,
    }
    config = Secured(app, tls=tls, **options) if tls else uvicorn.Config(app, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def connect(port: int, context: ssl.SSLContext | None = None) -> socket.socket:
    """Connect, with a *context* over TLS; an end without a word of TLS is then an error."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    if context is None:
        return sock
    return context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def drain(sock: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def talk(port: int, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Send *data*, then read until the server hangs up, which it may do before it has it all."""
    with connect(port, context) as sock:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(data)
        return drain(sock)


def first_answer(sock: socket.socket) -> list[tuple[int, bytes]]:
    """The next answer on a connection that stays open; its head and body may come apart."""
    raw = b""
    while b"\r\n\r\n" not in raw or len(answers(raw)[0][1]) < length_of(raw):
        part = sock.recv(65536)
        assert part, raw
        raw += part
    return answers(raw)


def length_of(raw: bytes) -> int:
    """What the first answer in *raw* says about the size of its body."""
    return int(raw.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


def answers(raw: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer in *raw*."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", 0))
        found.append((int(head.split()[1]), rest[:length]))
        raw = rest[length:]
    return found


def statuses(raw: bytes) -> list[int]:
    return [status for status, _ in answers(raw)]


def head_of(size: int, close: bytes = b"Connection: close\r\n") -> bytes:
    """A request head of exactly *size* bytes."""
    start, end = b"GET /sized HTTP/1.1\r\nHost: a\r\n" + close + b"X: ", b"\r\n\r\n"
    return start + b"x" * (size - len(start) - len(end)) + end


def wait_for(condition: Any, timeout_s: float = 15) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


class Wire(asyncio.Transport):
    """A transport that takes exactly the pieces a test cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def factory() -> App:
    """The app for a server in a process of its own."""
    return App(linger_s=0.5)
