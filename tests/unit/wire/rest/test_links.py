"""URLs in answers begin as the client reached us, which only trusted proxies may tell."""

from __future__ import annotations

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from service.core.address import Trust
from service.wire.rest.links import absolute, origin

CLIENT, PROXY = "192.0.2.1", "10.0.0.1"
SERVICE: Any = SimpleNamespace(trust=Trust([ip_network("10.0.0.0/8")]))


def request(*headers: tuple[str, str], peer: str | None = CLIENT, **scope: Any) -> Request:
    """A request with *headers* from *peer*."""
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "path": "/api/a b/",
            "server": ("127.0.0.1", 8000),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "client": (peer, 1) if peer else None,
            **scope,
        }
    )


@pytest.mark.parametrize(
    "host", ["netbox", "netbox.example:8080", "127.0.0.1:18033", "[2001:db8::1]:443", "NetBox"]
)
def test_the_host_is_the_one_that_was_asked(host: str):
    """With its port, as it was spelled."""
    assert f"http://{host}" == origin(request(("Host", host)), SERVICE)


@pytest.mark.parametrize("host", ["", "a b", "evil/path", "a@b", 'x"y', "a,b", "[::1", "x:123456"])
def test_a_host_that_is_none_is_not_repeated(host: str):
    """The address that was reached stands in for it."""
    assert "http://127.0.0.1:8000" == origin(request(("Host", host)), SERVICE)
    assert "http://[::1]:80" == origin(request(("Host", host), server=("::1", 80)), SERVICE)
    assert "http://localhost" == origin(request(("Host", host), server=None), SERVICE)


FORWARDED = (
    ("Host", "inner"),
    ("X-Forwarded-Host", "evil, netbox.example"),
    ("X-Forwarded-Proto", "http, HTTPS"),
)


def test_a_trusted_proxy_says_what_was_asked():
    """The last word of each header is its own."""
    assert "https://netbox.example" == origin(request(*FORWARDED, peer=PROXY), SERVICE)


@pytest.mark.parametrize("peer", [CLIENT, None])
def test_nobody_else_does(peer: str | None):
    """Whatever the headers are."""
    assert "http://inner" == origin(request(*FORWARDED, peer=peer), SERVICE)


def test_nonsense_of_a_proxy_is_ignored():
    """Then the request itself is asked."""
    nonsense = (("Host", "inner"), ("X-Forwarded-Host", "a b"), ("X-Forwarded-Proto", "ftp"))

    assert "http://inner" == origin(request(*nonsense, peer=PROXY), SERVICE)


def test_the_prefix_belongs_to_it():
    """So clients below it stay below it."""
    asked = request(("Host", "h"), scheme="https", root_path="/netbox")

    assert "https://h/netbox" == origin(asked, SERVICE)
    assert "https://h/netbox/api/a%20b/" == absolute(asked, SERVICE)
