"""What the URLs in answers begin with: scheme, host and prefix as the client knows them."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request

from service.core.address import pack
from service.wire.dialect import Service

_HOST = re.compile(r"(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII | re.I)
_SCHEMES = ("http", "https")


def origin(request: Request, service: Service) -> str:
    """``https://host:port/prefix`` of *request*, without a slash at its end.

    What proxies say of scheme and host counts only when the peer is a trusted one, and then the
    last word of each header. A Host that is none is replaced by the address that was reached.
    """
    scope = request.scope
    scheme: str = scope.get("scheme", "http")
    hosts = [request.headers.get("host", "")]
    if request.client is not None and pack(request.client.host) in service.trust:
        scheme = _forwarded(request, "x-forwarded-proto").lower() or scheme
        hosts.insert(0, _forwarded(request, "x-forwarded-host"))
    host = next((host for host in hosts if _HOST.fullmatch(host)), None) or _reached(request)
    if scheme not in _SCHEMES:
        scheme = _SCHEMES[0]
    return f"{scheme}://{host}{quote(scope.get('root_path', ''))}"


def absolute(request: Request, service: Service) -> str:
    """The URL of *request* itself, without its query."""
    return origin(request, service) + quote(request.scope["path"])


def _forwarded(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


def _reached(request: Request) -> str:
    server = request.scope.get("server")
    if not server or not server[0]:
        return "localhost"
    host, port = server
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}" if port else name
