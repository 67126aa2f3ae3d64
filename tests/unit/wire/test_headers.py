"""No value that we send ends its header, and no redirect leaves the house."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from service.wire.headers import encoded, joined, location, safe


def test_headers_of_one_name_are_read_as_one():
    """They are joined by commas, empty ones left out."""
    raw = [(b"accept", b"a/b"), (b"accept", b""), (b"accept", b"c/d")]

    assert "a/b,c/d" == joined(Headers(raw=raw), "Accept")
    assert "" == joined(Headers(raw=raw), "authorization")


def test_a_line_end_in_a_value_is_encoded():
    """Nobody can add a header by way of a value."""
    assert [(b"location", b"/a%0D%0ASet-Cookie: x=1")] == encoded(
        {"Location": "/a\r\nSet-Cookie: x=1"}
    )


@given(st.text())
def test_a_value_is_printable_ascii(text: str):
    """Whatever a value holds, a header can carry it."""
    assert safe(text).isascii()
    assert safe(text).isprintable()


@pytest.mark.parametrize(
    ("parts", "query", "expected"),
    [
        (("", "/api/v2/me", "/"), b"", "/api/v2/me/"),
        (("/tower", "/api", "/"), b"page=2&x=%20", "/tower/api/?page=2&x=%20"),
        (("", "//evil.example/x", "/"), b"", "/evil.example/x/"),
        (("", "/\\evil.example", "/"), b"", "/evil.example/"),
        (("", "/a b\r\n?#é", "/"), b"", "/a%20b%0D%0A%3F%23%C3%A9/"),
    ],
)
def test_a_location_is_a_path_of_this_host(parts: tuple[str, ...], query: bytes, expected: str):
    """It begins with exactly one slash and is encoded anew."""
    assert expected == location(*parts, query=query)


@given(st.text(), st.binary())
def test_no_path_makes_a_location_of_another_host(path: str, query: bytes):
    """A browser that follows it stays here."""
    to = location("", path, "/", query=query)

    assert to.startswith("/")
    assert not to.startswith(("//", "/\\"))
    assert to.isascii()
    assert to.isprintable()
