"""The token endpoint answers every login, right or wrong, in Tower's words and headers."""

from __future__ import annotations

import logging
import re
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from service.core.address import pack
from service.core.secret import agent_digest
from service.core.tokens import Wish
from service.model import Issued
from tests.unit.dialects.tower.maker import NEVER, NODE, Tower, never_cached, tower

PATHS = ("/api/v1/authtoken/", "/api/v2/authtoken/")
PATH = PATHS[1]
GOOD = {"username": "alice", "password": "pw"}
REQUIRED = ["This field is required."]
VARY = "Accept, Accept-Language, Cookie"


# -- success ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_a_login_is_answered_with_a_token_and_its_end(client: Any, path: str):
    """The body is compact: 40 hex digits, and a UTC time with exactly three digits of fraction."""
    response = await client.post(path, json=GOOD)

    assert 200 == response.status_code
    assert re.fullmatch(
        r'\{"token":"[0-9a-f]{40}","expires":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}',
        response.text,
    )


async def test_a_login_has_all_the_headers_of_tower(client: Any):
    """Their names and values are those that were recorded."""
    headers = (await client.post(PATH, json=GOOD)).headers

    assert {
        "content-type": "application/json",
        "content-length": "89",
        "content-language": "en",
        "allow": "POST, DELETE, OPTIONS",
        "auth-token-timeout": "1800",
        "pragma": "no-cache",
        "vary": VARY,
        "x-api-node": NODE,
    } == {
        name: value
        for name, value in headers.items()
        if name not in {"cache-control", "expires", "last-modified", "x-api-time"}
    }
    assert set(headers["cache-control"].split(", ")) == NEVER
    assert headers["expires"] == headers["last-modified"]
    assert parsedate_to_datetime(headers["expires"]).tzinfo
    assert re.fullmatch(r"\d+\.\d{3}s", headers["x-api-time"])


async def test_the_same_login_gets_the_same_token_with_a_later_end(house: Tower, client: Any):
    """Both versions share it; another agent or address gets another one."""
    first, second = [(await client.post(path, json=GOOD)).json() for path in PATHS]

    assert first["token"] == second["token"]
    assert first["expires"] <= second["expires"]
    assert first["token"] != await house.login(agent="other")
    assert first["token"] != await house.login(address="192.0.2.2")


async def test_an_indent_is_kept_and_comes_back(client: Any):
    """``Accept: application/json; indent=4`` is for people."""
    wish = "application/json; indent=4"
    response = await client.post(PATH, json=GOOD, headers={"Accept": wish})

    assert wish == response.headers["content-type"]
    assert re.fullmatch(r'\{\n    "token": "\w{40}",\n    "expires": "[\w:.-]+"\n\}', response.text)


@pytest.mark.parametrize(
    "credentials",
    ["Token nonsense", "Basic bm9ib2R5Om5vcGU=", "Bearer x", "Token", "Basic", ""],
)
async def test_credentials_of_the_request_do_not_matter(client: Any, credentials: str):
    """Good or bad, whatever comes in headers and cookies is ignored."""
    headers = {"Authorization": credentials, "Cookie": "token=%22bad%22", "X-Auth-Token": ""}

    assert 200 == (await client.post(PATH, json=GOOD, headers=headers)).status_code


async def test_the_timeout_is_that_of_the_policy():
    """Auth-Token-Timeout is the idle time in seconds."""
    async with tower(policy={"tower": {"idle": "15m"}}) as made, made.client() as client:
        assert "900" == (await client.post(PATH, json=GOOD)).headers["auth-token-timeout"]


# -- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"username": "alice", "password": "pw"}'),
        ("application/json; charset=utf-8", b'{"username": "alice", "password": "pw"}'),
        ("Application/JSON;indent=4", b'{"username": " alice\\n", "password": "\\tpw "}'),
        (
            "application/json",
            b'{"username": "x", "more": {}, "username": "alice", "password":"pw"}',
        ),
        ("application/x-www-form-urlencoded", b"username=alice&password=pw"),
        ("application/x-www-form-urlencoded", b"username=+alice&password=pw%20&_method=DELETE"),
    ],
)
async def test_a_login_may_be_json_or_a_form(client: Any, content_type: str, body: bytes):
    """Parameters, case, blanks around the values, unknown and repeated keys do not matter."""
    response = await client.post(PATH, content=body, headers={"Content-Type": content_type})

    assert 200 == response.status_code


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xyz",
        "text/plain",
        "application/vnd.api+json",
        'x"y',
        "",
        None,
    ],
)
async def test_another_format_is_415(client: Any, content_type: str | None):
    """The type is repeated as it was sent; no token is made."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post(PATH, content=b"x", headers=headers)

    said = f'Unsupported media type "{content_type or ""}" in request.'
    assert (415, {"detail": said}) == (response.status_code, response.json())
    assert not never_cached(response)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
async def test_an_empty_body_is_an_empty_object(client: Any, content_type: str | None):
    """Whatever its type, both fields are missing."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post(PATH, headers=headers)

    assert 400 == response.status_code
    assert {"username": REQUIRED, "password": REQUIRED} == response.json()


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"true", b"null", b" [1] "])
async def test_json_that_is_no_object_is_refused(client: Any, body: bytes):
    """A list, a string, a number, a truth and null have no fields."""
    response = await client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert 400 == response.status_code
    assert {"detail": "JSON parse error - not a JSON object"} == response.json()
    assert not never_cached(response)


@pytest.mark.parametrize(
    ("body", "middle"),
    [
        (b" ", "Expecting value: line 1 column 2 (char 1)"),
        (b"username=alice", "Expecting value: line 1 column 1 (char 0)"),
        (
            b'{"username": "alice",}',
            "Expecting property name enclosed in double quotes: line 1 column 22 (char 21)",
        ),
        (b"\xff", "'utf8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
    ],
)
async def test_json_that_is_malformed_is_told_in_towers_frame(
    client: Any, body: bytes, middle: str
):
    """The place of the fault stands between Tower's words."""
    response = await client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert 400 == response.status_code
    said = f"JSON parse error - {middle}\nPossible cause: trailing comma."
    assert {"detail": said} == response.json()
    assert not never_cached(response)


async def test_a_form_that_is_malformed_is_refused(client: Any):
    """A form that is not UTF-8 has a frame of its own."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await client.post(PATH, content=b"username=%FF", headers=headers)

    assert 400 == response.status_code
    assert response.json()["detail"].startswith("Form parse error - 'utf8' codec can't decode")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (415, {"Content-Encoding": "gzip"}, b"{}"),
        (413, {}, b" " * 70_000),
    ],
)
async def test_a_body_that_is_not_taken_is_told_why(
    client: Any, status: int, headers: dict[str, str], body: bytes
):
    """Packed and oversized bodies have the shape of any other error."""
    headers = {"Content-Type": "application/json", **headers}
    response = await client.post(PATH, content=body, headers=headers)

    assert status == response.status_code
    assert ["detail"] == list(response.json())


# -- witnesses ------------------------------------------------------------------------------


@pytest.mark.parametrize(("replicas", "header"), [(None, None), (0, "0"), (2, "2")])
async def test_replicas_that_have_the_token_are_counted(
    house: Tower, client: Any, monkeypatch: Any, replicas: int | None, header: str | None
):
    """Only where somebody asked for replicas a header says how many acknowledged."""

    async def issue(*_: Any, **__: Any) -> Issued:
        return Issued(
            text="a" * 40,
            token_id=1,
            created_ms=0,
            expires_ms=1999,
            reused=False,
            replicas=replicas,
        )

    monkeypatch.setattr(house.house.logins, "issue", issue)
    response = await client.post(PATH, json=GOOD)

    assert header == response.headers.get("x-tokenhouse-replicas")
    assert "1970-01-01T00:00:01.999Z" == response.json()["expires"]


async def test_logins_are_written_down_without_their_secrets(
    client: Any, caplog: pytest.LogCaptureFixture
):
    """The name is escaped, and neither password nor token is in any line."""
    caplog.set_level(logging.DEBUG)
    token = (await client.post(PATH, json=GOOD)).json()["token"]
    await client.post(PATH, json={"username": "al\nice", "password": "hunter2"})
    lines = [(r.name, r.levelname, r.getMessage()) for r in caplog.records]

    assert ("tokenhouse.login", "INFO", "user alice logged in from 192.0.2.1") in lines
    failed = "login failed for user al\\nice from 192.0.2.1"
    assert ("tokenhouse.login", "WARNING", failed) in lines
    assert "hunter2" not in caplog.text
    assert token not in caplog.text


# -- DELETE ----------------------------------------------------------------------------------


async def test_a_token_is_deleted_by_whoever_has_it(house: Tower):
    """No address, agent or other proof is asked for; the token is expired then, for ever."""
    token = await house.login()
    headers = {"Authorization": f"Token {token}"}
    async with house.client(address="203.0.113.9", agent="other") as stranger:
        answers = [await stranger.delete(PATH, headers=headers) for _ in range(2)]
    async with house.client() as client:
        after = await client.get("/api/v2/me/", headers=headers)

    assert [(204, b"")] * 2 == [(answer.status_code, answer.content) for answer in answers]
    assert (401, {"detail": "Token is expired"}) == (after.status_code, after.json())
    assert token != await house.login()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "token {}"},
        {"Authorization": "TOKEN {}"},
        {"Authorization": "Token  {}"},
        {"Authorization": "Tokens {}"},
        {"Authorization": "Token {} "},
        {"Authorization": "Token"},
        {"Authorization": "Bearer {}"},
        {"X-Auth-Token": "Token {}"},
        {"Cookie": "token={}"},
        {"Authorization": "Token nonsense"},
    ],
)
async def test_nothing_else_deletes_a_token(house: Tower, client: Any, headers: dict[str, str]):
    """The answer is the same 204, but the token lives."""
    token = await house.login()
    sent = {name: text.format(token) for name, text in headers.items()}
    response = await client.delete(f"{PATH}?token={token}", headers=sent)
    after = await client.get("/api/v2/me/", headers={"Authorization": f"Token {token}"})

    assert (204, 200) == (response.status_code, after.status_code)


async def test_a_deletion_has_no_content_at_all(client: Any):
    """Its headers are those of any answer, without a type, a length or a ban on caching."""
    headers = (await client.delete(PATH)).headers

    assert {"allow", "vary", "content-language", "x-api-node", "x-api-time"} == set(headers)


# -- other methods ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "TRACE", "PROPFIND", "X-Y"])
async def test_other_methods_are_405(client: Any, path: str, method: str):
    """With the method in the quotes of the documentation, and what is allowed in a header."""
    response = await client.request(method, path, headers={"Authorization": "Token bad"})

    assert 405 == response.status_code
    assert {"detail": f"Method '{method}' not allowed."} == response.json()
    assert "POST, DELETE, OPTIONS" == response.headers["allow"]
    assert VARY == response.headers["vary"]
    assert not never_cached(response)


async def test_head_is_405_without_a_body(client: Any):
    """Clients look by HEAD whether the endpoint exists."""
    response = await client.head(PATH)

    assert (405, b"") == (response.status_code, response.content)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override"])
async def test_a_method_cannot_be_overridden(house: Tower, client: Any, header: str):
    """A POST that claims to be a DELETE is a login."""
    assert 200 == (await client.post(PATH, json=GOOD, headers={header: "DELETE"})).status_code


@pytest.mark.parametrize("path", PATHS)
async def test_options_describe_the_endpoint(client: Any, path: str):
    """Keys and order are Tower's; the form is listed because it works."""
    response = await client.options(path, headers={"Authorization": "Token bad"})
    body = response.json()
    field = {"type": "string", "required": True}

    assert 200 == response.status_code
    assert [
        "name",
        "description",
        "renders",
        "parses",
        "actions",
        "added_in_version",
        "added_in_api_version",
    ] == list(body)
    assert path.startswith("/api/v1") == body["description"].startswith("> _This resource has been")
    assert {
        "name": "Auth Token",
        "renders": ["application/json", "text/html"],
        "parses": ["application/json", "application/x-www-form-urlencoded"],
        "actions": {
            "POST": {
                "username": {**field, "label": "Username"},
                "password": {**field, "label": "Password"},
            }
        },
        "added_in_version": "1.2",
        "added_in_api_version": "v1",
    } == {name: value for name, value in body.items() if name != "description"}


async def test_a_token_of_a_login_is_bound_as_the_gate_will_look(house: Tower):
    """What the core is told of address and agent is what verify compares."""
    token = await house.login(address="192.0.2.7", agent="curl/8")
    verdict = await house.house.tokens.verify(
        token.encode(), address=pack("192.0.2.7"), agent=agent_digest(b"curl/8"), write=True
    )

    assert verdict.allowed


async def test_any_token_can_be_deleted_here(house: Tower, client: Any):
    """A token of another policy is a token too."""
    wish = Wish(owner="bob", policy=house.house.policies["netbox"])
    token = (await house.house.tokens.issue(wish)).text
    await client.delete(PATH, headers={"Authorization": f"Token {token}"})
    after = await client.get("/api/v2/me/", headers={"Authorization": f"Token {token}"})

    assert (401, {"detail": "Token is expired"}) == (after.status_code, after.json())
