"""Request bodies: bounded, read once, and turned into text, JSON or a form without surprises."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.errors import TokenhouseError
from service.wire import json

MAX_FIELDS = 100


class BadBody(TokenhouseError):
    """A body that cannot be taken, with the *status* that says so; quotes nothing of it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def read(request: Request, limit: int) -> bytes:
    """The whole body, of at most *limit* bytes. BadBody; ClientDisconnect when it ends early."""
    coding = request.headers.get("content-encoding", "").strip()
    if coding.lower() not in {"", "identity"}:
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f'Unsupported content encoding "{coding}" in request.',
        )
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> BadBody:
    text = f"The request body is larger than {limit} bytes."
    return BadBody(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


def parse_json(body: bytes) -> Any:
    """*body* as JSON (see ``wire.json``). BadBody."""
    try:
        return json.loads(_text(body))
    except json.BadJson as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, str(error)) from error


def parse_form(body: bytes) -> dict[str, str]:
    """*body* as ``application/x-www-form-urlencoded`` in UTF-8; the last of equal names counts."""
    try:
        pairs = parse_qsl(
            _text(body), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, spoilt(error)) from error
    except ValueError as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"more than {MAX_FIELDS} fields") from error
    return dict(pairs)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, spoilt(error)) from error


def spoilt(error: UnicodeDecodeError) -> str:
    """*error* in the words of old products; names a place, and only the byte standing there."""
    byte = error.object[error.start]
    place = f"byte 0x{byte:02x} in position {error.start}"
    if error.end - error.start > 1:
        place = f"bytes in position {error.start}-{error.end - 1}"
    return f"'utf8' codec can't decode {place}: {error.reason}"


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header, in lower case."""
    return content_type.partition(";")[0].strip().lower()
