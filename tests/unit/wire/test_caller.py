"""An address in a header counts only when a trusted proxy sent it."""

from __future__ import annotations

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from service.config import Config
from service.core.address import Trust, pack
from service.core.secret import agent_digest
from service.wire.caller import Caller, caller_of
from tests.unit.wire.asking import request

CLIENT, PROXY = "192.0.2.1", "10.0.0.1"


def caller(*headers: tuple[str, str], peer: str | None = CLIENT, **server: Any) -> Caller:
    """Who a request with *headers* from *peer* is from; 10.0.0.0/8 are our proxies."""
    service: Any = SimpleNamespace(
        config=Config(server=server), trust=Trust([ip_network("10.0.0.0/8")])
    )
    return caller_of(request(headers=headers, peer=peer), service)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, "203.0.113.9", CLIENT),
        (PROXY, "203.0.113.9", "203.0.113.9"),
        (PROXY, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (PROXY, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("2001:db8::1", None, "2001:db8::1"),
    ],
)
def test_the_address_is_what_trusted_proxies_say(peer: str, forwarded: str | None, address: str):
    """Strangers' headers are ignored, and proxies' are read from the right."""
    headers = [("X-Forwarded-For", forwarded)] if forwarded else []
    seen = caller(*headers, peer=peer)

    assert {pack(address)} == {seen.address, seen.guard_address}


def test_an_address_that_no_proxy_named_is_unknown():
    """It binds nothing; failed logins are counted by the proxy then."""
    seen = caller(peer=PROXY)

    assert (b"", pack(PROXY)) == (seen.address, seen.guard_address)


@pytest.mark.parametrize("said", [[], [("X-Forwarded-For", "unknown")]])
def test_the_proxy_may_stand_for_a_client_that_it_does_not_name(said: list[tuple[str, str]]):
    """When so configured, for logins and uses alike; a client that it names is who it is."""
    seen = caller(*said, peer=PROXY, bind_ip_fallback="peer")
    named = caller(("X-Forwarded-For", CLIENT), peer=PROXY, bind_ip_fallback="peer")

    assert (pack(PROXY), pack(CLIENT)) == (seen.address, named.address)


def test_a_peer_without_an_address_is_unknown():
    """A connection that has no address is from nobody we know."""
    seen = caller(peer=None)

    assert (b"", b"") == (seen.address, seen.guard_address)


def test_another_header_may_name_the_address():
    """The header is the one that is configured."""
    headers = [("Forwarded", 'for="203.0.113.9:1"'), ("X-Forwarded-For", "1.1.1.1")]
    seen = caller(*headers, peer=PROXY, client_ip_header="Forwarded")

    assert pack("203.0.113.9") == seen.address


@pytest.mark.parametrize(
    ("headers", "agent"),
    [
        ([], b""),
        ([("User-Agent", "")], b""),
        ([("User-Agent", "curl/8 \xe9")], b"curl/8 \xe9"),
        ([("User-Agent", "a"), ("User-Agent", "b")], b"b"),
    ],
)
def test_the_agent_is_the_bytes_that_were_sent(headers: list[tuple[str, str]], agent: bytes):
    """None is like an empty one, and of several the last one counts."""
    assert agent_digest(agent) == caller(*headers).agent
