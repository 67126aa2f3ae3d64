"""The requests that the RFCs print, word for word but for the host and the endpoint's path."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dialects.oauth.conftest import OAuth

INTROSPECTION = """\
POST /introspect HTTP/1.1
Host: server.example.com
Accept: application/json
Content-Type: application/x-www-form-urlencoded
Authorization: Bearer 23410913-abewfq.123483

token=2YotnFZFEjr1zCsicMWpAA
"""
"""RFC 7662 §2.1, the first example; its bearer token is put in the place of ours."""

WITH_CLIENT = """\
POST /introspect HTTP/1.1
Host: server.example.com
Accept: application/json
Content-Type: application/x-www-form-urlencoded
Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW

token=mF_9.B5f-4.1JqM&token_type_hint=access_token
"""
"""RFC 7662 §2.1, the second example."""

REVOCATION = """\
POST /revoke HTTP/1.1
Host: server.example.com
Content-Type: application/x-www-form-urlencoded
Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW

token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token
"""
"""RFC 7009 §2.1."""

METADATA = """\
GET /.well-known/oauth-authorization-server HTTP/1.1
Host: example.com

"""
"""RFC 8414 §3.1."""

CLIENT, SECRET = "s6BhdRkqt3", "gX1fBat3bV"
"""What the Basic header of the examples holds (RFC 6749 §2.3.1)."""


async def send(oauth: OAuth, text: str, **instead: str) -> Any:
    """The answer to a request as it is printed, with words of it replaced."""
    for old, new in instead.items():
        text = text.replace({"bearer": "23410913-abewfq.123483"}[old], new)
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return await oauth.http.request(method, path, headers=headers, content=body.rstrip("\n"))


@pytest.fixture
async def client(oauth: OAuth) -> OAuth:
    """The client of the examples is a user here."""
    await oauth.house.users.add(CLIENT, SECRET)
    return oauth


async def test_a_token_that_is_not_ours_is_not_active(client: OAuth):
    """RFC 7662 §2.2: exactly ``{"active": false}``, whoever asks."""
    own = (await client.token(owner=CLIENT)).text
    answers = [await send(client, INTROSPECTION, bearer=own), await send(client, WITH_CLIENT)]

    assert [(200, b'{"active":false}')] * 2 == [(a.status_code, a.content) for a in answers]


async def test_a_bad_bearer_is_401(client: OAuth):
    """RFC 7662 §2.3, by RFC 6750 §3.1."""
    answer = await send(client, INTROSPECTION)

    assert 401 == answer.status_code
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_wrong_client_credentials_are_401(oauth: OAuth):
    """RFC 7662 §2.3, by RFC 6749 §5.2: the scheme that was used is in the challenge."""
    answer = await send(oauth, WITH_CLIENT)

    assert (401, "invalid_client") == (answer.status_code, answer.json()["error"])
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_an_unknown_token_is_revoked_all_the_same(client: OAuth):
    """RFC 7009 §2.2: 200 and nothing."""
    answer = await send(client, REVOCATION)

    assert (200, b"") == (answer.status_code, answer.content)


async def test_the_issuer_of_the_metadata_is_whom_was_asked(oauth: OAuth):
    """RFC 8414 §3.3."""
    answer = await send(oauth, METADATA)

    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "https://example.com" == answer.json()["issuer"]
