"""Bodies are read as JSON or as forms, and what is wrong is said in REST framework's words."""

from __future__ import annotations

import json
import logging

import pytest

from service.wire.body import BadBody
from service.wire.json import Number
from service.wire.rest.data import FormData, _as_ever, charset_of, parse_json, read_data
from service.wire.rest.reply import FORM, JSON, MULTIPART
from tests.unit.wire.asking import request

BOUNDARY = "multipart/form-data; boundary=X"


def part(name: str, value: bytes) -> bytes:
    """One field of a form in several parts."""
    head = f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value + b"\r\n"


async def read(body: bytes, content_type: str, parses: tuple[str, ...] = (JSON, MULTIPART)):
    """What ``read_data`` makes of *body*."""
    headers = [("Content-Type", content_type)] if content_type else []
    return await read_data(request(body, headers=headers), 10_000, parses)


@pytest.mark.parametrize("content_type", ["", JSON, "text/plain", BOUNDARY])
async def test_an_empty_body_is_an_empty_object(content_type: str):
    """Whatever it claims to be."""
    assert {} == await read(b"", content_type)


async def test_json_keeps_its_numbers_as_they_were_typed():
    """They are text until somebody wants a number."""
    assert {"a": Number("1.50"), "b": [None, True]} == await read(
        b'{"a": 1.50, "b": [null, true]}', "application/json;"
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            b'{\n    "username": "hankhill",\n    "password": "x",\n}',
            "Expecting property name enclosed in double quotes: line 4 column 1 (char 51)",
        ),
        (b"[1, ]", "Expecting value: line 1 column 5 (char 4)"),
        (b'{"a":"b"', "Expecting ',' delimiter: line 1 column 9 (char 8)"),
        (b"{'", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"a":NaN}', "Out of range float values are not JSON compliant: 'NaN'"),
        (b"[-Infinity]", "Out of range float values are not JSON compliant: '-Infinity'"),
        (b"\xff{}", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (
            b"\xef\xbb\xbf{}",
            "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
        ),
        (b"[" * 9_000, "nested too deeply"),
    ],
)
async def test_json_that_is_none_is_told_where_it_ends_to_be(body: bytes, why: str):
    """The texts are those of Python before 3.13, whatever Python this is."""
    with pytest.raises(BadBody) as caught:
        await read(body, JSON)

    assert (400, f"JSON parse error - {why}") == (caught.value.status, str(caught.value))


@pytest.mark.parametrize(
    ("newer", "text", "at", "older"),
    [
        (
            "Illegal trailing comma before end of object",
            '{"a": 1,\n \n}',
            7,
            "Expecting property name enclosed in double quotes: line 3 column 1 (char 11)",
        ),
        (
            "Illegal trailing comma before end of array",
            "[1,  ]",
            2,
            "Expecting value: line 1 column 6 (char 5)",
        ),
    ],
)
def test_a_newer_python_says_it_as_ever(newer: str, text: str, at: int, older: str):
    """What it has told since 3.13 becomes what clients have always been told."""
    assert older == str(_as_ever(json.JSONDecodeError(newer, text, at)))


@pytest.mark.parametrize(
    ("charset", "body", "found"),
    [
        ("utf-8", '{"a":"é"}'.encode(), "é"),
        ('"UTF-16"', '{"a":"é"}'.encode("utf-16"), "é"),
        ("utf-32", '{"a":"é"}'.encode("utf-32"), "é"),
        ("latin-1", '{"a":"é"}'.encode("latin-1"), "é"),
        ("nonsense", '{"a":"é"}'.encode(), "é"),
    ],
)
def test_the_charset_is_honoured(charset: str, body: bytes, found: str):
    """One that nobody knows is UTF-8."""
    assert {"a": found} == parse_json(body, f"{JSON}; charset={charset}")


@pytest.mark.parametrize("charset", ["UTF-16", "UTF-32"])
def test_a_stream_of_that_charset_begins_with_its_mark(charset: str):
    """UTF-8 that claims to be something else is not guessed at."""
    with pytest.raises(BadBody, match=f"{charset} stream does not start with BOM"):
        parse_json(b"{}", f"{JSON}; charset={charset}")


@pytest.mark.parametrize("charset", ["zip", "base64", "punycode", "idna", "rot13", "undefined"])
def test_codecs_that_are_no_charsets_are_not_run(charset: str):
    """Some inflate what they get, and some need time without end."""
    assert "utf-8" == charset_of(f"{JSON}; charset={charset}")


async def test_a_form_in_parts_is_read():
    """The last of equal names counts, and all of them are kept."""
    body = part("a", b"1") + part("b", "é".encode()) + part("a", b"2") + b"--X--\r\n"
    found = await read(body, BOUNDARY)

    assert {"a": "2", "b": "é"} == found
    assert isinstance(found, FormData)
    assert ["1", "2"] == found.lists["a"]


@pytest.mark.parametrize("content_type", [BOUNDARY + "; charset=punycode", BOUNDARY])
async def test_a_form_that_is_no_utf8_is_latin(content_type: str):
    """The charset of the header is not asked."""
    assert {"a": "ÿ"} == await read(part("a", b"\xff") + b"--X--\r\n", content_type)


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"x", MULTIPART, "Missing boundary in multipart."),
        (b"x", BOUNDARY, "Invalid multipart data."),
        (
            b'--X\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\nx\r\n--X--\r\n',
            BOUNDARY,
            "Too many files. Maximum number of files is 0.",
        ),
        (
            b"".join(part(f"n{i}", b"") for i in range(101)) + b"--X--\r\n",
            BOUNDARY,
            "Too many fields. Maximum number of fields is 100.",
        ),
    ],
)
async def test_a_form_in_parts_that_is_none_is_refused(body: bytes, content_type: str, why: str):
    """Files are not wanted, and no more fields than anybody needs."""
    with pytest.raises(BadBody) as caught:
        await read(body, content_type)

    assert (400, f"Multipart form parse error - {why}") == (
        caught.value.status,
        str(caught.value),
    )


async def test_a_malformed_form_leaves_no_trace_in_the_log(caplog: pytest.LogCaptureFixture):
    """The parser would quote a byte of it, which may be one of a password."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BadBody):
        await read(b"secret", BOUNDARY)

    assert "" == caplog.text


async def test_a_plain_form_is_read_where_it_may_be():
    """Nautobot takes them, NetBox does not."""
    assert {"a": "1 2"} == await read(b"a=1+2", FORM, (JSON, FORM))
    with pytest.raises(BadBody, match="Form parse error - "):
        await read(b"a=%FF", FORM, (JSON, FORM))


@pytest.mark.parametrize("content_type", [FORM, "text/plain; charset=utf-8", ""])
async def test_another_type_is_415(content_type: str):
    """It is repeated as it was sent."""
    with pytest.raises(BadBody) as caught:
        await read(b"x", content_type)

    said = f'Unsupported media type "{content_type}" in request.'
    assert (415, said) == (caught.value.status, str(caught.value))
