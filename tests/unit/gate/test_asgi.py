"""The gate over ASGI, on the embedded store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from service.app import App
from service.config import load
from service.core.address import pack
from service.core.secret import agent_digest
from service.core.tokens import Wish
from service.gate.answer import Answers
from service.gate.asgi import Gate
from service.gate.question import Asking, Questions
from tests.nodes import CHEAP

AGENT = "curl/8"
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
MOUNTS = ["/authz/nginx", "/authz/forward", "/authz/ext", "/authz/ext/api/x%2Fy//z/?q=1"]


@pytest_asyncio.fixture
async def app() -> AsyncIterator[App]:
    """A house on the embedded store with one user."""
    made = App(load(env=CHEAP))
    await made.house.setup.init()
    await made.house.users.add("alice", "pw")
    yield made
    await made.house.aclose()


def client(app: App) -> httpx.AsyncClient:
    """A gateway that talks to *app* from 127.0.0.1."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://gate",
        headers={"user-agent": AGENT},
    )


async def token(app: App, *, policy: str = "tower", write: bool = True) -> str:
    """A token for alice, bound as a login from 127.0.0.1 would be."""
    wish = Wish(
        owner="alice",
        policy=app.house.policies[policy],
        address=pack("127.0.0.1"),
        agent=agent_digest(AGENT.encode()),
        write=write,
    )
    return (await app.house.tokens.issue(wish)).text


@pytest.mark.parametrize("path", MOUNTS)
@pytest.mark.parametrize("method", EVERY_METHOD)
async def test_any_method_on_any_mount_is_allowed_with_200(
    app: App, method: str, path: str
) -> None:
    """Envoy keeps the client's method and path; HAProxy asks with HEAD."""
    text = await token(app)
    async with client(app) as http:
        answer = await http.request(method, path, headers={"authorization": f"Token {text}"})

    assert (200, b"") == (answer.status_code, answer.content)
    assert "alice" == answer.headers["x-auth-user"]
    assert "0" == answer.headers["content-length"]


@pytest.mark.parametrize("path", ["/authz/", "/authz/other", "/authz/nginx/", "/authz/forward/x"])
async def test_other_paths_are_404_without_a_redirect(app: App, path: str) -> None:
    """A gateway would hand a redirect to its client."""
    async with client(app) as http:
        answer = await http.get(path)

    assert 404 == answer.status_code


async def test_a_token_in_the_query_counts_for_nothing(app: App) -> None:
    """Caddy appends the client's query, so the client would choose the token."""
    text = await token(app)
    async with client(app) as http:
        answer = await http.get(f"/authz/forward?token={text}")

    assert 401 == answer.status_code
    assert not [name for name in answer.headers if name.startswith("x-auth-")]


async def test_a_read_only_token_may_read_and_not_write(app: App) -> None:
    """403 says that another token would do."""
    text = await token(app, policy="netbox", write=False)
    async with client(app) as http:
        http.headers["authorization"] = f"Bearer {text}"
        read = await http.get("/authz/ext/x")
        write = await http.post("/authz/ext/x")

    assert (200, "read") == (read.status_code, read.headers["x-auth-scopes"])
    assert 403 == write.status_code


async def test_a_revoked_token_is_refused_at_the_next_request(app: App) -> None:
    """Nothing is cached."""
    text = await token(app)
    async with client(app) as http:
        http.headers["authorization"] = f"Token {text}"
        before = await http.get("/authz/forward")
        await app.house.tokens.revoke(text.encode())
        after = await http.get("/authz/forward")

    assert (200, 401) == (before.status_code, after.status_code)


@pytest.mark.parametrize("text", ["f" * 40, "0" + "A" * 43, "short", "x" * 256])
async def test_an_unknown_token_is_401(app: App, text: str) -> None:
    """Whatever it looks like."""
    async with client(app) as http:
        answer = await http.get("/authz/ext", headers={"x-authentication": text})

    assert 401 == answer.status_code


async def test_an_unknown_token_of_a_store_that_was_never_set_up_is_503() -> None:
    """An emptied or wrong Redis must not log everybody out."""
    bare = App(load(env=CHEAP))
    async with client(bare) as http:
        answer = await http.get("/authz/ext", headers={"x-authentication": "f" * 40})
    await bare.house.aclose()

    assert 503 == answer.status_code
    assert "1" == answer.headers["retry-after"]


async def test_a_store_that_is_away_is_503_but_no_token_is_401() -> None:
    """A credential that cannot be a token needs no store to be refused."""
    settings = {
        **CHEAP,
        "TOKENHOUSE_STORE__URL": "redis://127.0.0.1:1/0",
        "TOKENHOUSE_SECRET__KEYS": "k" * 32,
    }
    away = App(load(env=settings))
    async with client(away) as http:
        lost = await http.get("/authz/ext", headers={"x-authentication": "f" * 40})
        none = await http.get("/authz/ext")
        malformed = await http.get("/authz/ext", headers={"authorization": "Token a b"})
    await away.house.aclose()

    assert (503, 401, 401) == (lost.status_code, none.status_code, malformed.status_code)
    assert "1" == lost.headers["retry-after"]


async def test_any_failure_of_ours_is_503(app: App) -> None:
    """Whatever goes wrong, no decision was made."""
    asking = Asking(trust=app.house.trust, ip_header="x-real-ip")
    broken = Gate(None, Questions(asking), Answers(asking))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=broken)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as http:
        answer = await http.get("/authz/ext", headers={"x-authentication": "f" * 40})

    assert 503 == answer.status_code
