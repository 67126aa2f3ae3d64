"""Whether a request comes with a client certificate that makes its sender ``api_user``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.datastructures import Headers

from service.config.sections import Puppet
from service.core.address import Trust, pack

_PART = re.compile(r'(?:[^\\,+";]|\\.)+', re.DOTALL)
_SUBJECT = re.compile(rf"{_PART.pattern}(?:[,+]{_PART.pattern})*", re.DOTALL)
_ESCAPED = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)


def is_api_user(
    scope: Mapping[str, Any], headers: Headers, puppet: Puppet, *, trust: Trust
) -> bool:
    """Whether a certificate on *puppet*'s allow-list was verified for this request.

    The name comes from the connection (the TLS extension of ASGI: a name is there only when the
    certificate was verified) or, where a header is configured, from peers in *trust* alone; what
    such a peer has shown for itself says nothing of its clients.
    """
    if not puppet.cert_allowlist:
        return False
    name = _name(scope, headers, puppet, trust)
    return bool(name) and not {name, common_name(name)}.isdisjoint(puppet.cert_allowlist)


def _name(scope: Mapping[str, Any], headers: Headers, puppet: Puppet, trust: Trust) -> str:
    client = scope.get("client")
    if puppet.cert_header and client and pack(client[0]) in trust:
        names = headers.getlist(puppet.cert_header)
        return names[0].strip() if len(names) == 1 else ""
    extension = scope.get("extensions", {}).get("tls", {})
    return extension.get("client_cert_name") or ""


def common_name(subject: str) -> str:
    """The one ``CN`` of a *subject* as RFC 4514 writes it; empty when it has none, or several."""
    found = [value for kind, value in _attributes(subject) if kind.strip().upper() == "CN"]
    return _plain(found[0].strip()) if len(found) == 1 else ""


def _attributes(subject: str) -> Iterator[tuple[str, str]]:
    """(type, value as it is written) of everything in *subject*; nothing where it is malformed."""
    if _SUBJECT.fullmatch(subject):
        for part in _PART.finditer(subject):
            kind, equals, value = part[0].partition("=")
            if equals:
                yield kind, value


def _plain(value: str) -> str:
    """*value* without its escapes (RFC 4514 §2.4)."""
    return _ESCAPED.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    return bytes.fromhex(found[0].replace("\\", "")).decode("utf-8", "replace")
