"""Whatever stops a request has a status and a body in REST framework's shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import (
    BadCredentials,
    Busy,
    ClientAddressUnknown,
    StoreDown,
    TokenhouseError,
    TooManyAttempts,
    TooManyTokens,
)
from service.wire.body import BadBody
from service.wire.rest import refusal


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (refusal.Denied("no"), 403, {"detail": "no"}),
        (refusal.Forbidden(), 403, {"detail": refusal.FORBIDDEN}),
        (refusal.NotFound(), 404, {"detail": "Not found."}),
        (refusal.NotAllowed("GET"), 405, {"detail": 'Method "GET" not allowed.'}),
        (refusal.NotAcceptable(), 406, {"detail": refusal.NOT_ACCEPTABLE}),
        (refusal.Invalid({"a": ["b"]}), 400, {"a": ["b"]}),
        (refusal.Invalid.whole("x"), 400, {"non_field_errors": ["x"]}),
        (BadBody(415, "type"), 415, {"detail": "type"}),
        (ClientAddressUnknown(), 400, {"detail": refusal.NO_ADDRESS}),
        (
            TooManyTokens(3),
            400,
            {"non_field_errors": ["This user already has 3 tokens. Delete one of them first."]},
        ),
        (BadCredentials(), 403, {"detail": "unnamed"}),
    ],
)
def test_an_error_is_answered(error: TokenhouseError, status: int, body: Any):
    """A refusal without words of its own gets those that the product has for it."""
    reply = refusal.reply_to(error, "unnamed")

    assert (status, body, {}) == (reply.status, reply.body, reply.headers)


@pytest.mark.parametrize(
    ("error", "status", "seconds", "words"),
    [
        (TooManyAttempts(7), 429, "7", "7 seconds"),
        (Busy(1), 503, "1", "1 second"),
        (StoreDown("timeout", 0), 503, "1", "1 second"),
    ],
)
def test_what_passes_says_when(error: TokenhouseError, status: int, seconds: str, words: str):
    """In a header and in words; nobody may keep the answer."""
    reply = refusal.reply_to(error, "unnamed")

    assert status == reply.status
    assert {"Retry-After": seconds, "Cache-Control": "no-store"} == reply.headers
    assert words in reply.body["detail"]


@pytest.mark.parametrize("status", [400, 408, 413, 431, 503, 418])
def test_a_request_that_never_arrives_is_answered_too(status: int):
    """In the same shape."""
    content_type, body = refusal.refuse(status)

    assert b"application/json" == content_type
    assert ["detail"] == list(json.loads(body))
