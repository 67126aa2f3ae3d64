"""What is read past the parser, what is left to it, and what is remembered."""

from __future__ import annotations

import ipaddress

import pytest

from service.core.address import Trust
from service.gate.question import EXT, NGINX, Asking, Questions
from service.gate.scan import KEPT, Scanner

ASKING = Asking(trust=Trust([ipaddress.ip_network("10.0.0.0/8")]), ip_header="x-real-ip")
HEAD = b"GET /authz/ext/a HTTP/1.1\r\nHost: a\r\nAuthorization: Token abc\r\n"


@pytest.fixture
def scanner() -> Scanner:
    """One that has seen nothing yet."""
    return Scanner(Questions(ASKING), 100)


def test_a_plain_request_is_read(scanner: Scanner) -> None:
    """Request line and the headers that the gate looks at; others are passed over."""
    data = HEAD + b"Accept: */*\r\nX-Real-IP:1.2.3.4\r\nCONNECTION: Keep-Alive\r\n\r\n"
    headers = [(b"host", b"a"), (b"authorization", b"Token abc"), (b"x-real-ip", b"1.2.3.4")]

    for _ in range(2):  # the second time out of memory
        assert (EXT, b"GET", b"", headers, dict(headers), True) == scanner.scan(data)


def test_the_query_is_taken_off_the_path(scanner: Scanner) -> None:
    """Whoever is configured to look for a token there gets it."""
    found = scanner.scan(b"POST /authz/nginx?token=x HTTP/1.1\r\nHost: a\r\n\r\n")

    assert found is not None
    assert (NGINX, b"POST", b"token=x") == found[:3]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\r\n" + HEAD + b"\r\n",
        HEAD + b"\r\nbody",
        HEAD + b"Host: b\r\n\r\n",
        HEAD + b"Authorization: Token abc\r\n\r\n",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Expect: 100-continue\r\n\r\n",
        HEAD + b"Upgrade: h2c\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"Proxy-Connection: keep-alive\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"No colon\r\n\r\n",
        HEAD + b"Blank : x\r\n\r\n",
        HEAD + b"Trailing: x \r\n\r\n",
        HEAD + b"Bare: a\nb\r\n\r\n",
        HEAD + b"Bare: a\rb\r\n\r\n",
        HEAD + b"Nul: a\0b\r\n\r\n",
        b"GET /authz/ext HTTP/1.1\r\n\r\n",
        b"GET /authz/ext HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET /authz/ext\r\nHost: a\r\n\r\n",
        b"BREW /authz/ext HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /authz/ext#x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/authz/ext HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v2/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /authz/ext HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n",
    ],
)
def test_whatever_is_not_plain_is_left_to_the_parser(scanner: Scanner, data: bytes) -> None:
    """Also when it comes again."""
    assert (None, None) == (scanner.scan(data), scanner.scan(data))


def test_what_may_hold_a_secret_is_not_remembered(scanner: Scanner) -> None:
    """Credentials of ours and of others, wherever they stand."""
    secrets = [
        b"Authorization: Token s3cret",
        b"authorization:  Bearer s3cret",
        b"X-Auth-Token: s3cret",
        b"X-Authentication: s3cret",
        b"Cookie: token=s3cret",
        b"Proxy-Authorization: Basic s3cret",
        b"X-Api-Key: s3cret",
        b"X-Anything: s3cret",
    ]
    for line in secrets:
        scanner.scan(b"GET /authz/ext HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")
    scanner.scan(b"GET /authz/ext?token=s3cret HTTP/1.1\r\nHost: a\r\n\r\n")

    remembered = repr(vars(scanner))
    assert "Host: a" in remembered
    assert "s3cret" not in remembered


def test_what_is_remembered_is_bounded(scanner: Scanner) -> None:
    """Thousands of agents and paths do not fill the memory."""
    for number in range(KEPT + 10):
        line = b"GET /authz/ext/%d HTTP/1.1\r\nHost: a\r\nUser-Agent: a/%d\r\n\r\n"
        assert scanner.scan(line % (number, number)) is not None

    assert max(len(kept) for kept in vars(scanner).values() if isinstance(kept, dict)) <= KEPT
