"""Whatever is asked, there is one answer, in shape and with the headers of the product."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.types import Message

from service.errors import StoreDown
from tests.unit.dialects.netbox.maker import NODE, PROVISION, TOKENS, Netbox, netbox

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
}


@pytest.mark.parametrize(
    "path", ["/", "/api/nope/", "/api/users/nope/", "/api/users/tokens//", "/api/users/tokens/1/2/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_what_there_is_not_is_not_found(client: Any, path: str, method: str):
    """With or without a token, with any method."""
    answer = await client.request(method, path)

    assert (404, {"detail": "Not found."}) == (answer.status_code, answer.json())
    assert SECURITY.items() <= dict(answer.headers).items()


async def test_a_missing_slash_is_added_wherever_one_belongs(house: Netbox):
    """Below the prefix as well, and never to another host."""
    async with house.client(root_path="/netbox") as caller:
        answer = await caller.get("/api/users?a=b%20c")
        odd = await caller.get("//evil.example")

    assert (301, "/netbox/api/users/?a=b%20c") == (
        answer.status_code,
        answer.headers["location"],
    )
    assert SECURITY.items() <= dict(answer.headers).items()
    assert 404 == odd.status_code


async def test_the_status_names_the_release(client: Any, newer: Netbox):
    """Members are those of each contract."""
    old = (await client.get("/api/status/")).json()
    async with newer.client() as caller:
        new = (await caller.get("/api/status/")).json()

    assert {"django-version", "installed-apps", "netbox-version", "plugins"} < set(old)
    assert ("3.3.10", "4.6.8") == (old["netbox-version"], new["netbox-version"])
    assert (NODE, "4.6.8", {}) == (
        new["hostname"],
        new["netbox-full-version"],
        new["installed_apps"],
    )
    assert "installed-apps" not in new


@pytest.mark.parametrize("path", ["/api/", "/api/users/", "/api/status/", PROVISION])
async def test_options_describe_every_view(client: Any, path: str):
    """Those without fields, too."""
    answer = await client.options(path)

    assert 200 == answer.status_code
    assert ["name", "description", "renders", "parses"] == list(answer.json())


async def test_pages_are_answered_with_json(client: Any):
    """There are none."""
    answer = await client.get("/api/", headers={"Accept": "text/html"})

    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])


@pytest.mark.parametrize(
    ("accept", "query", "status", "text"),
    [
        ("image/png", "", 406, "Could not satisfy the request Accept header."),
        ("*/*; version=1", "", 406, 'Invalid version in "Accept" header.'),
        ("*/*", "?format=xml", 404, "Not found."),
    ],
)
@pytest.mark.parametrize("contract", ["3.3", "4.6"])
async def test_a_form_that_there_is_not_is_refused_first(
    contract: str, accept: str, query: str, status: int, text: str
):
    """Before anybody is asked who he is; but the methods are told."""
    async with netbox({"contract": contract}) as house, house.client("bad") as caller:
        answer = await caller.get(TOKENS + query, headers={"Accept": accept})

    assert (status, {"detail": text}) == (answer.status_code, answer.json())
    assert ("Accept, Origin" == answer.headers["vary"]) is (contract == "3.3")
    assert answer.headers["allow"].startswith("GET, POST")


@pytest.mark.parametrize("contract", ["3.3", "4.6"])
async def test_the_version_that_is_spoken_may_be_asked_for(contract: str):
    """And no other one."""
    async with netbox({"contract": contract}) as house, house.client() as caller:
        headers = {"Accept": f"application/json; version={contract}"}
        answer = await caller.get("/api/", headers=headers)

    assert 200 == answer.status_code


async def test_a_store_that_is_away_is_503(
    house: Netbox, client: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
):
    """Nobody is refused for it, and the answer says when to come back."""

    async def verify(*_: Any, **__: Any) -> Any:
        raise StoreDown("timeout", 2)

    monkeypatch.setattr(house.house.tokens, "verify", verify)
    answer = await client.get(TOKENS)

    said = {"detail": "Tokens cannot be checked at the moment. Try again in 2 seconds."}
    assert (503, said) == (answer.status_code, answer.json())
    assert ("2", "no-store") == (
        answer.headers["retry-after"],
        answer.headers["cache-control"],
    )
    assert "no answer to GET of Token: timeout" in caplog.text


async def test_a_fault_of_ours_is_500_and_a_line_without_secrets(
    house: Netbox, client: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
):
    """The line says where it happened, and not with what."""
    caplog.set_level(logging.DEBUG)
    password = "hunter2"

    async def verify(*_: Any, **__: Any) -> Any:
        raise RuntimeError(password)

    monkeypatch.setattr(house.house.tokens, "verify", verify)
    answer = await client.get(TOKENS)

    assert (500, {"detail": "A server error has occurred."}) == (
        answer.status_code,
        answer.json(),
    )
    assert "GET of Token failed: RuntimeError" in caplog.text
    assert password not in caplog.text


async def test_nobody_is_answered_who_has_hung_up(house: Netbox):
    """In the middle of his body."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PROVISION,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"9")],
        "client": ("192.0.2.1", 1),
    }
    await house.app(scope, receive, send)

    assert [] == sent


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
    answer = await client.post(TOKENS, content=body, headers=headers)

    assert (status, ["detail"]) == (answer.status_code, list(answer.json()))
    assert "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS" == answer.headers["allow"]
