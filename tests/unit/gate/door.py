"""A node with the gate's lane, its Redis, some tokens there, and a client of raw bytes."""

from __future__ import annotations

import contextlib
import socket

from tests.bearers import connect
from tests.e2e.raw import Answer, parse
from tests.nodes import Node
from tests.servers import Server

OWNERS = 40


class Gate:
    """A node, its Redis and some tokens there."""

    def __init__(self, server: Server, tokens: dict[str, str], **settings: str) -> None:
        lane = {"TOKENHOUSE_GATE__LANE": "true"}
        mine = {f"TOKENHOUSE_{name}": value for name, value in settings.items()}
        self.server = server
        self.node = Node(server.url, {**lane, **mine})
        self.tokens = tokens
        self.texts = list(tokens)

    def connect(self) -> socket.socket:
        """A new connection to the node."""
        return connect(self.node.url)

    def refuses_newcomers(self) -> bool:
        """Whether the node takes no connections any more."""
        try:
            self.connect().close()
        except ConnectionError:
            return True
        return False

    def talk(self, data: bytes) -> list[Answer]:
        """Every answer to *data* up to the end of the connection."""
        with self.connect() as sock:
            sock.sendall(data)
            return parse(drain(sock))

    def owner(self, text: str) -> dict[str, object]:
        """What an allow for *text* says."""
        return {"status": 200, "user": self.tokens[text]}

    def stop(self) -> None:
        """End the node, which must have nothing to complain of."""
        self.node.stop()
        bad = ("failed", "Traceback", "Exception", "critical")
        assert not [line for line in self.node.lines if any(word in line for word in bad)]


def ask(text: str, *lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """A plain gate request with *text* for its token."""
    head = b"%b /authz/ext/x?y=1 HTTP/%b\r\nHost: a\r\nAuthorization: Bearer %b\r\n"
    more = b"".join(line + b"\r\n" for line in lines)
    return head % (method, version, text.encode()) + more + b"\r\n"


CLOSE = b"Connection: close"


def drain(sock: socket.socket) -> bytes:
    """Everything up to the end."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def receive(sock: socket.socket, count: int = 1) -> list[Answer]:
    """The next *count* answers, which have no bodies; fewer when the connection ends."""
    raw = b""
    while raw.count(b"\r\n\r\n") < count:
        part = sock.recv(65536)
        if not part:
            break
        raw += part
    return parse(raw)


def shown(answers: list[Answer]) -> list[dict[str, object]]:
    """Status and owner of each."""
    return [{"status": each.status, "user": each.headers.get("x-auth-user")} for each in answers]
