"""Bodies are bounded and either become data or a clear complaint, never anything else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from service.wire.body import BadBody, media_type, parse_form, parse_json, read
from service.wire.json import Number
from tests.unit.wire.asking import request


async def test_a_body_in_pieces_is_read_whole():
    """The chunks are put together, up to and including the last byte allowed."""
    assert b"abcd" == await read(request(b"ab", b"", b"cd"), 4)


@pytest.mark.parametrize(
    ("chunks", "headers"),
    [
        ((b"abc", b"de"), []),
        ((), [("Content-Length", "5")]),
        ((b"abcde",), [("Content-Length", "1")]),
        ((b"abcde",), [("Content-Length", "9" * 5000)]),
    ],
)
async def test_a_body_that_is_too_large_is_413(
    chunks: tuple[bytes, ...], headers: list[tuple[str, str]]
):
    """Neither a wrong nor a missing Content-Length lets more than the limit through."""
    with pytest.raises(BadBody, match="larger than 4 bytes") as caught:
        await read(request(*chunks, headers=headers), 4)

    assert 413 == caught.value.status


async def test_a_packed_body_is_415():
    """A Content-Encoding other than identity is refused before a byte is read."""
    with pytest.raises(BadBody, match='Unsupported content encoding "gzip"') as caught:
        await read(request(b"x", headers=[("Content-Encoding", "gzip")]), 4)

    assert 415 == caught.value.status
    assert b"x" == await read(request(b"x", headers=[("Content-Encoding", "Identity")]), 4)


async def test_a_client_that_hangs_up_is_no_body():
    """A body that ends early is never taken for a whole one."""
    with pytest.raises(ClientDisconnect):
        await read(request(b"ab", ends=False), 4)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff", "'utf8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'"\xe2\x82', "'utf8' codec can't decode bytes in position 1-2: unexpected end of data"),
        (b"[" * 60_000, "nested too deeply"),
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_json_that_cannot_be_read_is_400(body: bytes, message: str):
    """Broken UTF-8, nesting without end and bad syntax are told apart."""
    with pytest.raises(BadBody) as caught:
        parse_json(body)

    assert (400, message) == (caught.value.status, str(caught.value))


def test_json_may_have_a_zero_character():
    """A NUL in a string is a character like any other; who takes the string decides."""
    assert {"a": "\0", "b": Number("1")} == parse_json(b'{"a": "\\u0000", "b": 1}')


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a=1&b=x%20y+z", {"a": "1", "b": "x y z"}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"a=%C3%A9", {"a": "é"}),
        ("a=é".encode(), {"a": "é"}),
    ],
)
def test_a_form_is_read_as_utf_8(body: bytes, fields: dict[str, str]):
    """Blanks, empty values and letters arrive; of equal names the last counts."""
    assert fields == parse_form(body)


@pytest.mark.parametrize("body", [b"a=%FF", b"\xff=1", b"a=1&" * 101])
def test_a_form_that_cannot_be_read_is_400(body: bytes):
    """Broken UTF-8 and too many fields are refused."""
    with pytest.raises(BadBody) as caught:
        parse_form(body)

    assert 400 == caught.value.status


@given(st.binary(max_size=300))
def test_whatever_is_sent_is_data_or_a_complaint(body: bytes):
    """No bytes make a parser fail in any other way."""
    for parse in (parse_json, parse_form):
        with suppress(BadBody):
            parse(body)


@pytest.mark.parametrize(
    ("header", "bare"),
    [
        ("application/json", "application/json"),
        (" Application/JSON ; charset=utf-8", "application/json"),
        ("", ""),
    ],
)
def test_a_media_type_is_read_without_its_parameters(header: str, bare: str):
    """Case, blanks and parameters do not matter."""
    assert bare == media_type(header)
