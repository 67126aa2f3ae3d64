"""What stands around a gateway in its tests: an application, a counted way to the gate, clients."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import selectors
import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
AGENT = "probe/1"
HOME, ELSEWHERE = "127.0.0.2", "127.0.0.3"
"""Addresses of clients. The gateways connect from 127.0.0.1, the only one that is trusted."""


class Application:
    """Says what it got as JSON; ``/status/429`` answers so; agrees to any Upgrade, then echoes."""

    def __init__(self) -> None:
        self.requests = 0
        self.upgrades: list[str] = []
        self._server = _Quiet(("127.0.0.1", 0), _echo(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self.port: int = self._server.server_address[1]

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


class _Quiet(ThreadingHTTPServer):
    """Says nothing of a gateway that hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _echo(application: Application) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 120  # longer than a module takes: a gateway may use a connection that just ends

        def answer(self) -> None:
            application.requests += 1
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if "upgrade" in self.headers:
                application.upgrades += self.headers.get_all("upgrade", [])
                self.switch()
                return
            status = int(self.path[8:]) if self.path.startswith("/status/") else 200
            names = [name.lower() for name, _ in self.headers.items()]
            said = {
                "method": self.command,
                "path": self.path,
                "headers": {name: self.headers.get_all(name) for name in names},
                "body": len(body),
            }
            content = json.dumps(said).encode()
            self.send_response_only(status)
            if status != 200:
                self.send_header("retry-after", "17")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def switch(self) -> None:
            key = self.headers.get("sec-websocket-key", "") + WEBSOCKET
            self.send_response_only(101)
            self.send_header("upgrade", self.headers["upgrade"])
            self.send_header("connection", "Upgrade")
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self.send_header("sec-websocket-accept", accept)
            self.end_headers()
            self.wfile.write(b"user " + self.headers.get("x-auth-user", "").encode() + b"\n")
            self.wfile.write(self.rfile.readline())
            self.close_connection = True

        def log_message(self, *words: object) -> None:
            pass

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


class Way:
    """The way from a gateway to the gate: counts *connections* and *questions*, and can be cut.

    *canned*, when set, is the answer to everything instead of the gate's.
    """

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._gate = (target.hostname, target.port)
        self.connections = 0
        self.questions = 0
        self.heads: list[bytes] = []
        self.canned = b""
        self._up = True
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ways: dict[socket.socket, socket.socket | None] = {}
        self._gateways: set[socket.socket] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Count from nothing."""
        self.connections = self.questions = 0
        self.heads = []

    @property
    def open(self) -> int:
        """Connections there are."""
        return len(self._ways) // 2

    @contextlib.contextmanager
    def cut(self) -> Any:
        """Take no connection, and end those there are, for as long as this lasts."""
        self._up = False
        try:
            yield
        finally:
            self._up = True

    @contextlib.contextmanager
    def answering(self, answer: bytes) -> Any:
        """Give *answer* to every question, for as long as this lasts."""
        self.canned = answer
        try:
            yield
        finally:
            self.canned = b""

    def stop(self) -> None:
        """End all connections."""
        self._ending.set()
        self._thread.join(timeout=10)
        self._listener.close()
        self._selector.close()

    # -- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._pass(key.fileobj)  # type: ignore[arg-type]
            if not self._up:
                self._drop_all()
        self._drop_all()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if not self._up:
            near.close()
            return
        self.connections += 1
        far = socket.create_connection(self._gate, timeout=10)
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ways[one] = other
            self._selector.register(one, selectors.EVENT_READ)
        self._gateways.add(near)

    def _pass(self, one: socket.socket) -> None:
        other = self._ways.get(one)
        if other is None:
            return
        try:
            data = one.recv(1 << 16)
            if one in self._gateways and b" HTTP/1.1\r\n" in data:
                self.heads.append(data)
                self.questions += b"/authz/" in data.partition(b"\r\n")[0]
            if data and self.canned and one in self._gateways:
                one.sendall(self.canned)
            elif data:
                other.sendall(data)
            else:
                self._drop(one)
        except OSError:
            self._drop(one)

    def _drop(self, one: socket.socket) -> None:
        for each in (one, self._ways.get(one)):
            if each is not None and each in self._ways:
                self._selector.unregister(each)
                del self._ways[each]
                self._gateways.discard(each)
                each.close()

    def _drop_all(self) -> None:
        for one in list(self._ways):
            self._drop(one)


@dataclass(frozen=True)
class Asked:
    """An answer through a gateway, and what the application got of its request."""

    status: int
    headers: httpx.Headers
    seen: dict[str, Any]

    def got(self, name: str) -> list[str]:
        """The values of a header at the application."""
        return self.seen["headers"].get(name, [])  # type: ignore[no-any-return]


class Client:
    """Somebody at *address* who talks to a gateway."""

    def __init__(self, url: str, address: str) -> None:
        self.http = httpx.Client(
            base_url=url,
            transport=httpx.HTTPTransport(local_address=address),
            headers={"user-agent": AGENT},
            trust_env=False,
            timeout=20,
        )

    def ask(
        self, token: str = "", *, method: str = "GET", path: str = "/app/x?q=1", **options: Any
    ) -> Asked:
        """Ask for something of the application."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers.update(options.pop("headers", {}))
        answer = self.http.request(method, path, headers=headers, **options)
        is_ours = answer.headers.get("content-type") == "application/json" and method != "HEAD"
        return Asked(answer.status_code, answer.headers, answer.json() if is_ours else {})

    def login(self, user: str, password: str) -> str:
        """A token, from the token service behind the gateway."""
        body = {"username": user, "password": password}
        answer = self.http.post("/api/v2/authtoken/", json=body)
        assert 200 == answer.status_code, answer.text
        return str(answer.json()["token"])
