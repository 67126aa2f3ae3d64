"""Client addresses: one form for every spelling, and the right one of many claims."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.address import HOPS, Trust, claims_of, client_address, pack, prefix, unpack

CLIENT, PROXY, INNER = pack("203.0.113.9"), pack("10.0.0.1"), pack("10.0.0.2")
TRUST = Trust([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")])


@given(st.ip_addresses())
def test_every_address_has_one_form(address):
    """Packed and unpacked, an address is itself; IPv4 is mapped IPv6."""
    packed = pack(str(address))

    assert 16 == len(packed)
    assert ipaddress.ip_address(unpack(packed)) in (address, getattr(address, "ipv4_mapped", None))


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_a_port_is_stripped(address, port: int):
    """With a port, and in brackets, it is the same address."""
    assert pack(str(address)) == pack(f"{address}:{port}")
    assert pack(f"::ffff:{address}") == pack(f"[::ffff:{address}]:{port}") == pack(str(address))


@given(st.text())
def test_any_text_is_an_address_or_none(text: str):
    """Whatever is claimed, the answer is 16 bytes or nothing."""
    assert len(pack(text)) in (0, 16)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1.2.3.4", "::ffff:1.2.3.4"),
        ("1.2.3.4", "::FFFF:0102:0304"),
        ("1.2.3.4", "0:0:0:0:0:ffff:1.2.3.4"),
        ("1.2.3.4", " 1.2.3.4 "),
        ("1.2.3.4", "1.2.3.4:99"),
        ("::1", "[::1]"),
        ("::1", "[::1]:99"),
        ("2001:db8::1", "2001:DB8:0:0::0001"),
    ],
)
def test_spellings_of_one_address_are_equal(text: str, same: str):
    """Mapped, compressed, upper case, with a port: the same host is the same 16 bytes."""
    assert pack(text) == pack(same) != b""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "<script>",
        "localhost",
        "0127.0.0.1",
        "127.0.0.01",
        "2130706433",
        "0x7f.1",
        "127.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4/24",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:٩",
        "1.2.3.4:99:98",
        "١.2.3.4",
        "1.2.3.4, 5.6.7.8",
        "fe80::1%eth0",
        "[fe80::1%25eth0]:80",
        "[::1",
        "::1]",
        "[::1]x",
        "[::1]:",
        "[]",
        "_hidden",
        ":::",
        "1\0.2.3.4",
        "1.2.3.4\0",
        "9" * 10_000,
    ],
)
def test_what_is_no_address_is_unknown(text: str):
    """Zones, leading zeros, numbers, networks and words are no client address."""
    assert b"" == pack(text)


def test_nothing_unpacks_to_a_dash():
    """An unknown address is shown as a dash."""
    assert "-" == unpack(b"") == unpack(b"1234")


def test_the_peer_counts_when_it_is_no_proxy():
    """Whatever a stranger claims, its own address is the client's."""
    assert CLIENT == client_address(CLIENT, ["10.0.0.1", "1.1.1.1"], TRUST)


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        (["203.0.113.9"], CLIENT),
        (["1.1.1.1", "203.0.113.9"], CLIENT),
        (["1.1.1.1", "203.0.113.9", "10.0.0.2"], CLIENT),
        (["unknown", "203.0.113.9", "10.0.0.2"], CLIENT),
        (["203.0.113.9:4711"], CLIENT),
        (["::ffff:203.0.113.9"], CLIENT),
        (["10.0.0.2"], INNER),
        (["10.0.0.2", "10.0.0.3"], INNER),
        (["203.0.113.9", "unknown"], b""),
        (["203.0.113.9", ""], b""),
        (["203.0.113.9", "<script>", "10.0.0.2"], b""),
        (["fe80::1%eth0"], b""),
        ([], b""),
        (["203.0.113.9"] + ["10.0.0.2"] * (HOPS - 1), CLIENT),
        (["203.0.113.9"] + ["10.0.0.2"] * HOPS, b""),
        (["1.1.1.1"] * 300 + ["203.0.113.9"], CLIENT),
    ],
)
def test_claims_are_read_from_the_right(claims: list[str], client: bytes):
    """Past trusted proxies only; what cannot be read on the way makes the client unknown."""
    assert client == client_address(PROXY, claims, TRUST)


@given(st.lists(st.text(max_size=20), max_size=20), st.ip_addresses(v=4))
def test_what_a_client_writes_itself_never_counts(forged: list[str], real):
    """Whatever stands left of the address the trusted proxy appended is ignored."""
    packed = pack(str(real))
    if packed not in TRUST:
        assert packed == client_address(PROXY, [*forged, str(real)], TRUST)


@pytest.mark.parametrize(
    ("header", "values", "claims"),
    [
        ("x-forwarded-for", ["1.1.1.1, 2.2.2.2", "3.3.3.3"], ["1.1.1.1", "2.2.2.2", "3.3.3.3"]),
        ("x-forwarded-for", [], []),
        ("x-forwarded-for", [""], [""]),
        ("x-forwarded-for", ["1.1.1.1,"], ["1.1.1.1", ""]),
        ("forwarded", ['for="[2001:db8::1]:4711"'], ["[2001:db8::1]:4711"]),
        ("forwarded", ["proto=https; For=1.1.1.1;by=x, for=2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        ("forwarded", ["by=1.1.1.1", "for=_hidden"], ["", "_hidden"]),
        ("forwarded", [], []),
        ("forwarded", [""], [""]),
        ("forwarded", ["for=1.1.1.1;"], ["1.1.1.1"]),
        ("forwarded", ["for=1.1.1.1,"], ["1.1.1.1", ""]),
        ("forwarded", ["for=1.1.1.1 ; proto=http , for=2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        ("forwarded", ["for=[2001:db8::1]:80"], ["[2001:db8::1]:80"]),
        ("forwarded", ['for="1.1.1.1:_port"'], ["1.1.1.1"]),
        ("forwarded", ['for="[::1]:_p.0-x"'], ["[::1]"]),
        ("forwarded", ['for="1.1.1\\.1"'], ["1.1.1.1"]),
        ("forwarded", ['host="a,b;for=6.6.6.6";for=1.1.1.1'], ["1.1.1.1"]),
        ("forwarded", ['host="a\\",for=6.6.6.6";for=1.1.1.1'], ["1.1.1.1"]),
        ("forwarded", ["for=1.1.1.1;for=2.2.2.2"], [""]),
        ("forwarded", ["for=1.1.1.1;By=a;by=b"], [""]),
        ("forwarded", ['for="6.6.6.6, for=1.1.1.1'], [""]),
        ("forwarded", ['for="6.6.6.6"x, for=1.1.1.1'], [""]),
        ("forwarded", ["for=", "for=1.1.1.1"], ["", "1.1.1.1"]),
        ("forwarded", ["for = 1.1.1.1"], [""]),
        ("forwarded", ["1.1.1.1"], [""]),
        ("x-client-ip", ["1.1.1.1"], ["1.1.1.1"]),
        ("x-real-ip", ["6.6.6.6", "[::ffff:1.1.1.1]:80"], ["6.6.6.6", "[::ffff:1.1.1.1]:80"]),
    ],
)
def test_headers_are_lists_of_claims(header: str, values: list[str], claims: list[str]):
    """Several lines join in order; Forwarded tells its for."""
    assert claims == claims_of(header, values)


HOST = st.text(st.sampled_from('a,;="\\ f'), max_size=12).map(lambda text: text + ",for=6.6.6.6")


@given(st.lists(st.text(st.sampled_from('for=6.,;"\\ '), max_size=20), max_size=3), HOST)
def test_no_host_and_no_line_of_a_client_makes_a_claim(lines: list[str], host: str):
    """A proxy quotes the host it was sent, and adds a line or more to a client's own."""
    quoted = host.replace("\\", "\\\\").replace('"', '\\"')
    said = f'proto=http;host="{quoted}";for=203.0.113.9'

    assert CLIENT == client_address(PROXY, claims_of("forwarded", [*lines, said]), TRUST)
    for line in lines:
        joined = claims_of("forwarded", [f"{line}, {said}"])
        assert client_address(PROXY, joined, TRUST) in (CLIENT, b"")


def test_a_long_line_is_read_in_no_time():
    """Blanks, quotes and names without end cost no more than their length."""
    for part in (" ", '"', "a", "a=", 'a="', ";", "\\", 'a="\\"'):
        claims = claims_of("forwarded", [part * (16_384 // len(part))])
        assert {""} == set(claims)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("::ffff:10.1.1.1", True),
        ("11.0.0.0", False),
        ("9.255.255.255", False),
        ("2001:db8:ffff::", True),
        ("2001:db9::", False),
        ("::10.0.0.1", False),
    ],
)
def test_trust_reaches_as_far_as_its_networks(address: str, trusted: bool):
    """A proxy is trusted to the bit, mapped or not."""
    assert trusted == (pack(address) in TRUST)


@pytest.mark.parametrize(
    ("address", "network", "trusted"),
    [
        ("192.0.2.7", "::/0", False),
        ("::ffff:192.0.2.7", "::/1", False),
        ("192.0.2.7", "::fffe:0:0/95", False),
        ("192.0.2.7", "::ffff:0:0/96", True),
        ("192.0.2.7", "0.0.0.0/0", True),
        ("2001:db8::7", "0.0.0.0/0", False),
        ("2001:db8::7", "::/0", True),
        ("::192.0.2.7", "::/1", True),
    ],
)
def test_no_network_of_one_family_trusts_the_other(address: str, network: str, trusted: bool):
    """All of IPv6 is not IPv4 as well, though both are kept in one form."""
    assert trusted == (pack(address) in Trust([ipaddress.ip_network(network)]))


def test_nobody_is_trusted_by_default():
    """Without networks no peer's word counts, not even an unknown one's."""
    assert b"" not in Trust([])
    assert PROXY not in Trust([])
    assert b"" not in TRUST


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.200", True),
        ("1.2.3.4", "1.2.4.4", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("1.2.3.4", "::1.2.3.4", False),
    ],
)
def test_a_prefix_is_a_24_or_a_64(one: str, other: str, same: bool):
    """Subnets keep 15 bytes of an IPv4 and 8 of an IPv6 address."""
    assert same == (prefix(pack(one), 15, 8) == prefix(pack(other), 15, 8))
