"""Paths, formats and common headers are Tower's, and nothing a client does is a 500."""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.errors import NotSetUp, StoreDown
from tests.unit.dialects.tower.maker import NODE, Tower, tower

AUTHTOKEN = "/api/v2/authtoken/"
GOOD = {"username": "alice", "password": "pw"}
VARY = "Accept, Accept-Language, Cookie"
NO_PAGE = {"detail": "The requested resource could not be found."}
X_AUTH = {"X-Auth-Token": "Token bad"}


# -- paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("root", ["", "/tower"])
async def test_a_path_without_a_slash_is_moved(house: Tower, method: str, root: str):
    """For every method, with the query, below the root that the client sees."""
    async with house.client(root_path=root) as client:
        response = await client.request(method, "/api/v2/authtoken?a=1")

    assert (301, b"") == (response.status_code, response.content)
    assert f"{root}/api/v2/authtoken/?a=1" == response.headers["location"]
    assert {
        "location",
        "vary",
        "content-language",
        "content-length",
    } == set(response.headers)
    assert "Accept-Language, Cookie" == response.headers["vary"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/x/",
        "/api/o/",
        "/api/o/token/",
        "/api/v3/",
        "/api/v3/authtoken/",
        "/api/v2/nothing/",
        "/api/v2/authtoken/x/",
        "/api/v2/users/x/",
        "/api/v2/users/\u0663/",
        "/api/v2/users/1/tokens/",
        "/api//v2/",
        "/API/v2/",
        "/api/v2/authtoken%00/",
    ],
)
async def test_an_unknown_path_is_404(client: Any, path: str):
    """Without the headers of a view; credentials, good or bad, do not matter."""
    response = await client.get(path, headers={"Authorization": "Basic bm9ib2R5Om5vcGU="})

    assert (404, NO_PAGE) == (response.status_code, response.json())
    assert {"vary", "content-language", "content-type", "content-length"} == set(response.headers)


async def test_head_on_what_is_not_there_has_no_body(client: Any):
    """awx-client-go looks so whether Tower has OAuth2."""
    response = await client.head("/api/o/", auth=("alice", "pw"))

    assert (404, b"") == (response.status_code, response.content)


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v2/ping/", "/api/v2/auth/"])
async def test_what_is_public_can_be_looked_at_only(client: Any, path: str):
    """GET, HEAD and OPTIONS are answered, other methods are 405."""
    get, head, options, put = [
        await client.request(method, path) for method in ("GET", "HEAD", "OPTIONS", "PUT")
    ]

    assert [200, 200, 200, 405] == [one.status_code for one in (get, head, options, put)]
    assert b"" == head.content
    assert get.headers["content-length"] == head.headers["content-length"]
    assert {"GET, HEAD, OPTIONS"} == {one.headers["allow"] for one in (get, head, options, put)}
    assert ["name", "description", "renders", "parses"] == list(options.json())
    assert {"detail": "Method 'PUT' not allowed."} == put.json()


# -- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/me/", 401),
        ("GET", AUTHTOKEN, 405),
        ("POST", AUTHTOKEN, 400),
        ("DELETE", AUTHTOKEN, 204),
        ("OPTIONS", AUTHTOKEN, 200),
        ("GET", "/api/v2/ping/?format=odd", 404),
        ("GET", "/api/v2/ping/", 200),
    ],
)
async def test_every_view_tells_node_time_and_timeout(
    client: Any, method: str, path: str, status: int
):
    """Whatever the status; the timeout only to who sent X-Auth-Token, right or wrong."""
    plain = await client.request(method, path, headers={"Authorization": "Token bad"})
    asking = await client.request(method, path, headers=X_AUTH)

    assert [status] * 2 == [plain.status_code, asking.status_code]
    assert NODE == plain.headers["x-api-node"]
    assert re.fullmatch(r"\d+\.\d{3}s", plain.headers["x-api-time"])
    assert (VARY, "en") == (plain.headers["vary"], plain.headers["content-language"])
    assert "auth-token-timeout" not in plain.headers
    assert "1800" == asking.headers["auth-token-timeout"]


@pytest.mark.parametrize(("path", "status"), [("/api/v2/me", 301), ("/api/v2/x/", 404)])
async def test_the_timeout_is_told_off_the_road_too(client: Any, path: str, status: int):
    """A redirect and an unknown path have it as well, but not for an empty header."""
    response = await client.get(path, headers=X_AUTH)
    empty = await client.get(path, headers={"X-Auth-Token": " "})

    assert (status, "1800") == (response.status_code, response.headers["auth-token-timeout"])
    assert "auth-token-timeout" not in empty.headers
    assert "x-api-node" not in response.headers


# -- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("", "*/*", 200),
        ("", "text/html", 200),
        ("", "text/*;q=0.1", 200),
        ("", "application/xml", 406),
        ("", "text/plain", 406),
        ("?format=json", "*/*", 200),
        ("?format=json", "text/html", 406),
        ("?format=api", "*/*", 200),
        ("?format=api", "application/json", 406),
        ("?format=", "*/*", 200),
        ("?format=odd", "*/*", 404),
        ("?format=json&format=odd", "*/*", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_format_is_negotiated(
    client: Any, method: str, query: str, *, accept: str, status: int
):
    """Until there are pages, who asks for HTML gets JSON; what is not offered makes no token."""
    path = AUTHTOKEN if method == "POST" else "/api/v2/ping/"
    response = await client.request(method, path + query, json=GOOD, headers={"Accept": accept})
    details = {
        404: {"detail": "Not found."},
        406: {"detail": "Could not satisfy the request Accept header."},
    }

    assert status == response.status_code
    assert "application/json" == response.headers["content-type"]
    assert status == 200 or details[status] == response.json()
    assert "x-api-node" in response.headers


async def test_a_format_is_refused_before_a_method(client: Any):
    """As in the product, 406 comes before 405."""
    response = await client.get(AUTHTOKEN, headers={"Accept": "application/xml"})

    assert 406 == response.status_code


async def test_a_format_is_refused_after_a_credential(house: Tower, client: Any):
    """A good credential does not help against an Accept that admits nothing."""
    headers = {"Authorization": f"Token {await house.login()}", "Accept": "application/xml"}

    assert 406 == (await client.get("/api/v2/me/", headers=headers)).status_code


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreDown("timeout", 3), NotSetUp()])
@pytest.mark.parametrize("headers", [{"Authorization": "Token x"}, {"Cookie": "token=x"}])
async def test_no_verdict_is_503(
    house: Tower, client: Any, monkeypatch: Any, *, error: StoreDown, headers: dict[str, str]
):
    """Never 401, which would make a client throw a good token away; the reason stays here."""

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(house.house.tokens, "verify", fail)
    response = await client.get("/api/v2/me/", headers=headers)

    assert 503 == response.status_code
    assert str(error.retry_after_s) == response.headers["retry-after"]
    assert "no-store" == response.headers["cache-control"]
    assert error.reason not in response.text


async def test_a_store_without_its_mark_of_birth_is_503(house: Tower, client: Any):
    """An emptied Redis does not log everybody out."""
    token = await house.login()
    await house.house.client.run((b"FLUSHALL",))
    response = await client.get("/api/v2/me/", headers={"Authorization": f"Token {token}"})

    assert 503 == response.status_code


async def test_a_fault_of_ours_is_500_and_leaves_a_trace(
    house: Tower, client: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
):
    """The client learns nothing of it, and the log has no word of the request."""

    async def fail(*_: Any, **__: Any) -> None:
        raise KeyError("hunter2")

    monkeypatch.setattr(house.house.logins, "issue", fail)
    response = await client.post(AUTHTOKEN, json={"username": "alice", "password": "hunter2"})

    assert 500 == response.status_code
    assert {"detail": "A server error has occurred."} == response.json()
    assert "x-api-node" not in response.headers
    assert "POST of Auth Token failed: KeyError" in caplog.text
    assert "authtoken.py" in caplog.text
    assert "hunter2" not in caplog.text.replace('KeyError("hunter2")', "")


async def test_a_client_that_hangs_up_is_not_answered():
    """Nothing is sent to nobody, and nothing is raised."""
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with tower() as made:
        scope = {
            "type": "http",
            "method": "POST",
            "path": AUTHTOKEN,
            "query_string": b"",
            "headers": [(b"content-length", b"10")],
            "client": None,
        }
        await made.app(scope, receive, send)

    assert [] == sent


async def test_a_method_cannot_write_a_header_or_break_the_json(client: Any):
    """Even a method that no server lets through is answered in shape."""
    response = await client.request('A"\r\nX: y', AUTHTOKEN)

    assert 405 == response.status_code
    assert {"detail": "Method 'A\"\r\nX: Y' not allowed."} == response.json()
