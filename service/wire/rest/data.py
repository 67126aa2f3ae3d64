"""Request bodies as data: JSON or a form, with the framework's words for what cannot be read."""

from __future__ import annotations

import codecs
import json  # noqa: TID251 - the texts of its errors are part of the wire
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NoReturn

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.wire.body import MAX_FIELDS, BadBody, media_type, parse_form, read
from service.wire.headers import joined
from service.wire.json import Number
from service.wire.rest.reply import FORM, JSON, MULTIPART

# It warns of every malformed form and quotes a byte of it, which may be one of a password.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.ASCII | re.IGNORECASE)
_KNOWN = re.compile(r"utf-8|utf-8-sig|utf-16(-[bl]e)?|utf-32(-[bl]e)?|ascii|iso8859-\d+|cp125\d")
_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_TRAILING_COMMA = {
    # What Python says since 3.13, and what clients have always been told.
    "Illegal trailing comma before end of object": (
        "Expecting property name enclosed in double quotes"
    ),
    "Illegal trailing comma before end of array": "Expecting value",
}


class FormData(dict[str, str]):
    """The fields of a form, the last of equal names; *lists* has all values of each."""

    def __init__(self, lists: Mapping[str, list[str]]) -> None:
        super().__init__({name: values[-1] for name, values in lists.items()})
        self.lists = lists


async def read_data(
    request: Request, limit: int, parses: tuple[str, ...] = (JSON, MULTIPART)
) -> Any:
    """What the body of at most *limit* bytes says; an empty one is ``{}``.

    JSON as ``wire.json`` has it (numbers stay text), forms as ``FormData``. BadBody; also for a
    media type that is not among *parses*.
    """
    body = await read(request, limit)
    if not body:
        return {}
    content_type = joined(request.headers, "content-type")
    kind = media_type(content_type)
    if kind not in parses:
        raise BadBody(415, f'Unsupported media type "{content_type}" in request.')
    if kind == JSON:
        return parse_json(body, content_type)
    if kind == FORM:
        return FormData({name: [value] for name, value in _plain_form(body).items()})
    return await parse_multipart(body, content_type)


def parse_json(body: bytes, content_type: str = "") -> Any:
    """*body* as JSON in the charset that *content_type* names. BadBody."""
    try:
        return json.loads(
            _text(body, charset_of(content_type)),
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse,
        )
    except RecursionError as error:
        raise _bad_json("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise _bad_json(str(_as_ever(error))) from error
    except ValueError as error:
        raise _bad_json(str(error)) from error


def charset_of(content_type: str) -> str:
    """The Python name of the charset parameter; UTF-8 when there is none that we know."""
    found = _CHARSET.search(content_type)
    try:
        name = codecs.lookup(found[1]).name if found else "utf-8"
    except LookupError:
        return "utf-8"
    # Python's other codecs inflate, or take time that grows with the square of the size.
    return name if _KNOWN.fullmatch(name) else "utf-8"


def _text(body: bytes, charset: str) -> str:
    if charset in _MARKS and not body.startswith(_MARKS[charset]):
        raise ValueError(f"{charset.upper()} stream does not start with BOM")
    return body.decode(charset)


def _as_ever(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """*error* in the words, and at the place, that Python had before 3.13."""
    old = _TRAILING_COMMA.get(error.msg)
    if old is None:
        return error
    after = error.doc[error.pos + 1 :]
    place = error.pos + 1 + len(after) - len(after.lstrip(" \t\n\r"))
    return json.JSONDecodeError(old, error.doc, place)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: '{word}'")


def _bad_json(text: str) -> BadBody:
    return BadBody(400, f"JSON parse error - {text}")


def _plain_form(body: bytes) -> dict[str, str]:
    try:
        return parse_form(body)
    except BadBody as error:
        raise BadBody(error.status, f"Form parse error - {error}") from error


async def parse_multipart(body: bytes, content_type: str) -> FormData:
    """*body* as ``multipart/form-data`` in UTF-8; files are refused. BadBody."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield body

    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _bad_multipart("Missing boundary in multipart.")
    # Made anew: a charset that the client names would be looked up among all of Python's.
    header = b'multipart/form-data; boundary="' + boundary + b'"'
    parser = MultiPartParser(
        Headers(raw=[(b"content-type", header)]),
        chunks(),
        max_files=0,
        max_fields=MAX_FIELDS,
        max_part_size=len(body),
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _bad_multipart(error.message) from error
    lists: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        # There are no files, so every value is text.
        lists.setdefault(name, []).append(str(value))
    return FormData(lists)


def _bad_multipart(text: str) -> BadBody:
    return BadBody(400, f"Multipart form parse error - {text}")
