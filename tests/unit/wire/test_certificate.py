"""The client certificate of a request: from TLS, or from a proxy that may be believed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from service.core.address import Trust
from service.tls import distinguished_name
from service.wire.certificate import common_name, names_of

TRUST = Trust([ip_network("10.0.0.0/8")])
HEADER = "x-client-dn"


def scope(peer: str, *headers: tuple[bytes, bytes], shown: str | None = None) -> dict[str, Any]:
    """A request from *peer*, over TLS with the subject *shown* when there is one."""
    extensions = {"tls": {"client_cert_name": shown}} if shown is not None else {}
    return {
        "type": "http",
        "client": (peer, 1),
        "headers": list(headers),
        "extensions": extensions,
    }


def said(*values: bytes) -> list[tuple[bytes, bytes]]:
    """Headers as a proxy sets them."""
    return [(HEADER.encode(), value) for value in values]


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=console.example.org", "console.example.org"),
        ("CN=a,OU=b,O=c", "a"),
        ("O=c, OU=b, CN=a", "a"),
        ("OU=b+CN=a", "a"),
        ("cn=a", "a"),
        ("2.5.4.3=a", "a"),
        ("commonName = a , O = b", "a"),
        ("CN=a;O=b", ""),
        (r"CN=a\,CN\=b", "a,CN=b"),
        (r"CN=a\2CCN=b", "a,CN=b"),
        (r"O=a\,CN=evil,CN=b", "b"),
        (r'CN="a,b"', "a,b"),
        (r"CN=\C3\A9", "é"),
        ("CN=é", "é"),
        (r"CN=\ a\ ", " a "),
        (r"CN=a\\ ", "a\\"),
        (r"CN=\#a", "#a"),
        ("O=a", ""),
        ("CN=a,CN=b", ""),
        ("CN=a+CN=a", ""),
        ("CN=", ""),
        ("CN=a,", ""),
        ("CN=a,b", ""),
        ("CN=a\\", ""),
        ('CN="a', ""),
        ("CN=#0c0161", ""),
        (r"CN=\FF", ""),
        ("CN=a<b", ""),
        ("/O=b/CN=a", ""),
        ("/CN=a", ""),
        ("", ""),
    ],
)
def test_the_name_is_the_one_common_name_of_a_subject(subject: str, name: str) -> None:
    """A text that is not clear names nobody."""
    assert name == common_name(subject)


PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
KINDS = {
    "commonName": NameOID.COMMON_NAME,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationalUnitName": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
PAIRS = st.tuples(st.sampled_from(sorted(KINDS)), PRINTED)
SUBJECTS = st.lists(st.lists(PAIRS, min_size=1, max_size=2), min_size=1, max_size=4)


@given(subject=SUBJECTS)
def test_what_tls_writes_is_read_as_it_was_meant(subject: list[list[tuple[str, str]]]) -> None:
    """No value, whatever is in it, can pass for another attribute."""
    names = [value for part in subject for kind, value in part if kind == "commonName"]
    expected = names[0] if len(names) == 1 else ""

    assert expected == common_name(distinguished_name(subject))


@given(values=st.lists(PRINTED, min_size=1, max_size=3))
def test_what_another_library_writes_is_read_as_it_was_meant(values: list[str]) -> None:
    """The text of cryptography, which follows the same standard."""
    name, *others = values
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, other) for other in others]

    assert name == common_name(x509.Name(attributes).rfc4514_string())


@given(text=st.text())
def test_no_text_is_an_error(text: str) -> None:
    """Whoever writes nonsense is nobody."""
    assert isinstance(common_name(text), str)


def test_the_certificate_on_the_connection_counts() -> None:
    """As the server puts it into the extension."""
    request = scope("192.0.2.1", shown="CN=a,O=b")

    assert {"a", "CN=a,O=b"} == names_of(request, header="", trust=TRUST)
    assert {"a", "CN=a,O=b"} == names_of(request, header=HEADER, trust=TRUST)


def test_without_certificate_there_is_no_name() -> None:
    """Plain HTTP, TLS without a certificate, and a certificate without a subject."""
    bare = {"type": "http", "client": ("192.0.2.1", 1), "headers": []}
    without = scope("192.0.2.1") | {"extensions": {"tls": {"client_cert_name": None}}}
    blank = scope("192.0.2.1", shown="")

    assert [frozenset()] * 3 == [
        names_of(each, header="", trust=TRUST) for each in (bare, without, blank)
    ]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"CN=a,O=b", {"a", "CN=a,O=b"}),
        (b" a ", {"a"}),
        (b"CN=\xc3\xa9", {"é", "CN=é"}),
        (b"/O=b/CN=a", {"/O=b/CN=a"}),
        (b"", set()),
        (b"\xff", set()),
    ],
)
def test_a_trusted_proxy_tells_subject_or_name(value: bytes, names: set[str]) -> None:
    """In the header that is configured, however it is spelled, and in no other."""
    request = scope("10.0.0.1", *said(value), (b"x-other", b"CN=other"))

    assert names == names_of(request, header="X-Client-DN", trust=TRUST)


def test_nobody_else_is_believed() -> None:
    """A client that sends the header himself is who his own certificate says, if any."""
    stranger = scope("192.0.2.1", *said(b"CN=api"))
    other = scope("192.0.2.1", *said(b"CN=api"), shown="CN=a")
    local = scope("192.0.2.1", *said(b"CN=api")) | {"client": None}

    assert [set(), {"a", "CN=a"}, set()] == [
        names_of(each, header=HEADER, trust=TRUST) for each in (stranger, other, local)
    ]


def test_a_header_that_is_not_configured_says_nothing() -> None:
    """Not even from a proxy."""
    request = scope("10.0.0.1", *said(b"CN=api"))

    assert set() == names_of(request, header="", trust=TRUST)


def test_a_proxy_that_tells_two_subjects_tells_none() -> None:
    """One of them may be the client's own invention."""
    request = scope("10.0.0.1", *said(b"CN=a", b"CN=a"))

    assert set() == names_of(request, header=HEADER, trust=TRUST)


def test_the_proxys_own_certificate_is_never_its_clients() -> None:
    """Where a proxy is asked, its silence means that there was no certificate."""
    request = scope("10.0.0.1", shown="CN=proxy")

    assert set() == names_of(request, header=HEADER, trust=TRUST)
