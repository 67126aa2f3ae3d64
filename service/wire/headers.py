"""Header values: reading several as one, and writing none that could end its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from starlette.datastructures import Headers

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def joined(headers: Headers, name: str) -> str:
    """Every value of the header *name* as one, the way CGI and WSGI servers join them."""
    return ",".join(value for value in headers.getlist(name) if value)


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """*headers* as ASGI takes them."""
    return [
        (name.lower().encode("ascii"), safe(value).encode("ascii"))
        for name, value in headers.items()
    ]


def safe(value: str) -> str:
    """*value* with all that is not printable ASCII percent-encoded, line ends first of all."""
    return _UNPRINTABLE.sub(lambda match: quote(match[0], errors="replace"), value)


def location(*parts: str, query: bytes = b"") -> str:
    """A path of this host for ``Location``; never another host, whatever *parts* begin with."""
    path = "/" + "".join(parts).lstrip("/\\")
    return quote(path, safe="/~!$&'()*+,;=:@", errors="replace") + (
        "?" + quote(query, safe="/?~!$&'()*+,;=:@%") if query else ""
    )
