"""Reads the head of a plain gate request without the HTTP parser. Pure, and strict.

Gateways send the same lines over and over: what a line means is worked out once and looked up from
then on, unless it may hold a secret. Whatever is not plainly right, wants more than an
answer, or says anything twice, is left to the parser and to those who know what to make of it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from service.gate.question import FIT, SCHEMES, Header, Mount, Questions, mount_of

KEPT = 2048
"""Lines kept at most; when there are more, all are forgotten."""
LONGEST = 512
"""Bytes of the longest line that is kept."""

# RFC 9110 §5.6.2 and §5.5: a token, a colon, and a value of visible characters, blanks and such.
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_REQUEST = re.compile(rb"([A-Z]+) (/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*) HTTP/1\.1")
# With one of these a request has a body, or is about the connection: not plain.
_NOT_PLAIN = frozenset(
    (
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"connection",
        b"proxy-connection",
    )
)
# Lines that come again and hold no secret; those of other names are read anew each time.
_COMMON = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"dnt",
        b"host",
        b"origin",
        b"pragma",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"via",
        b"x-envoy-expected-rq-timeout-ms",
        b"x-envoy-internal",
        b"x-forwarded-host",
        b"x-forwarded-method",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-original-method",
    )
)
_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"))


Request = tuple[Mount, bytes, bytes]
"""Mount, method and query of a request line."""


class Head(NamedTuple):
    """A plain request: *headers* are those that the gate reads, *fields* the dict of them.

    *common* when nothing but one ``Authorization`` header can hold a secret.
    """

    mount: Mount
    method: bytes
    query: bytes
    headers: list[Header]
    fields: dict[bytes, bytes]
    common: bool


_NEW: Final = (b"", b"")
_AUTHORIZATION = b"Authorization: "


class _Unfit(Exception):
    """A line that makes its request one for the parser."""


class Scanner:
    """Remembers lines; one for all connections of a process."""

    def __init__(self, questions: Questions, header_count: int) -> None:
        self._wanted = questions.wanted
        self._kept = _COMMON | questions.wanted - questions.credentials
        self._count = header_count
        self._lines: dict[bytes, Header | None] = {}
        self._requests: dict[bytes, Request] = {}

    def scan(self, data: bytes) -> Head | None:
        """The one request that *data* is, whole; None when it is anything else."""
        lines = data.split(b"\r\n")
        # The head, an empty line, and nothing behind it.
        if not 3 < len(lines) <= self._count + 3 or lines.pop() or lines.pop() or b"" in lines:
            return None
        try:
            request = self._requests.get(lines[0]) or self._request(lines[0])
            headers, common = self._headers(lines)
        except _Unfit:
            return None
        fields = dict(headers)
        # Every HTTP/1.1 request names its host, once; and nothing may contradict itself.
        if b"host" not in fields or len(fields) != len(headers):
            return None
        return Head(*request, headers, fields, common and lines[0] in self._requests)

    def _headers(self, lines: list[bytes]) -> tuple[list[Header], bool]:
        headers: list[Header] = []
        known, common = self._lines.get, True
        for i in range(1, len(lines)):
            line = lines[i]
            header = known(line, _NEW)
            if header is _NEW:
                header = self._credential(line)
                if header is None:
                    header = self._header(line)
                    common = common and line in self._lines
            if header is not None:
                headers.append(header)
        return headers, common

    @staticmethod
    def _credential(line: bytes) -> Header | None:
        """An ``Authorization`` line as nearly everybody spells it, None for any other."""
        if line[:15] == _AUTHORIZATION:
            scheme, _, text = line[15:].partition(b" ")
            if scheme.lower() in SCHEMES and text and not text.translate(None, FIT):
                return b"authorization", line[15:]
        return None

    def _request(self, line: bytes) -> Request:
        found = _REQUEST.fullmatch(line)
        if found is None or found[1] not in _METHODS:
            raise _Unfit
        path, _, query = found[2].partition(b"?")
        mount = mount_of(path)
        if mount is None:
            raise _Unfit
        if len(line) <= LONGEST and not query:
            if len(self._requests) >= KEPT:
                self._requests.clear()
            self._requests[line] = mount, found[1], query
        return mount, found[1], query

    def _header(self, line: bytes) -> Header | None:
        """What *line* says: None for a header that the gate does not read."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise _Unfit
        name, value = found[1].lower(), found[2]
        if value[-1:].isspace() or (name in _NOT_PLAIN and not _stays_open(name, value)):
            raise _Unfit
        header = (name, value) if name == b"host" or name in self._wanted else None
        if len(line) <= LONGEST and name in self._kept:
            if len(self._lines) >= KEPT:
                self._lines.clear()
            self._lines[line] = header
        return header


def _stays_open(name: bytes, value: bytes) -> bool:
    """The one thing about the connection that many clients say and that changes nothing."""
    return name == b"connection" and value.lower() == b"keep-alive"
