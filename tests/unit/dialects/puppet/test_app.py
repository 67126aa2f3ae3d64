"""Paths, methods, headers, and what is said before anybody is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.dialects.puppet import DIALECT, app, texts
from service.errors import StoreDown
from tests.unit.dialects.puppet.maker import (
    BASE,
    CHECK,
    COMMAND,
    CURRENT,
    LOGIN,
    NOBODYS,
    REVOKE,
    TOKENS,
    UNKNOWN,
    USERS,
    Puppet,
    refused,
)

ALLOWED = {
    LOGIN: "POST",
    TOKENS: "POST",
    CHECK: "POST",
    REVOKE: "DELETE",
    f"{REVOKE}/{UNKNOWN}": "DELETE",
    CURRENT: "GET, HEAD",
    f"{CURRENT}/password": "PUT",
    f"{USERS}/{NOBODYS}": "GET, HEAD",
    f"{USERS}/{NOBODYS}/tokens": "GET, HEAD",
    f"{COMMAND}/revoke": "POST",
    f"{COMMAND}/reinstate": "POST",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.mark.parametrize("path", ALLOWED)
async def test_a_path_answers_to_its_methods_alone(anybody: Any, path: str):
    """Any other is 405, with those that it has."""
    for method in METHODS:
        answer = await anybody.request(method, path)
        if method in ALLOWED[path].split(", "):
            assert 405 != answer.status_code
            continue
        assert (405, ALLOWED[path]) == (answer.status_code, answer.headers["allow"])
        if method != "HEAD":
            assert (405, texts.NOT_ALLOWED) == refused(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        BASE,
        f"{BASE}/",
        f"{BASE}/v1",
        f"{BASE}/v3/tokens",
        f"{LOGIN}/",
        f"{BASE}/v2/auth/token",
        f"{BASE}/v1/auth/token/authenticate",
        f"{REVOKE}/",
        f"{REVOKE}/a/b",
        f"{USERS}/",
        f"{USERS}//tokens",
        f"{USERS}/{NOBODYS}/tokens/",
        f"{COMMAND}/delete",
    ],
)
async def test_nothing_is_anywhere_else(alice: Any, path: str):
    """Not with a slash too many, and not in another version."""
    for method in ("GET", "POST", "DELETE"):
        assert (404, texts.NOT_FOUND) == refused(await alice.request(method, path))


@pytest.mark.parametrize(
    ("method", "path"),
    [(allow.split(",")[0], path) for path, allow in ALLOWED.items() if path not in (LOGIN, CHECK)],
)
async def test_who_one_is_comes_before_what_one_wants(anybody: Any, method: str, path: str):
    """Nobody unknown learns whether his body would do."""
    answer = await anybody.request(method, path, content=b"{")

    assert (401, texts.UNAUTHENTICATED) == refused(answer)


@pytest.mark.parametrize(
    ("method", "path"), [(allow.split(",")[0], path) for path, allow in ALLOWED.items()]
)
async def test_a_store_that_is_away_is_a_server_error(
    house: Puppet, monkeypatch: pytest.MonkeyPatch, method: str, path: str
):
    """Everywhere; clients retry it, and nobody is told that his token is bad."""

    async def fail(*_: object, **__: object) -> None:
        raise StoreDown("timeout")

    for name in ("verify", "issue"):
        monkeypatch.setattr(house.house.tokens, name, fail)
    monkeypatch.setattr(house.house.logins, "issue", fail)
    body = {"login": "bob", "password": "secret"} if path == LOGIN else {"token": UNKNOWN}
    async with house.client(UNKNOWN) as client:
        answer = await client.request(method, path, content=json.dumps(body))

    assert (503, "puppetlabs.rbac/server-error") == refused(answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert "no-store" == answer.headers["cache-control"]


async def test_head_is_get_without_the_body(bob: Any):
    """Same length, nothing in it."""
    get, head = await bob.get(CURRENT), await bob.head(CURRENT)

    assert (200, b"", get.headers["content-length"]) == (
        head.status_code,
        head.content,
        head.headers["content-length"],
    )


async def test_no_answer_is_kept_or_leaks_its_url(bob: Any, anybody: Any):
    """Many hold a token, and many URLs do."""
    for answer in (await bob.get(CURRENT), await anybody.get(CURRENT), await anybody.get("/x")):
        assert ("no-store", "no-referrer", "nosniff") == (
            answer.headers["cache-control"],
            answer.headers["referrer-policy"],
            answer.headers["x-content-type-options"],
        )


@pytest.mark.parametrize("status", [400, 408, 413, 418, 431, 503])
def test_what_is_said_before_is_in_the_envelope(status: int):
    """Also for a status nobody has thought of."""
    content_type, body = DIALECT.refuse(status)

    assert texts.JSON == content_type.decode()
    assert {"kind", "msg"} == set(json.loads(body))


@pytest.mark.parametrize("path", ["", "rbac-api/v1/tokens", "/rbac-apiv1/tokens"])
def test_a_path_that_is_not_below_the_base_is_nowhere(path: str):
    """However it got here."""
    assert app.find(path) is None
