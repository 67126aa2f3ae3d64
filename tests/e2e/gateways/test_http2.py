"""What a client can do by HTTP/2, which some gateways speak on any port (RFC 9113 §3.3)."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.e2e.gateways.conftest import Front
from tests.e2e.gateways.test_gateways import connect_from_home
from tests.e2e.gateways.world import AGENT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
BEHIND = b"POST /behind HTTP/1.1\r\nHost: a\r\nX-Auth-User: mallory\r\nContent-Length: 0\r\n\r\n"


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """A frame (RFC 9113 §4.1)."""
    return len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + content


def fields(*pairs: tuple[str, str]) -> bytes:
    """Header fields as they are (RFC 7541 §6.2.2), each shorter than 127 octets."""
    return b"".join(
        b"\0" + b"".join(bytes((len(word),)) + word.encode() for word in pair) for pair in pairs
    )


def told(front: Front, method: str, *lines: tuple[str, str], behind: bytes = b"") -> list[int]:
    """The kinds of frames that answer a request on stream 1; none where HTTP/1.1 answers."""
    bearer = ("authorization", f"Bearer {front.fate('never ends')}")
    said = fields(
        (":method", method), (":authority", "a:80"), *lines, ("user-agent", AGENT), bearer
    )
    sent = PREFACE + frame(SETTINGS, 0, 0)
    if behind:
        sent += frame(HEADERS, END_HEADERS, 1, said) + frame(DATA, 0, 1, behind)
    else:
        sent += frame(HEADERS, END_HEADERS | END_STREAM, 1, said)
    kinds: list[int] = []
    with closing(connect_from_home(front)) as sock, closing(sock.makefile("rb")) as got:
        sock.sendall(sent)
        while len(head := got.read(9)) == 9 and not head.startswith(b"HTTP/"):
            got.read(int.from_bytes(head[:3]))
            kinds.append(head[3])
            if head[3] in (HEADERS, RST_STREAM, GOAWAY):
                break
    return kinds


@pytest.mark.parametrize("scheme", [(), ((":scheme", "http"), (":path", "/app"))])
def test_nothing_gets_through_behind_a_connect(
    front: Front, scheme: tuple[tuple[str, str], ...]
) -> None:
    """Not even with a good token: the application would take its data for requests."""
    application = front.world.application
    before = application.requests
    told(front, "CONNECT", *scheme, behind=BEHIND)

    assert before == application.requests
    plain = told(front, "GET", (":scheme", "http"), (":path", "/app"))
    assert ("nginx" == front.gateway.name) == (HEADERS not in plain)
    assert before + (HEADERS in plain) == application.requests
