"""Paths, formats, versions and common headers, and that nothing a client does is a 500."""

from __future__ import annotations

from typing import Any

import pytest

from service.dialects.nautobot.app import find, version_of
from service.errors import StoreDown
from service.wire.rest.accept import Accepted
from service.wire.rest.refusal import NotAcceptable, NotFound
from tests.unit.dialects.nautobot.maker import NOBODYS, TOKENS, Nautobot

SECRET = "nobody may read this"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/x/",
        "/api/x/",
        "/api/users/x/",
        "/api/users/tokens/x/y/",
        "/api/users/tokens//",
        "/api//users/",
        "/API/users/tokens/",
        "/api/users/tokens.xml",
        "/api/users.json",
        "/api/swagger.json",
    ],
)
async def test_an_unknown_path_is_404(anybody: Any, path: str):
    """In the product's spelling, with the security headers."""
    response = await anybody.get(path)

    assert (404, b'{"detail": "Not found."}') == (response.status_code, response.content)
    assert "nosniff" == response.headers["x-content-type-options"]
    assert "DENY" == response.headers["x-frame-options"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("root", ["", "/nautobot"])
async def test_a_path_without_a_slash_is_moved(house: Nautobot, method: str, root: str):
    """For every method, with the query, below the root that the client sees."""
    async with house.client(root_path=root) as client:
        response = await client.request(method, "/api/users/tokens?a=1")

    assert (301, b"") == (response.status_code, response.content)
    assert f"{root}/api/users/tokens/?a=1" == response.headers["location"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/users/tokens/", ("", "")),
        ("/api/users/tokens.json", ("", "json")),
        ("/api/users/tokens/x/", ("x", "")),
        ("/api/users/tokens/x.json", ("x", "json")),
        ("/api/users/tokens/x.y/", ("x.y", "")),
    ],
)
def test_a_path_names_a_token_and_a_format(path: str, expected: tuple[str, str]):
    """The format stands behind a dot where there is no slash."""
    found = find(path)

    assert found is not None
    assert expected == found[1:]


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [(None, None, "1.2"), ("1.4", None, "1.4"), (None, "1.3", "1.3"), ("1.3", "1.3", "1.3")],
)
def test_the_version_is_the_one_that_is_asked_for(
    header: str | None, query: str | None, expected: str
):
    """By header or query, or the oldest."""
    assert expected == version_of(Accepted("application/json", 0, header), query)


@pytest.mark.parametrize(
    ("header", "query", "error"), [("2.0", None, NotAcceptable), (None, "", NotFound)]
)
def test_a_version_that_there_is_not_is_refused(
    header: str | None, query: str | None, error: type[Exception]
):
    """406 by header, 404 by query."""
    with pytest.raises(error):
        version_of(Accepted("application/json", 0, header), query)


async def test_links_lead_where_the_client_came_from(house: Nautobot, key: str):
    """Host, prefix and format of the request are those of every link."""
    headers = {"Host": "nautobot.example:8443"}
    async with house.client(key, root_path="/nautobot", headers=headers) as client:
        plain = (await client.get(TOKENS)).json()["results"][0]["url"]
        json = (await client.get(TOKENS, params={"format": "json"})).json()["results"][0]["url"]
        dotted = (await client.get("/api/users/tokens.json")).json()["results"][0]["url"]

    name = plain.rstrip("/").rpartition("/")[2]
    start = f"http://nautobot.example:8443/nautobot/api/users/tokens/{name}"
    assert [f"{start}/", f"{start}/?format=json", f"{start}.json"] == [plain, json, dotted]


async def test_what_links_say_is_there(bob: Any):
    """From the root to a token, every URL is answered."""
    root = (await bob.get("/api/")).json()
    users = (await bob.get(root["users"])).json()
    page = (await bob.get(users["tokens"])).json()
    token = await bob.get(page["results"][0]["url"])

    assert 200 == token.status_code
    assert page["results"][0] == token.json()
    assert "1.4.1" == (await bob.get(root["status"])).json()["nautobot-version"]


@pytest.mark.parametrize("path", [TOKENS, f"{TOKENS}{NOBODYS}/", "/api/", "/api/users/"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "POST", "get"])
async def test_no_method_breaks_anything(bob: Any, path: str, method: str):
    """Whatever is asked, the answer is no 5xx, and HEAD and 204 have no body."""
    response = await bob.request(method, path)

    assert response.status_code < 500
    assert method != "HEAD" or response.content == b""


async def test_an_error_of_ours_is_500_and_tells_nothing(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The log says where; neither says what was in the message."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(house.house.tokens, "page", fail)
    response = await bob.get(TOKENS)

    assert (500, {"detail": "A server error has occurred."}) == (
        response.status_code,
        response.json(),
    )
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_store_that_is_away_is_503(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """Never 403, which would make clients throw good tokens away."""

    async def fail(*_: object, **__: object) -> None:
        raise StoreDown("timeout")

    monkeypatch.setattr(house.house.tokens, "verify", fail)
    response = await bob.get(TOKENS)

    assert (503, "no-store") == (response.status_code, response.headers["cache-control"])
    assert "1" == response.headers["retry-after"]


HOSTILE = [
    b"[" * 5000,
    b"9" * 5000,
    b'{"description": "\\ud800"}',
    b'{"description": "\\u0000"}',
    b'{"key": "\\ud800abcdefghijklmnopqrstuvwxyz0123456789abc"}',
    b'{"expires": "9999-12-31T23:59:59.999999-23:59"}',
    b'{"expires": "0001-01-01T00:00:00+23:59"}',
    b'{"expires": 1e999}',
    b'{"write_enabled": {"a": [1]}}',
    b'{"id": {"$gt": ""}}',
    b'[{"id": null}, {"id": 1}, {"id": []}, null, 1, "x", [], true]',
    b"[[]]",
    b"null",
    b"\xff\xfe",
    b'{"description": "x", "description": "y"}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("one", [True, False], ids=["one", "list"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
async def test_no_body_breaks_anything(bob: Any, body: bytes, method: str, one: bool, kind: str):
    """Whatever is sent, it is taken, or refused in the product's shape."""
    (token,) = (await bob.get(TOKENS)).json()["results"]
    path = f"{TOKENS}{token['id']}/" if one else TOKENS
    response = await bob.request(method, path, content=body, headers={"Content-Type": kind})

    assert response.status_code < 500
    assert response.status_code == 204 or response.json()


@pytest.mark.parametrize(
    "query",
    [
        "limit=" + "9" * 5000,
        "offset=-1&limit=-1",
        "id=" + "0" * 5000,
        "created__gte=0001-01-01T00:00:00%2B23:59",
        "expires=9999-12-31T23:59:59-23:59",
        "q=%ff%00",
        "key=%ff&key__ic=",
        "%ff=1",
        "write_enabled=true&write_enabled=x",
        "&".join(f"limit={number}" for number in range(500)),
    ],
)
async def test_no_query_breaks_anything(bob: Any, query: str):
    """Nor does any filter."""
    response = await bob.get(f"{TOKENS}?{query}")

    assert response.status_code in {200, 400}
