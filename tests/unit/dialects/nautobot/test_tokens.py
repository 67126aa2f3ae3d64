"""One token, from its making to its end, and what only shows when things race or are configured."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.dialects.nautobot import texts
from tests.unit.dialects.nautobot.maker import KEY, NOBODYS, TOKENS, Nautobot, dialect, nautobot


async def test_a_name_and_a_password_get_a_token_that_works(house: Nautobot, anybody: Any):
    """The new token is written, shown, and good at once."""
    made = await anybody.post(TOKENS, auth=("bob", "pw"))
    body = made.json()
    async with house.client(body["key"]) as client:
        seen = await client.get(made.headers["location"])

    assert (201, body) == (made.status_code, seen.json())
    assert {body["key"]} == await house.keys()


async def test_each_post_makes_another_token(anybody: Any):
    """There is no reuse here."""
    bodies = [(await anybody.post(TOKENS, auth=("bob", "pw"))).json() for _ in range(2)]

    assert 2 == len({body["key"] for body in bodies})


async def test_nobody_makes_tokens_for_others(house: Nautobot, anybody: Any):
    """The user in the body is ignored, for superusers too."""
    body = {"user": "bob", "description": "x"}
    made = await anybody.post(TOKENS, json=body, auth=("alice", "pw"))

    assert made.json()["display"].endswith("(alice)")
    assert set() == await house.keys("bob")


async def test_a_key_of_ones_own_can_be_had_once(house: Nautobot, anybody: Any):
    """Also among two who ask at the same time."""
    body = {"key": KEY}
    answers = await asyncio.gather(
        anybody.post(TOKENS, json=body, auth=("bob", "pw")),
        anybody.post(TOKENS, json=body, auth=("alice", "pw")),
    )

    assert [201, 400] == sorted(answer.status_code for answer in answers)
    (refused,) = [answer for answer in answers if answer.status_code == 400]
    assert {"key": ["Token with this Key already exists."]} == refused.json()


@pytest.mark.parametrize(
    ("client_keys", "statuses"),
    [("own", [201, 201]), ("superuser", [201, 400]), ("never", [400, 400])],
)
async def test_who_may_choose_keys(client_keys: str, statuses: list[int]):
    """Everybody, superusers or nobody; whoever may not is told so."""
    got = []
    async with nautobot(dialects=dialect(client_keys=client_keys)) as made:
        for name, key in (("alice", KEY), ("bob", KEY[::-1])):
            async with made.client() as client:
                answer = await client.post(TOKENS, json={"key": key}, auth=(name, "pw"))
            got.append(answer.status_code)

    assert statuses == got
    assert 201 == answer.status_code or {"key": [texts.KEY_NOT_CHOSEN]} == answer.json()


@pytest.mark.parametrize("body", [{}, {"key": KEY}])
async def test_a_password_that_changed_meanwhile_gets_no_token(
    house: Nautobot, anybody: Any, body: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """Between the check and the issue; the answer is that of a wrong password."""
    check = house.house.logins.check

    async def then_change(*words: Any, **named: Any) -> Any:
        user = await check(*words, **named)
        await house.house.users.set_password("bob", "another")
        return user

    monkeypatch.setattr(house.house.logins, "check", then_change)
    response = await anybody.post(TOKENS, json=body, auth=("bob", "pw"))

    assert (403, {"detail": "Invalid username/password."}) == (
        response.status_code,
        response.json(),
    )
    assert set() == await house.keys()


async def test_a_user_deleted_meanwhile_gets_no_token_with_a_chosen_key(
    house: Nautobot, anybody: Any, monkeypatch: pytest.MonkeyPatch
):
    """Between the check and the making."""
    make = house.house.tokens.imports.many

    async def delete_first(tokens: Any) -> Any:
        await house.house.users.delete("bob")
        return await make(tokens)

    monkeypatch.setattr(house.house.tokens.imports, "many", delete_first)
    response = await anybody.post(TOKENS, json={"key": KEY}, auth=("bob", "pw"))

    assert (403, {"detail": "User inactive"}) == (response.status_code, response.json())


async def test_a_user_disabled_meanwhile_gets_no_token(
    house: Nautobot, bob: Any, key: str, monkeypatch: pytest.MonkeyPatch
):
    """Between the verdict and the issue."""
    issue = house.house.tokens.store.issue_all

    async def disable_first(news: Any) -> Any:
        await house.house.users.disable("bob")
        return await issue(news)

    monkeypatch.setattr(house.house.tokens.store, "issue_all", disable_first)
    response = await bob.post(TOKENS, json={})

    assert (403, {"detail": "User inactive"}) == (response.status_code, response.json())


async def test_more_tokens_than_allowed_are_refused():
    """With a number, so that one knows what to do."""
    async with nautobot(policy={"nautobot": {"max_tokens": 1}}) as made, made.client() as client:
        answers = [await client.post(TOKENS, auth=("bob", "pw")) for _ in range(2)]

    assert [201, 400] == [answer.status_code for answer in answers]
    assert ["non_field_errors"] == list(answers[1].json())


async def test_a_binding_policy_needs_an_address():
    """Behind a proxy that names none, nothing is made."""
    sections: dict[str, Any] = {
        "policy": {"nautobot": {"bind_ip": "strict"}},
        "server": {"trusted_proxies": ["192.0.2.1"]},
    }
    async with nautobot(**sections) as made, made.client() as client:
        response = await client.post(TOKENS, auth=("bob", "pw"))

    assert 400 == response.status_code
    assert "server.trusted_proxies" in response.json()["detail"]


async def test_another_policys_token_is_not_shown(house: Nautobot, bob: Any):
    """By number it is not there either."""
    await house.token(policy="netbox")
    page = (await bob.get(TOKENS)).json()

    assert 1 == page["count"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", [NOBODYS, "provision", "7", "x" * 300])
async def test_what_is_not_there_is_404(bob: Any, method: str, name: str):
    """Before the body is looked at."""
    response = await bob.request(method, f"{TOKENS}{name}/", content=b"{")

    assert (404, {"detail": "Not found."}) == (response.status_code, response.json())


async def test_a_uuid_is_taken_in_every_spelling(bob: Any):
    """In capitals and without dashes it is the same token."""
    (token,) = (await bob.get(TOKENS)).json()["results"]
    names = [token["id"].upper(), token["id"].replace("-", "")]
    found = [(await bob.get(f"{TOKENS}{name}/")).json() for name in names]

    assert [token, token] == found


async def test_a_token_deleted_meanwhile_cannot_be_changed(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """Between the look and the change; and deleting it again is no error."""
    (token,) = (await bob.get(TOKENS)).json()["results"]
    path = f"{TOKENS}{token['id']}/"
    amend = house.house.tokens.amend

    async def revoke_first(found: Any, change: Any) -> None:
        await house.house.tokens.revoke_id(found.token_id)
        await amend(found, change)

    monkeypatch.setattr(house.house.tokens, "amend", revoke_first)
    response = await bob.patch(path, json={"description": "late"})

    assert (404, {"detail": "Not found."}) == (response.status_code, response.json())


async def test_a_key_that_cannot_be_had_again_is_null(
    house: Nautobot, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """When this node lacks the secret that it was made with."""
    monkeypatch.setattr(house.house.tokens, "text_of", lambda token: None)
    (token,) = (await bob.get(TOKENS)).json()["results"]

    assert (None, "****** (bob)") == (token["key"], token["display"])


async def test_keys_are_shown_once_where_so_configured():
    """When they are made; and no search tells a part of one."""
    async with nautobot(dialects=dialect(show_key="once")) as made:
        key = await made.token()
        async with made.client(key) as client:
            new = (await client.post(TOKENS, json={})).json()
            (token,) = (await client.get(f"{TOKENS}?limit=1")).json()["results"]
            brief = (await client.get(f"{TOKENS}?brief=1&limit=1")).json()["results"][0]
            part = await client.get(TOKENS, params={"key__isw": key[0]})
            whole = await client.get(TOKENS, params={"key": key})

    assert "key" in new
    assert "key" not in token | brief
    assert (400, 200, 1) == (part.status_code, whole.status_code, whole.json()["count"])


async def test_brief_is_for_one_token_too(bob: Any):
    """Any but the two words for it is no such wish."""
    (token,) = (await bob.get(TOKENS)).json()["results"]
    path = f"{TOKENS}{token['id']}/"
    brief = (await bob.get(f"{path}?brief=1")).json()
    whole = (await bob.get(f"{path}?brief=")).json()

    assert ["id", "url", "display", "key", "write_enabled"] == list(brief)
    assert token == whole


async def test_options_offer_what_can_be_done(house: Nautobot, bob: Any):
    """A token that is not there can hardly be changed."""
    (token,) = (await bob.get(TOKENS)).json()["results"]
    there = (await bob.options(f"{TOKENS}{token['id']}/")).json()
    nowhere = (await bob.options(f"{TOKENS}{NOBODYS}/")).json()

    assert ["PUT"] == list(there["actions"])
    assert "actions" not in nowhere
    assert list(token) == list(there["actions"]["PUT"])
