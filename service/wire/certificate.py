"""Which client certificate stands behind a request: TLS says so, or a trusted proxy. Pure.

A certificate goes by its whole subject as it is told, and by the common name in it, where there is
exactly one and the subject can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from service.core.address import Trust, pack

# One attribute of a subject (RFC 4514 §3): a type, and its value up to what ends it. An escaped
# character is two or three long; a value in quotes is how RFC 1779 wrote it.
_ATTRIBUTE = re.compile(
    r"""[ ]*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)[ ]*=[ ]*"""
    r"""("(?:[^"\\]|\\.)*"|(?:[^"\\,+;<>]|\\.)*)[ ]*([,+]|\Z)""",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_COMMON_NAME = frozenset(("cn", "commonname", "2.5.4.3"))


def names_of(scope: Mapping[str, Any], *, header: str, trust: Trust) -> frozenset[str]:
    """What the certificate goes by that the client of *scope* has proved to hold; empty without.

    *header* is where a proxy of *trust* tells the subject, or a common name alone; empty means
    that no proxy is asked. From such a proxy only the header counts: the certificate on the
    connection is then the proxy's own.
    """
    client = scope.get("client")
    if header and client and pack(client[0]) in trust:
        told = _from_header(scope, header.lower().encode("latin-1"))
    else:
        told = scope.get("extensions", {}).get("tls", {}).get("client_cert_name") or ""
    return frozenset((told, common_name(told))) - {""}


def common_name(subject: str) -> str:
    """The one common name in *subject*, a text as RFC 4514 has it; empty for any other number."""
    try:
        found = [_plain(value) for kind, value in _attributes(subject) if kind in _COMMON_NAME]
    except ValueError:
        return ""
    return found[0] if len(found) == 1 else ""


def _from_header(scope: Mapping[str, Any], header: bytes) -> str:
    values = [value for name, value in scope["headers"] if name == header]
    try:
        return values[0].decode().strip(" \t") if len(values) == 1 else ""
    except UnicodeDecodeError:
        return ""


def _attributes(subject: str) -> Iterator[tuple[str, str]]:
    """Each type, in lower case, with its value as written. ValueError unless all can be read."""
    at, more = 0, True
    while more:
        found = _ATTRIBUTE.match(subject, at)
        if found is None:
            raise ValueError(f"no attribute at {at}")
        yield found[1].lower(), found[2]
        at, more = found.end(), found[3] != ""


def _plain(written: str) -> str:
    """The value that *written* stands for. ValueError when it is not UTF-8, or is in hex."""
    if written.startswith("#"):
        raise ValueError("a value in hex is none that people compare")
    bare = written[1:-1] if written.startswith('"') else _without_blanks(written)
    return _ESCAPED.sub(_unescaped, bare.encode()).decode()


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if len(escape[1]) == 2 else escape[1]


def _without_blanks(written: str) -> str:
    """*written* without the blanks around it; an escaped one at its end is part of the value."""
    bare = written.rstrip(" ")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    return bare + " " if escaped and len(bare) < len(written) else bare
