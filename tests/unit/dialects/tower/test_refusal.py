"""Whatever goes wrong is said in Tower's shape, with the status its clients understand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.dialects.tower.refusal import Denied, denied
from service.errors import Busy, StoreDown, TooManyAttempts
from service.wire.rest.refusal import refuse
from tests.unit.dialects.tower.maker import Tower, tower

PATH = "/api/v2/authtoken/"
GOOD = {"username": "alice", "password": "pw"}
BASIC = 'Basic realm="api"'


async def test_guessing_is_slowed_down():
    """After the configured failures the right password has to wait as well, and is told so."""
    async with tower(login={"attempts": 2}) as made, made.client() as client:
        wrong = {"username": "alice", "password": "wrong"}
        statuses = [(await client.post(PATH, json=wrong)).status_code for _ in range(3)]
        response = await client.post(PATH, json=GOOD)

    assert [400, 400, 429] == statuses
    wait = response.headers["retry-after"]
    assert 1 < int(wait) <= 30
    said = f"Request was throttled. Expected available in {wait} seconds."
    assert (429, {"detail": said}) == (response.status_code, response.json())


async def test_the_oldest_session_ends_when_there_are_too_many():
    """One login more than allowed makes the first token say so, and gets a new one afterwards."""
    async with tower(policy={"tower": {"per_user": 1}}) as made:
        first = await made.login(agent="a")
        await made.login(agent="b")
        async with made.client(agent="a") as client:
            headers = {"Authorization": f"Token {first}"}
            evicted = await client.get("/api/v2/me/", headers=headers)

            assert first != await made.login(agent="a")
    said = "The maximum number of allowed sessions for this user has been exceeded."
    assert (401, {"detail": said}) == (evicted.status_code, evicted.json())


async def test_too_many_tokens_are_refused_by_name():
    """The limit on all tokens of a user is a fault of the login, not of the service."""
    async with tower(policy={"tower": {"max_tokens": 1}}) as made, made.client() as client:
        await made.login(agent="a")
        response = await client.post(PATH, json=GOOD)

    said = {"__all__": ["This user already has 1 tokens. Delete one of them first."]}
    assert (400, said) == (response.status_code, response.json())


async def test_a_login_from_nowhere_is_refused_with_a_hint():
    """A trusted proxy that names no client is the operator's to mend."""
    async with tower(server={"trusted_proxies": ["192.0.2.1"]}) as made, made.client() as client:
        response = await client.post(PATH, json=GOOD)

    assert 400 == response.status_code
    assert "server.client_ip_header" in response.json()["detail"]


async def test_a_login_from_nowhere_may_be_bound_to_the_proxy():
    """When so configured."""
    server = {"trusted_proxies": ["192.0.2.1"], "bind_ip_fallback": "peer"}
    async with tower(server=server) as made, made.client() as client:
        assert 200 == (await client.post(PATH, json=GOOD)).status_code


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (Busy(2), 503, "Too many logins are waiting. Try again in 2 seconds."),
        (
            StoreDown("timeout"),
            503,
            "Tokens cannot be checked at the moment. Try again in 1 second.",
        ),
        (
            TooManyAttempts(1),
            429,
            "Request was throttled. Expected available in 1 second.",
        ),
    ],
)
async def test_what_passes_by_itself_says_when_to_come_back(
    house: Tower, client: Any, monkeypatch: Any, error: Exception, status: int, detail: str
):
    """Such an answer has Retry-After and is not kept; it is never a 401."""

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(house.house.logins, "issue", fail)
    response = await client.post(PATH, json=GOOD)

    assert (status, {"detail": detail}) == (response.status_code, response.json())
    assert "no-store" == response.headers["cache-control"]
    assert response.headers["retry-after"] in detail


@pytest.mark.parametrize("status", [400, 408, 413, 431, 503, 404, 500])
def test_a_refusal_before_the_application_has_its_shape(status: int):
    """Every status has a sentence, those nobody foresaw too."""
    content_type, body = refuse(status)

    assert b"application/json" == content_type
    assert ["detail"] == list(json.loads(body))
    assert json.loads(body)["detail"].endswith(".")


@pytest.mark.parametrize(
    ("authorization", "with_basic", "without"),
    [
        ("", (401, BASIC), (403, None)),
        ("Bearer x", (401, BASIC), (403, None)),
        ("Token bad", (401, "Token"), (401, "Token")),
        ("token bad", (401, BASIC), (403, None)),
        ("TOKEN bad", (401, BASIC), (403, None)),
        ("Token", (401, "Token"), (401, "Token")),
        ("Basic bad", (401, BASIC), (403, None)),
        ("  ", (401, BASIC), (403, None)),
    ],
)
def test_the_challenge_fits_the_header(
    authorization: str, with_basic: tuple[int, str | None], without: tuple[int, str | None]
):
    """Where there is no challenge to make, the status is 403."""
    for basic, expected in ((True, with_basic), (False, without)):
        reply = denied(Denied("no"), authorization, basic=basic)

        assert expected == (reply.status, reply.headers.get("WWW-Authenticate"))
        assert {"detail": "no"} == reply.body
