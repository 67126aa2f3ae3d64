"""A request is from whoever has the token, and from nobody when there is none."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.dialects.netbox.maker import PROVISION, TOKENS, Netbox, netbox

SOURCE = "Source IP {} is not permitted to authenticate using this token."
GOOD = {"username": "alice", "password": "pw"}


async def detail(made: Netbox, header: str, **client: Any) -> str:
    """What a request with this Authorization header is refused with."""
    headers = {"Authorization": header.encode("latin-1")}
    async with made.client(headers=headers, **client) as caller:
        answer = await caller.get(TOKENS)
    assert 403 == answer.status_code
    assert "www-authenticate" not in answer.headers
    return answer.json()["detail"]


async def test_any_token_of_this_house_works(house: Netbox):
    """One of another policy says who one is, but is not listed."""
    async with house.client(await house.token(policy="puppet")) as caller:
        answer = await caller.get(TOKENS)

    assert (200, 0) == (answer.status_code, answer.json()["count"])


@pytest.mark.parametrize(
    ("contract", "text"), [("3.3", "Invalid token"), ("4.6", "Invalid v1 token")]
)
async def test_a_dead_token_is_no_token(contract: str, text: str):
    """Deleted, or of a user who was."""
    async with netbox({"contract": contract}) as made:
        issued = await made.issued()
        await made.house.tokens.revoke_id(issued.token_id)
        other = await made.token("bob")
        await made.house.users.delete("bob")

        assert [text] * 2 == [await detail(made, f"Token {key}") for key in (issued.text, other)]


async def test_a_token_is_used_from_its_networks_only(house: Netbox):
    """The address is named as it was seen, and is not believed from strangers."""
    key = await house.token(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    for address in ("10.9.9.9", "2001:db8::5", "::ffff:10.9.9.9"):
        async with house.client(key, address=address) as caller:
            assert 200 == (await caller.get(TOKENS)).status_code

    assert SOURCE.format("192.0.2.1") == await detail(house, f"Token {key}")
    assert SOURCE.format("2001:db9::1") == await detail(
        house, f"Token {key}", address="2001:db9::1"
    )


@pytest.mark.parametrize("network", ["::/0", "::/1", "::/64", "::1"])
@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1"])
async def test_no_network_of_ipv6_lets_ipv4_in(
    house: Netbox, client: Any, network: str, address: str
):
    """However wide it is, and however the address is written."""
    fresh = (await client.post(TOKENS, json={"user": 2, "allowed_ips": [network]})).json()
    said = await detail(house, f"Token {fresh['key']}", address=address)
    async with house.client(fresh["key"], address="::1") as caller:
        inside = await caller.get(TOKENS)

    assert SOURCE.format("192.0.2.1") == said
    assert 200 == inside.status_code


async def test_a_proxy_is_asked_for_the_address():
    """One that names none leaves a restricted token without use."""
    async with netbox(server={"trusted_proxies": ["192.0.2.1"]}) as made:
        key = await made.token(networks=(ip_network("10.0.0.0/8"),))
        async with made.client(key, headers={"X-Forwarded-For": "10.1.1.1"}) as caller:
            assert 200 == (await caller.get(TOKENS)).status_code
        said = await detail(made, f"Token {key}")

    assert said.startswith("Client IP address could not be determined for validation.")


async def test_a_bound_token_is_none_elsewhere():
    """A policy may bind tokens to addresses; the product knows no such thing."""
    async with netbox(policy={"netbox": {"bind_ip": "strict"}}) as made:
        async with made.client() as caller:
            key = (await caller.post(PROVISION, json=GOOD)).json()["key"]
        async with made.client(key) as caller:
            assert 200 == (await caller.get(TOKENS)).status_code

        assert "Invalid token" == await detail(made, f"Token {key}", address="192.0.2.9")


async def test_two_headers_are_one_that_is_malformed(house: Netbox):
    """So nobody can be shown one token and be given another."""
    key = await house.token()
    async with house.client() as caller:
        headers = [("Authorization", f"Token {key}")] * 2
        answer = await caller.get(TOKENS, headers=headers)

    said = "Invalid token header. Token string should not contain spaces."
    assert (403, said) == (answer.status_code, answer.json()["detail"])


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Bearer", "Invalid authorization header: Must be in the form"),
        ("Bearer nbt_x", "Invalid authorization header: Could not parse key from v2 token."),
        ("bearer nbt_x.y", "Invalid v2 token"),
        ("Bearer x", "Invalid v1 token"),
        ("Token \xff", "Invalid authorization header: Token contains invalid characters"),
        ("Basic x", "Authentication credentials were not provided."),
    ],
)
async def test_the_newer_contract_has_its_own_words(newer: Netbox, header: str, text: str):
    """The scheme does not say which version a token is."""
    assert (await detail(newer, header)).startswith(text)


async def test_a_user_deleted_since_the_verdict_has_no_token(house: Netbox, monkeypatch: Any):
    """He is gone between two questions."""
    key = await house.token()
    real = house.house.tokens.verify

    async def verify(*words: Any, **names: Any) -> Any:
        verdict = await real(*words, **names)
        await house.house.users.delete("alice")
        return verdict

    monkeypatch.setattr(house.house.tokens, "verify", verify)

    assert "Invalid token" == await detail(house, f"Token {key}")


async def test_tokens_of_both_versions_pass_under_both_contracts(newer: Netbox):
    """A changed contract locks nobody out."""
    async with newer.client() as caller:
        made = (await caller.post(PROVISION, json=GOOD)).json()
    text = f"nbt_{made['key']}.{made['token']}"
    async with netbox() as older:
        older_key = await older.token(text=text)
        async with older.client(text) as caller:
            shown = (await caller.get(TOKENS)).json()["results"][0]

    assert text == older_key == shown["key"]
    assert f"{text[-6:]} (alice)" == shown["display"]
