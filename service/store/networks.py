"""Networks as verify compares them: the field ``n`` of a token (``lua/KEYS.md``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from service.model import Network

_MAPPED = bytes(10) + b"\xff\xff"
_MAPPED_BITS = 96
ROW = 17


def pack_networks(networks: Iterable[Network]) -> bytes:
    """17 bytes each: prefix bits and address, IPv4 as mapped IPv6."""
    return b"".join(_pack(network) for network in networks)


def _pack(network: Network) -> bytes:
    packed = network.network_address.packed
    if isinstance(network, IPv4Network):
        return bytes([_MAPPED_BITS + network.prefixlen]) + _MAPPED + packed
    return bytes([network.prefixlen]) + packed


def unpack_networks(raw: bytes) -> tuple[Network, ...]:
    """The opposite of ``pack_networks``."""
    return tuple(_unpack(raw[at : at + ROW]) for at in range(0, len(raw), ROW))


def _unpack(row: bytes) -> Network:
    bits, packed = row[0], row[1:]
    if bits >= _MAPPED_BITS and packed.startswith(_MAPPED):
        address = ipaddress.IPv4Address(packed[len(_MAPPED) :])
        return IPv4Network((address, bits - _MAPPED_BITS))
    return IPv6Network((IPv6Address(packed), bits))
