"""verify and the networks a token may be used from."""

from __future__ import annotations

import ipaddress

import pytest

from service.core.address import pack
from service.model import Word
from tests.makers import NETBOX, Made, Rig


def network(text: str) -> bytes:
    """*text* as the token's field ``n`` has it: prefix bits, then 16 bytes."""
    parsed = ipaddress.ip_network(text)
    mapped = 96 if parsed.version == 4 else 0
    return bytes([parsed.prefixlen + mapped]) + pack(str(parsed.network_address))


async def token(rig: Rig, *networks: str) -> Made:
    """A token that may be used from *networks* only."""
    return await rig.make(
        policy=NETBOX, fields={b"n": b"".join(network(each) for each in networks)}
    )


@pytest.mark.parametrize(
    ("inside", "networks"),
    [
        ("10.1.3.255", ["10.1.0.0/22"]),
        ("10.1.0.0", ["10.1.0.0/22"]),
        ("192.0.2.255", ["192.0.2.0/24"]),
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("::ffff:192.0.2.7", ["192.0.2.7/32"]),
        ("192.0.2.7", ["::ffff:192.0.2.0/120"]),
        ("8.8.8.8", ["0.0.0.0/0"]),
        ("8.8.8.8", ["::ffff:0:0/96"]),
        ("2001:db8::1", ["::/0"]),
        ("::fffe:808:808", ["::/64"]),
        ("2001:db8:0:1:ffff::", ["2001:db8:0:1::/64"]),
        ("2001:db8::", ["2001:db8::/29"]),
        ("2001:dbf:ffff::1", ["2001:db8::/29"]),
        ("2001:db8::1", ["2001:db8::1/128"]),
        ("128.0.0.1", ["128.0.0.0/1"]),
        ("10.0.0.9", ["192.0.2.0/24", "2001:db8::/64", "10.0.0.8/31"]),
    ],
)
async def test_an_address_in_a_network_passes(rig: Rig, inside: str, networks: list[str]):
    """A use from an address of any of the networks passes, to the bit."""
    made = await token(rig, *networks)

    assert Word.OK == await rig.word(made, address=pack(inside))


@pytest.mark.parametrize(
    ("outside", "networks"),
    [
        ("10.1.4.0", ["10.1.0.0/22"]),
        ("10.0.255.255", ["10.1.0.0/22"]),
        ("192.0.3.0", ["192.0.2.0/24"]),
        ("192.0.2.8", ["192.0.2.7/32"]),
        ("2001:db8::1", ["0.0.0.0/0"]),
        ("8.8.8.8", ["::/0"]),
        ("0.0.0.0", ["::/1"]),
        ("8.8.8.8", ["::/64", "::fffe:0:0/95", "2001:db8::/32"]),
        ("::ffff:8.8.8.8", ["::/0"]),
        ("2001:db8:0:2::", ["2001:db8:0:1::/64"]),
        ("2001:dc0::", ["2001:db8::/29"]),
        ("127.255.255.255", ["128.0.0.0/1"]),
        ("10.0.0.10", ["192.0.2.0/24", "2001:db8::/64", "10.0.0.8/31"]),
    ],
)
async def test_an_address_outside_is_refused(rig: Rig, outside: str, networks: list[str]):
    """A use from outside all of them is refused, to the bit."""
    made = await token(rig, *networks)

    assert Word.NETWORK == await rig.word(made, address=pack(outside))


@pytest.mark.parametrize("networks", [["0.0.0.0/0"], ["::/0"]])
async def test_an_unknown_address_is_in_no_network(rig: Rig, networks: list[str]):
    """Not even in the one that holds every address."""
    made = await token(rig, *networks)

    assert Word.NETWORK == await rig.word(made, address=b"")


async def test_an_empty_list_lets_nobody_in(rig: Rig):
    """A field without a network in it refuses everybody."""
    made = await rig.make(policy=NETBOX)
    await rig.run(b"HSET", made.key, b"n", b"")

    assert Word.NETWORK == await rig.word(made)
