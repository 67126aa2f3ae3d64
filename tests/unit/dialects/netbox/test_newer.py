"""The newer contract makes tokens of two parts, and refuses some things in other words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.app import service_of
from service.dialects.netbox import DIALECT
from service.house import build
from tests.unit.dialects.netbox.maker import KEY, PROVISION, TOKENS, Netbox, config, netbox

ALICE = 2
WHOLE = {"reuse": True, "max_lifetime": "90d", "bind_ip": "strict"}


@pytest.fixture
async def client(newer: Netbox) -> AsyncIterator[Any]:
    """A client with a token of alice."""
    async with newer.client(await newer.token()) as made:
        yield made


async def made(client: Any, **fields: Any) -> Any:
    """A new token of alice."""
    answer = await client.post(TOKENS, json={"user": ALICE, **fields})
    assert 201 == answer.status_code, answer.text
    return answer.json()


@pytest.mark.parametrize("version", [1, 2])
async def test_a_secret_may_be_chosen(newer: Netbox, client: Any, version: int):
    """The key of the second version is made here all the same."""
    token = await made(client, version=version, token=KEY)
    text = KEY if version == 1 else f"nbt_{token['key']}.{KEY}"
    async with newer.client(text) as caller:
        seen = (await caller.get(token["url"])).json()

    assert (KEY, version) == (token["token"], seen["version"])
    assert token["key"] == seen["key"]
    assert (12 if version == 2 else 0) == len(seen["key"] or "")


@pytest.mark.parametrize(
    ("version", "token", "text"),
    [
        (1, "x", "Ensure this field has at least 40 characters."),
        (1, "a" * 40, "Ensure this field has at least 10 different characters."),
        (2, "-" + KEY[1:], "Ensure this field has letters and digits only."),
        (1, None, "This field may not be null."),
    ],
)
async def test_a_secret_that_cannot_be_one_is_refused(
    client: Any, version: int, token: Any, text: str
):
    """Under its field."""
    answer = await client.post(TOKENS, json={"user": ALICE, "version": version, "token": token})

    assert (400, {"token": [text]}) == (answer.status_code, answer.json())


async def test_a_secret_that_is_taken_is_refused(newer: Netbox, client: Any):
    """Of the first version; of the second one nobody can take the whole."""
    taken = await newer.token("bob")
    body = {"user": ALICE, "version": 1, "token": taken}
    answer = await client.post(TOKENS, json=body)

    said = {"token": ["Token with this Plaintext already exists."]}
    assert (400, said) == (answer.status_code, answer.json())


async def test_an_end_in_the_past_makes_no_token(client: Any):
    """Alone and in a list; an existing token may be given one."""
    past = {"user": ALICE, "expires": "2001-01-01"}
    alone = await client.post(TOKENS, json=past)
    listed = await client.post(TOKENS, json=[{"user": ALICE}, past])
    count = (await client.get(TOKENS)).json()["count"]
    fresh = await made(client)
    ended = await client.patch(fresh["url"], json={"expires": "2001-01-01"})

    said = "Expiration time must be in the future. Current server time is 20"
    assert 400 == alone.status_code == listed.status_code
    assert alone.json()["expires"][0].startswith(said)
    assert [[], ["expires"]] == [list(each) for each in listed.json()]
    assert 1 == count
    assert "2001-01-01T00:00:00Z" == ended.json()["expires"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_what_makes_a_token_what_it_is_stays(client: Any, method: str):
    """Its user is ignored, its version and secret are refused, its own may be sent back."""
    fresh = await made(client)

    async def change(**fields: Any) -> Any:
        return await client.request(method, fresh["url"], json={"user": 1, **fields})

    kept = await change(version=2, token=fresh["token"], enabled=True)
    version, secret = [await change(**each) for each in ({"version": 1}, {"token": KEY})]

    assert (200, "alice") == (kept.status_code, kept.json()["user"]["username"])
    assert "token" not in kept.json()
    assert [400] * 2 == [each.status_code for each in (version, secret)]
    assert ["__all__", "token"] == [next(iter(each.json())) for each in (version, secret)]


async def test_a_disabled_token_is_refused_until_it_is_enabled(client: Any):
    """It stays in the list, and keeps everything else that was said of it."""
    fresh = await made(client, write_enabled=False)
    bearer = {"Authorization": f"Bearer nbt_{fresh['key']}.{fresh['token']}"}

    async def use() -> tuple[int, Any]:
        answer = await client.get(TOKENS, headers=bearer)
        return answer.status_code, answer.json().get("detail")

    off = (await client.patch(fresh["url"], json={"enabled": False})).json()
    assert (False, False) == (off["enabled"], off["write_enabled"])
    assert (403, "Token disabled") == await use()
    listed = (await client.get(TOKENS, params={"enabled": "false"})).json()
    assert [fresh["id"]] == [each["id"] for each in listed["results"]]

    other = (await client.patch(fresh["url"], json={"write_enabled": True})).json()
    assert (False, True) == (other["enabled"], other["write_enabled"])
    on = (await client.patch(fresh["url"], json={"enabled": True})).json()
    assert (True, True) == (on["enabled"], on["write_enabled"])
    assert 200 == (await use())[0]


async def test_a_change_of_what_is_not_there_any_more_is_refused(client: Any):
    """Who says what he has seen changes that and nothing else; a use is no change."""
    fresh = await made(client)
    url = fresh["url"]
    seen = (await client.get(url)).headers["etag"]
    again = (await client.get(url, params={"brief": 1})).headers["etag"]
    stale = {"If-Match": 'W/"0000000000000000", W/"1"'}

    async def status(method: str, tags: str, **fields: Any) -> int:
        json = fields if method == "PATCH" else None
        headers = {"If-Match": tags}
        return (await client.request(method, url, headers=headers, json=json)).status_code

    assert seen == again
    refused = await client.patch(url, headers=stale, json={"description": "x"})
    assert (412, {"detail": "Precondition failed."}) == (refused.status_code, refused.json())
    assert "" == (await client.get(url)).json()["description"]
    assert 200 == await status("PATCH", f'W/"1", {seen}', description="x")
    assert seen != (await client.get(url)).headers["etag"]
    assert 412 == await status("PATCH", seen, description="y")
    assert 200 == await status("PATCH", "*", description="y")
    assert 412 == await status("DELETE", seen)
    assert 204 == await status("DELETE", "*")


async def test_of_many_changes_of_one_state_one_is_made(redis_server: Any):
    """Over two nodes, and whether they change or delete: all others are told so."""
    shared = {"store": {"url": redis_server.url}, "secret": {"keys": ["k" * 32]}}
    async with netbox({"contract": "4.6"}, **shared) as one:
        key = await one.token()
        other = build(config({"contract": "4.6"}, **shared))
        two = Netbox(other, DIALECT.build(service_of(other)))
        async with one.client(key) as here, two.client(key) as there:
            for _ in range(5):
                fresh = await here.post(TOKENS, json={"user": ALICE})
                url, tag = fresh.json()["url"], {"If-Match": fresh.headers["etag"]}
                said = [f"change {number}" for number in range(8)]
                changes = [
                    (here, there)[at % 2].patch(url, headers=tag, json={"description": each})
                    for at, each in enumerate(said)
                ]
                ends = [client.delete(url, headers=tag) for client in (there, here)]
                answers = await asyncio.gather(*changes, *ends)
                codes = [each.status_code for each in answers]
                now = await there.get(url)

                (made,) = (at for at, code in enumerate(codes) if code < 300)
                assert {404, 412} >= set(codes) - {codes[made]}
                assert (said[made] if made < 8 else None) == now.json().get("description")
        await other.aclose()


async def test_a_key_that_cannot_be_had_again_is_null(newer: Netbox, client: Any, monkeypatch: Any):
    """A node may lack the secret that it was made with."""
    fresh = await made(client)
    monkeypatch.setattr(newer.house.tokens, "text_of", lambda token: None)
    seen = (await client.get(fresh["url"])).json()

    assert (None, "******", 2) == (seen["key"], seen["display"], seen["version"])


async def test_options_have_the_newer_names(client: Any):
    """And the newer fields."""
    fresh = await made(client)
    answers = [(await client.options(path)).json() for path in (TOKENS, fresh["url"])]

    assert ["Token List", "Token Instance"] == [each["name"] for each in answers]
    assert {"version", "enabled", "token"} < set(answers[0]["actions"]["POST"])


async def test_every_answer_has_an_id_of_its_own(newer: Netbox):
    """Those of what there is not, too."""
    async with newer.client() as caller:
        paths = ("/api/", "/api/nope/", TOKENS, TOKENS)
        answers = [await caller.get(path) for path in paths]

    assert 4 == len({answer.headers["x-request-id"] for answer in answers})
    assert {"4.6"} == {answer.headers["api-version"] for answer in answers}


async def test_only_readers_are_shown_the_slash(newer: Netbox):
    """A body that is sent again to another path is lost."""
    async with newer.client() as caller:
        statuses = [
            (await caller.request(method, TOKENS[:-1])).status_code
            for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS")
        ]

    assert [301, 301, 404, 404, 404] == statuses


async def test_the_older_contract_has_no_check(newer: Netbox):
    """Who is asking is a question of 4.5."""
    path = "/api/authentication-check/"
    async with netbox() as older, older.client(await older.token()) as caller:
        assert 404 == (await caller.get(path)).status_code
    async with newer.client() as caller:
        assert 403 == (await caller.get(path)).status_code


@pytest.mark.parametrize(
    ("contract", "policy"), [("3.3", {}), ("4.6", {}), ("4.6", {"idle": "1h"}), ("4.6", WHOLE)]
)
async def test_a_new_token_is_told_as_it_is_kept(contract: str, policy: dict[str, Any]):
    """Whatever was wished, what is said of it at once is what is read of it later."""
    wishes: list[dict[str, Any]] = [
        {},
        {"version": 1},
        {"description": " a b ", "write_enabled": False, "enabled": False},
        {"expires": "2999-01-01T00:00:00Z", "allowed_ips": ["10.0.0.0/8", "::/0"]},
        {"allowed_ips": [], "version": 1, "token": KEY},
        {"token": KEY, "key": KEY[::-1]},
    ]
    made = netbox({"contract": contract}, policy={"netbox": policy})
    async with made as house, house.client(await house.token("admin")) as client:
        alone = [await client.post(TOKENS, json={"user": ALICE, **each}) for each in wishes[:4]]
        listed = await client.post(TOKENS, json=[{"user": ALICE, **each} for each in wishes])
        login = await client.post(PROVISION, json={"username": " alice", "password": "pw"})
        told = [*(each.json() for each in (*alone, login)), *listed.json()]
        later = [await client.get(each["url"]) for each in told]
        read = [each.json() for each in later]

    for body in (*told, *read):
        body.pop("token", None)
        if "idle" in policy:
            assert body.pop("expires")
    assert told == read
    tags = [each.headers.get("etag") for each in later]
    assert [each.headers.get("etag") for each in alone] == tags[: len(alone)]
    assert (contract == "4.6") is (tags[0] is not None)
