"""Binding from login to gate: addresses of both families, at every level, through a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from service.app import App
from service.config import load
from tests.nodes import CHEAP

HERE4, HERE6 = "192.0.2.7", "2001:db8:0:1::7"
NEAR4, NEAR6 = "192.0.2.200", "2001:db8:0:1:ffff::1"
FAR4, FAR6 = "192.0.3.7", "2001:db8:0:2::7"


@asynccontextmanager
async def gateway(**settings: str) -> AsyncIterator[tuple[App, httpx.AsyncClient]]:
    """A house with the user alice, and a gateway at 127.0.0.1 that it trusts."""
    mine = {f"TOKENHOUSE_{name}": value for name, value in settings.items()}
    trust = {"TOKENHOUSE_SERVER__TRUSTED_PROXIES": "127.0.0.0/8"}
    app = App(load(env={**CHEAP, **trust, **mine}))
    await app.house.setup.init()
    await app.house.users.add("alice", "pw")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        yield app, client
    await app.house.aclose()


async def login(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """A login of alice with these headers of the gateway's."""
    body = {"username": "alice", "password": "pw"}
    return await client.post("/api/v2/authtoken/", json=body, headers=headers)


async def status(client: httpx.AsyncClient, token: str, **headers: str) -> int:
    """What the gate says of a use with these headers of the gateway's."""
    sent = {"authorization": f"Bearer {token}", **headers}
    return (await client.get("/authz/ext/", headers=sent)).status_code


@pytest.mark.parametrize(
    ("level", "here", "passes", "refused"),
    [
        ("strict", HERE4, [HERE4, f"::ffff:{HERE4}", f"{HERE4}:99"], [NEAR4, FAR4, HERE6]),
        ("strict", HERE6, [HERE6, f"[{HERE6}]:99", "2001:DB8:0:1:0::7"], [NEAR6, FAR6, HERE4]),
        ("strict", f"::ffff:{HERE4}", [HERE4], [NEAR4]),
        ("subnet", HERE4, [HERE4, NEAR4, f"::ffff:{NEAR4}"], [FAR4, HERE6, f"::{HERE4}"]),
        ("subnet", HERE6, [HERE6, NEAR6], [FAR6, HERE4]),
        ("log", HERE4, [HERE4, NEAR4, FAR4, HERE6], []),
        ("off", HERE6, [HERE6, FAR6, HERE4], []),
    ],
)
async def test_a_level_reaches_as_far_as_it_says(
    level: str, here: str, passes: list[str], refused: list[str]
) -> None:
    """An exact address, a /24 or a /64, or anywhere; a client's other family is another place."""
    async with gateway(POLICY__TOWER__BIND_IP=level) as (app, client):
        token = (await login(client, **{"x-forwarded-for": here})).json()["token"]
        said = {
            address: await status(client, token, **{"x-forwarded-for": address})
            for address in [*passes, *refused]
        }
        counted = dict(app.house.tokens.mismatches.counts)

    assert {**dict.fromkeys(passes, 200), **dict.fromkeys(refused, 401)} == said
    assert ({("tower", "address"): 3} if level == "log" else {}) == counted


async def test_uses_at_a_dialect_s_own_paths_are_counted_too() -> None:
    """A token that is used from elsewhere is one, wherever it is used."""
    async with gateway(POLICY__TOWER__BIND_IP="log") as (app, client):
        token = (await login(client, **{"x-forwarded-for": HERE4})).json()["token"]
        sent = {"authorization": f"Token {token}", "x-forwarded-for": FAR4}
        me = await client.get("/api/v2/me/", headers=sent)
        counted = dict(app.house.tokens.mismatches.counts)

    assert (200, {("tower", "address"): 1}) == (me.status_code, counted)


async def test_each_family_has_a_token_of_its_own() -> None:
    """A client that comes by both families logs in once by each, and keeps both tokens."""
    async with gateway() as (_, client):
        tokens = [
            (await login(client, **{"x-forwarded-for": here})).json()["token"]
            for here in (HERE4, HERE6, HERE4, HERE6)
        ]
        said = [
            await status(client, token, **{"x-forwarded-for": here})
            for token, here in zip(tokens, (HERE4, HERE6) * 2, strict=True)
        ]

    assert tokens[:2] == tokens[2:]
    assert [200] * 4 == said


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-forwarded-for", f"6.6.6.6, {HERE4}, 127.0.0.2"),
        ("x-real-ip", HERE4),
        ("x-client-ip", f"{HERE4}:4711"),
        ("cf-connecting-ip", f"::ffff:{HERE4}"),
        ("forwarded", f'for=6.6.6.6, host="a,for=9.9.9.9";for="{HERE4}:_x", for=127.0.0.2'),
    ],
)
async def test_the_header_is_the_one_that_is_configured(header: str, value: str) -> None:
    """At the login and at the gate alike; what other headers say is nothing."""
    others = ("x-forwarded-for", "x-real-ip", "x-client-ip", "cf-connecting-ip", "forwarded")
    lies = {name: f"for={FAR4}" if name == "forwarded" else FAR4 for name in others}
    async with gateway(SERVER__CLIENT_IP_HEADER=header) as (_, client):
        token = (await login(client, **{**lies, header: value})).json()["token"]
        said = [
            await status(client, token, **{**lies, header: value}),
            await status(client, token, **lies),
        ]

    assert [200, 401] == said


async def test_a_login_from_nowhere_is_told_so() -> None:
    """Nothing is bound to the gateway by mistake, unless that is what is wanted."""
    async with gateway() as (app, client):
        refused = await login(client)
        made = await app.house.tokens.of_owners(["alice"])
    async with gateway(SERVER__BIND_IP_FALLBACK="peer") as (_, client):
        taken = await login(client)
        used = await status(client, taken.json()["token"])

    assert 400 == refused.status_code
    assert "address" in refused.text
    assert [] == list(made)
    assert (200, 200) == (taken.status_code, used)
