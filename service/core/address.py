"""Client addresses: one 16-byte form, and whom to believe about them. Pure functions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from service.model import ADDRESS_BYTES, Network

HOPS = 16
MAPPED = b"\0" * 10 + b"\xff\xff"

# RFC 7239 §4: pairs of a token and a token or a quoted string, separated by ";" and ",". Addresses
# with colons are taken without quotes too, and blanks around the separators.
_PAIR = re.compile(
    r"[ \t]*+(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)="
    r"(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]++)"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*+)"))?+[ \t]*+(?P<end>[;,]|\Z)'
)
_ESCAPED = re.compile(r"\\(.)")
_HIDDEN_PORT = re.compile(r"(?<=.):_[0-9A-Za-z._-]+$")


@lru_cache(maxsize=4096)
def pack(text: str) -> bytes:
    """*text* as 16 bytes, IPv4 as mapped IPv6; empty when it is no address.

    A port and brackets are stripped; a zone, leading zeros and other spellings are refused.
    """
    host = text.strip()
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not _is_port(port[1:], port[:1])):
            return b""
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(port, ":"):
            return b""
    if "%" in host:
        return b""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b""
    return address.packed if address.version == 6 else MAPPED + address.packed


def _is_port(text: str, colon: str) -> bool:
    return colon == ":" and text.isascii() and text.isdigit() and int(text[:6]) < 65536


def unpack(address: bytes) -> str:
    """*address* for people; ``-`` when unknown."""
    if len(address) != ADDRESS_BYTES:
        return "-"
    if address.startswith(MAPPED):
        return str(ipaddress.IPv4Address(address[12:]))
    return str(ipaddress.IPv6Address(address))


class Trust:
    """The proxies whose word about the client's address counts.

    A network of IPv6 holds no address of IPv4, though each of those is kept as one of IPv6.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._ranges = [_range(network) for network in networks]

    def __contains__(self, address: bytes) -> bool:
        mapped = address.startswith(MAPPED)
        return any(
            low <= address <= high and low.startswith(MAPPED) is mapped
            for low, high in self._ranges
        )


def _range(network: Network) -> tuple[bytes, bytes]:
    low, high = network.network_address.packed, network.broadcast_address.packed
    return (MAPPED + low, MAPPED + high) if network.version == 4 else (low, high)


def client_address(peer: bytes, claims: Sequence[str], trust: Trust) -> bytes:
    """The client's address as 16 bytes; empty when a trusted proxy does not say it usably.

    *claims* are the header's entries, leftmost first. They are walked from the right past
    trusted proxies; an entry that cannot be parsed on the way makes the address unknown.
    """
    if peer not in trust:
        return peer
    for claim in reversed(claims[-HOPS:]):
        address = pack(claim)
        if not address or address not in trust:
            return address
    # Every hop is a trusted one: the first of them is the client.
    return pack(claims[0]) if 0 < len(claims) <= HOPS else b""


def claims_of(header: str, values: Sequence[str]) -> list[str]:
    """The entries that *values* of the header *header* name, leftmost first.

    ``forwarded`` is read as RFC 7239 has it; anything else as a comma-separated list.
    """
    if header == "forwarded":
        return [claim for value in values for claim in _forwarded(value)]
    return [entry.strip() for value in values for entry in value.split(",")]


def _forwarded(value: str) -> list[str]:
    """Who each element of a ``Forwarded`` line (RFC 7239 §4) is for; "" where that is not said.

    A line that is not well-formed says nothing at all: in quotes that do not match, what a client
    wrote and what a proxy added cannot be told apart.
    """
    claims, at, seen = [""], 0, set[str]()
    while at < len(value):
        found = _PAIR.match(value, at)
        name = (found["name"] or "").lower() if found else ""
        if found is None or name in seen:
            return [""]
        if name == "for":
            claims[-1] = _node(found["quoted"] or found["token"] or "")
        if name:
            seen.add(name)
        at = found.end()
        if found["end"] == ",":
            claims.append("")
            seen.clear()
    return claims


def _node(text: str) -> str:
    """The address of a node (RFC 7239 §6), without a port that is hidden behind a word."""
    return _HIDDEN_PORT.sub("", _ESCAPED.sub(r"\1", text))


def prefix(address: bytes, v4: int, v6: int) -> bytes:
    """The part of *address* a token is bound to: *v4* or *v6* of its 16 bytes."""
    return address[: v4 if address.startswith(MAPPED) else v6]
