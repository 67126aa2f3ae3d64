"""Bytes as no decent client would send them, and answers read without any mercy."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 5.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9a-z-]+): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
JSON = b"Content-Type: application/json"
FORM = b"Content-Type: application/x-www-form-urlencoded"
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: 2"
MIB = 1 << 20
HOST = b"Host: a"
SECRET = "s3cret-Marker"
"""The password of every bad request: no answer may have it."""


class Malformed(Exception):
    """What came back is no HTTP."""


@dataclass(frozen=True)
class Answer:
    """One answer, its header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body; ValueError when it is no JSON."""
        return json.loads(self.body)


def request(method: str, path: str | bytes, *headers: bytes, body: bytes | None = None) -> bytes:
    """A request whose *headers* are lines; a *body* brings its Content-Length along.

    The server is asked to close, so that there is an end to read to.
    """
    raw_path = path.encode() if isinstance(path, str) else path
    length = () if body is None else (b"Content-Length: %d" % len(body),)
    own = (b"Host: tower.test", b"User-Agent: raw/1", b"Connection: close")
    lines = (b"%b %b HTTP/1.1" % (method.encode(), raw_path), *own, *headers, *length)
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def talk(url: str, data: bytes, patience_s: float = PATIENCE_S) -> bytes:
    """Send *data* and give all that comes back until the server closes.

    A server that still waits for more after *patience_s* is told that there is no more.
    """
    target = urlsplit(url)
    with socket.create_connection((target.hostname, target.port), timeout=10) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        sock.settimeout(patience_s)
        raw = _read(sock)
        if raw is not None:
            return raw
        sock.settimeout(10)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        raw = _read(sock)
        if raw is None:
            raise Malformed("neither an answer nor an end")
        return raw


def _read(sock: socket.socket) -> bytes | None:
    """Everything until the end; None when nothing at all came in time."""
    raw = b""
    try:
        while part := sock.recv(65536):
            raw += part
    except ConnectionResetError:
        return raw
    except TimeoutError:
        return raw or None
    return raw


def ask(url: str, data: bytes) -> Answer:
    """The one answer to *data*. Malformed when there are more or fewer."""
    found = parse(talk(url, data))
    if len(found) != 1:
        raise Malformed(f"{len(found)} answers")
    return found[0]


def parse(raw: bytes) -> list[Answer]:
    """Every final answer in *raw*, which must hold whole answers and nothing else. Malformed."""
    found = []
    while raw:
        head, end, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        status = STATUS_LINE.fullmatch(first)
        headers = [HEADER.fullmatch(line) for line in lines]
        if not end or not status or None in headers:
            raise Malformed(repr(head[:500]))
        fields = {each[1].decode(): (each[2] or b"").decode() for each in headers if each}
        if len(fields) != len(headers):
            raise Malformed(f"a header twice: {head[:500]!r}")
        size = int(fields.get("content-length", "0"))
        if len(raw) < size:
            raise Malformed(f"{size - len(raw)} bytes are missing")
        if not status[1].startswith(b"1"):
            found.append(Answer(int(status[1]), fields, raw[:size]))
        raw = raw[size:]
    return found


def fault(answer: Answer, *wanted: int) -> str:
    """What is wrong with *answer* as a refusal of Tower's with a *wanted* status, if anything."""
    if answer.status not in wanted:
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.headers.get("content-type") != "application/json":
        return f"content type {answer.headers.get('content-type')}"
    if not in_shape(answer.json()):
        return f"shape {answer.body[:200]!r}"
    leaks = [word for word in (SECRET, "Traceback", ".py") if word.encode() in answer.body]
    return f"tells {leaks}" if leaks else ""


def in_shape(body: Any) -> bool:
    """An object with ``detail`` alone, or of fields with their errors."""
    if not isinstance(body, dict) or not body:
        return False
    if list(body) == ["detail"]:
        return isinstance(body["detail"], str)
    return set(body) <= {"username", "password", "__all__"} and all(
        isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)
        for texts in body.values()
    )


def login_body(username: str, password: str) -> bytes:
    """A login whose two values are JSON as they stand."""
    return b'{"username": %b, "password": %b}' % (username.encode(), password.encode())


GOOD = login_body('"alice"', json.dumps(SECRET))
GOOD_FORM = b"username=alice&password=" + SECRET.encode()
"""Good in form: whoever takes it by mistake counts a wrong guess, which is seen in the store."""

BODIES: dict[str, tuple[int, bytes, bytes | None]] = {
    "no body": (400, JSON, None),
    "empty body": (400, JSON, b""),
    "not JSON": (400, JSON, f"username=alice&password={SECRET}".encode()),
    "half of JSON": (400, JSON, GOOD[:-3]),
    "two values": (400, JSON, GOOD + GOOD),
    "single quotes": (400, JSON, GOOD.replace(b'"', b"'")),
    "list": (400, JSON, b"[" + GOOD + b"]"),
    "string": (400, JSON, json.dumps(SECRET).encode()),
    "number": (400, JSON, b"12345"),
    "true": (400, JSON, b"true"),
    "null": (400, JSON, b"null"),
    "NaN": (400, JSON, login_body('"alice"', "NaN")),
    "lists for strings": (400, JSON, login_body('["alice"]', f'["{SECRET}"]')),
    "objects for strings": (400, JSON, login_body("{}", f'{{"a": "{SECRET}"}}')),
    "truths for strings": (400, JSON, login_body("true", "false")),
    "nulls": (400, JSON, login_body("null", "null")),
    "blanks": (400, JSON, login_body('" \\t\\u3000"', '"  "')),
    "other fields only": (400, JSON, b'{"user": "alice", "pass": "%b"}' % SECRET.encode()),
    "10 MB": (413, JSON, b"a" * 10 * MIB),
    "64 KiB and a byte": (413, JSON, b" " * (64 * 1024 + 1)),
    "broken UTF-8": (400, JSON, GOOD.replace(b"alice", b"al\xffice")),
    "surrogates in UTF-8": (400, JSON, GOOD.replace(b"alice", b"\xed\xa0\x80")),
    "overlong UTF-8": (400, JSON, GOOD.replace(b"alice", b"\xc0\x80")),
    "UTF-16": (400, JSON, GOOD.decode().encode("utf-16")),
    "byte order mark": (400, JSON, b"\xef\xbb\xbf" + GOOD),
    "raw NUL": (400, JSON, GOOD.replace(b"alice", b"al\0ice")),
    "10,000 open brackets": (400, JSON, b"[" * 10_000),
    "10,000 nested lists": (400, JSON, b"[" * 10_000 + b"]" * 10_000),
    "10,000 nested objects": (400, JSON, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "100,000 digits": (413, JSON, login_body('"alice"', "9" * 100_000)),
    "gzip": (415, JSON + b"\r\nContent-Encoding: gzip", b"\x1f\x8b\x08" + bytes(100)),
    "gzip in name only": (415, JSON + b"\r\nContent-Encoding: gzip", GOOD),
    "other media type": (415, b"Content-Type: application/xml", GOOD),
    "multipart": (415, b"Content-Type: multipart/form-data; boundary=x", GOOD_FORM),
    "odd media type": (415, b'Content-Type: "; \xff<script>, application/json', GOOD),
    "two media types": (415, JSON + b"\r\nContent-Type: text/plain", GOOD),
    "no media type": (415, b"X: y", GOOD),
    "broken form": (400, FORM, b"username=%ff&password=" + SECRET.encode()),
    "form of nothing": (400, FORM, b"&&&=&%"),
    "form without values": (400, FORM, b"username&password"),
    "form of 5,000 fields": (400, FORM, GOOD_FORM + b"&a=b" * 5_000),
    "form of 100,000 fields": (413, FORM, GOOD_FORM + b"&a=b" * 100_000),
}
"""Each bad body with its header and the status it gets where bodies are read."""


def head(path: str, *lines: bytes, rest: bytes = b"{}", version: str = "1.1") -> bytes:
    """A POST whose header is exactly *lines*."""
    first = f"POST {path} HTTP/{version}".encode()
    return b"\r\n".join((first, JSON, *lines)) + b"\r\n\r\n" + rest


CHUNK = b"2\r\n{}\r\n0\r\n\r\n"
HEADS: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "100 kB header": (431, lambda path: head(path, HOST, b"X: " + b"a" * 100_000)),
    "endless header": (431, lambda path: head(path, HOST, b"X: " + b"a" * 100_000)[:-20]),
    "200 headers": (431, lambda path: head(path, HOST, *[b"X: y"] * 200)),
    "70 kB query": (431, lambda path: head(f"{path}?{'a' * 70_000}", HOST)),
    "negative length": (400, lambda path: head(path, HOST, b"Content-Length: -1")),
    "length in letters": (400, lambda path: head(path, HOST, b"Content-Length: two")),
    "length with a sign": (400, lambda path: head(path, HOST, b"Content-Length: +2")),
    "length of 20 digits": (400, lambda path: head(path, HOST, b"Content-Length: " + b"9" * 20)),
    "length of 19 digits": (413, lambda path: head(path, HOST, b"Content-Length: " + b"9" * 19)),
    "two lengths": (400, lambda path: head(path, HOST, LENGTH, b"Content-Length: 3")),
    "listed lengths": (400, lambda path: head(path, HOST, b"Content-Length: 2, 2")),
    "length and chunks": (400, lambda path: head(path, HOST, LENGTH, CHUNKED, rest=CHUNK)),
    "chunks and length": (400, lambda path: head(path, HOST, CHUNKED, LENGTH, rest=CHUNK)),
    "odd coding": (400, lambda path: head(path, HOST, b"Transfer-Encoding: xchunked", rest=CHUNK)),
    "no Host": (400, head),
    "two Hosts": (400, lambda path: head(path, HOST, b"Host: b")),
    "folded header": (400, lambda path: head(path, HOST, b"X: a\r\n b")),
    "NUL in a header": (400, lambda path: head(path, HOST, b"X: a\0b")),
    "CR in a header": (400, lambda path: head(path, HOST, b"X: a\rb")),
    "blank before the colon": (400, lambda path: head(path, HOST, b"X : a")),
    "header without a name": (400, lambda path: head(path, HOST, b": a")),
    "bare line feeds": (400, lambda path: head(path, HOST).replace(b"\r", b"")),
    "blank in the path": (400, lambda path: head(f"{path} x", HOST)),
    "HTTP/0.9": (400, lambda path: f"GET {path}\r\n\r\n".encode()),
    "HTTP/1.2": (400, lambda path: head(path, HOST, version="1.2")),
    "HTTP/2.0": (400, lambda path: head(path, HOST, version="2.0")),
}
"""Each broken head, made for a path, with its status."""

CHUNKS: dict[str, tuple[int, bytes]] = {
    "broken size": (400, b"zz\r\n{}\r\n0\r\n\r\n"),
    "negative size": (400, b"-2\r\n{}\r\n0\r\n\r\n"),
    "size of 20 digits": (400, b"f" * 20 + b"\r\n{}"),
    "data beyond the size": (400, b"2\r\n{}{}\r\n0\r\n\r\n"),
    "10 MB at once": (413, b"A00000\r\n" + b"a" * 10 * MIB + b"\r\n0\r\n\r\n"),
    "10 MB in small ones": (413, (b"400\r\n" + b"a" * 1024 + b"\r\n") * 10 * 1024),
    "1 MB of remarks": (413, b"1;" + b"a" * MIB + b"\r\n"),
}
"""Each broken body in chunks with its status."""

ODD_PATHS = {
    "/api/v2/authtoken%00/": 404,
    "/api/v2/users/%00/": 404,
    "/api/v2/users/99999999999999999999/": 404,
    "/api/v2/users/-1/": 404,
    "/api/v2/users/%D9%A1/": 404,
    "/api/v2/%2e%2e/v1/authtoken/": 404,
    "/api/v2/../v1/authtoken/": 404,
    "/tower/../api/v2/me/": 404,
    "//api/v2/authtoken/": 404,
    "//evil.test/api/v2/authtoken/": 404,
    "/api//v2/authtoken/": 404,
    "/api/v2/authtoken//": 404,
    "/api/v2/%ff%fe/": 404,
    "/api/v2/%0d%0aSet-Cookie:%20a=b/": 404,
    "/api/v2/" + "a/" * 5_000: 404,
    "/api/v2/" + "a" * 70_000: 431,
    "http://evil.test/api/v2/authtoken/": 400,
    "http://evil.test/api/v2/me/": 401,
    "/api/v2/authtoken/?%ff=%zz&format=json": 400,
    "/api/v2/authtoken/?format=%00": 404,
    "/tower": 404,
    "/apiary/v2/authtoken/": 404,
    "*": 404,
}
"""Each odd path with the status that a POST without a body gets there."""


def basic(raw: bytes) -> bytes:
    """HTTP Basic with *raw* for name, colon and password."""
    return b"Authorization: Basic " + base64.b64encode(raw)


CREDENTIALS = {
    "token without text": b"Authorization: Token",
    "token of two words": b"Authorization: Token a b",
    "token of bytes": b"Authorization: Token \xff\xfe\x80",
    "token of 10,000 characters": b"Authorization: Token " + b"a" * 10_000,
    "two tokens": b"Authorization: Token a\r\nAuthorization: Token b",
    "token of the page": b"X-Auth-Token: Token \xff",
    "token in a cookie": b"Cookie: token=%22%00%ff%zz%22",
    "broken cookie": b'Cookie: token="\xff; token=; =; ;;',
    "basic without text": b"Authorization: Basic",
    "basic of no base64": b"Authorization: Basic \xff!",
    "basic without colon": basic(b"alice"),
    "basic of nothing": basic(b""),
    "basic of bytes": basic(b"al\xffice:" + SECRET.encode()),
    "basic with NUL": basic(b"al\0ice:\0"),
    "other scheme": b"Authorization: Bearer " + SECRET.encode(),
}
"""Each header that proves nothing."""
