"""Tokens are made, looked at, changed and deleted one by one."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from service.core.address import pack
from service.core.tokens import Wish
from service.model import NO_AGENT, Level, Word
from tests.unit.dialects.netbox.maker import HOST, KEY, TOKENS, Netbox, netbox

ALICE = 2


ONLY_ASCII = "Ensure this field has visible ASCII characters only, and no comma."


async def made(client: Any, **fields: Any) -> Any:
    """A new token of alice."""
    answer = await client.post(TOKENS, json={"user": ALICE, **fields})
    assert 201 == answer.status_code, answer.text
    return answer.json()


# -- making ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a" * 40, "Ensure this field has at least 10 different characters."),
        ("0123456789 " + "x" * 29, ONLY_ASCII),
        ("0123456789\u2003" + "x" * 29, ONLY_ASCII),
        ("0123456789\x07" + "x" * 29, ONLY_ASCII),
        ("0123456789\x7f" + "x" * 29, ONLY_ASCII),
        ("0123456789," + "x" * 29, ONLY_ASCII),
        ("0123456789é" + "x" * 29, ONLY_ASCII),
    ],
)
async def test_a_key_that_could_be_guessed_or_never_sent_is_refused(
    client: Any, key: str, text: str
):
    """Forty characters alone are not enough."""
    answer = await client.post(TOKENS, json={"user": ALICE, "key": key})

    assert 400 == answer.status_code
    assert answer.json()["key"][0].startswith(text)


async def test_a_chosen_key_is_a_key(house: Netbox, client: Any):
    """Of any visible letters; it works at once, and nobody can choose it again."""
    key = "!~\"'" + KEY[4:]
    made_one = await made(client, key=key)
    async with house.client(headers={"Authorization": f"Token {key}"}) as caller:
        used = await caller.get(f"{TOKENS}{made_one['id']}/")
    again = await client.post(TOKENS, json={"user": ALICE, "key": key})

    assert (200, key) == (used.status_code, used.json()["key"])
    assert (400, {"key": ["Token with this Key already exists."]}) == (
        again.status_code,
        again.json(),
    )


async def test_the_key_of_a_deleted_token_can_be_restored_by_its_owner(house: Netbox, client: Any):
    """That is what choosing keys is for; for others it stays taken while it is remembered."""
    made_one = await made(client, key=KEY)
    await client.delete(made_one["url"])
    async with house.client(await house.token("bob")) as bob:
        stolen = await bob.post(TOKENS, json={"user": 3, "key": KEY})

    assert 400 == stolen.status_code
    assert KEY == (await made(client, key=KEY))["key"]


@pytest.mark.parametrize("key", [{}, {"key": KEY}])
async def test_a_disabled_user_gets_no_token(house: Netbox, admin: Any, key: dict[str, str]):
    """The product would make one that is refused at every use."""
    await house.house.users.disable("alice")
    answer = await admin.post(TOKENS, json={"user": ALICE, **key})

    assert (400, {"user": ["This user is disabled."]}) == (answer.status_code, answer.json())


async def test_a_user_deleted_meanwhile_gets_no_token(house: Netbox, admin: Any, monkeypatch: Any):
    """He was there when he was looked for."""
    real = house.house.tokens.store.issue_all

    async def issue(news: Any) -> Any:
        await house.house.users.delete("alice")
        return await real(news)

    monkeypatch.setattr(house.house.tokens.store, "issue_all", issue)
    answer = await admin.post(TOKENS, json={"user": ALICE})

    said = {"user": ["Related object not found using the provided numeric ID: 2"]}
    assert (400, said) == (answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("user", "text"),
    [
        (True, "Received an unrecognized value: True"),
        (None, "This field may not be null."),
        ([1, "x"], "Received an unrecognized value: [1, 'x']"),
        (1.5, "Received an unrecognized value: 1.5"),
        ("9" * 30, "Received an unrecognized value: " + "9" * 30),
        (10**17, "provided numeric ID: 100000000000000000"),
        ({"username": None}, "provided attributes: {'username': None}"),
        ({"id": {"a": [1.5]}}, "provided attributes: {'id': {'a': [1.5]}}"),
        ({}, "provided attributes: {}"),
        ({"username": "\x00"}, "provided attributes: {'username': '\\x00'}"),
    ],
)
async def test_a_user_who_is_none_is_named_as_he_was_sent(admin: Any, user: Any, text: str):
    """In Python's spelling."""
    answer = await admin.post(TOKENS, json={"user": user})

    assert 400 == answer.status_code
    assert answer.json()["user"][0].endswith(text)


async def test_a_token_is_not_bound_to_nowhere():
    """Where the policy binds, a trusted proxy has to say whom to."""
    options = {"policy": {"netbox": {"bind_ip": "strict"}}}
    async with netbox(server={"trusted_proxies": ["192.0.2.1"]}, **options) as house:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        key = await house.token(address=pack("203.0.113.9"))
        async with house.client(key, headers=headers) as client:
            fresh = await made(client)
        policy = replace(house.house.policies["netbox"], bind_ip=Level.OFF)
        loose = await house.house.tokens.issue(Wish(owner="alice", policy=policy))
        async with house.client(loose.text) as client:
            answer = await client.post(TOKENS, json={"user": ALICE})
        verdict = await house.house.tokens.verify(
            fresh["key"].encode(), address=pack("198.51.100.1"), agent=NO_AGENT, write=False
        )

    assert 400 == answer.status_code
    assert "server.trusted_proxies" in answer.json()["detail"]
    assert Word.MISMATCH is verdict.word


async def test_a_form_makes_a_token(client: Any):
    """In parts; the product breaks on it."""
    answer = await client.post(TOKENS, files={"user": (None, "2"), "description": (None, "form")})

    assert (201, "form", True) == (
        answer.status_code,
        answer.json()["description"],
        answer.json()["write_enabled"],
    )


async def test_the_new_token_is_where_location_says(client: Any):
    """Under the host that was asked."""
    answer = await client.post(TOKENS, json={"user": ALICE})

    assert f"{HOST}{TOKENS}{answer.json()['id']}/" == answer.headers["location"]


@pytest.mark.parametrize("value", ["\ud800", "a\ud800b"])
async def test_what_is_no_text_is_refused(client: Any, value: str):
    """Half a character cannot be kept."""
    body = json.dumps({"user": ALICE, "description": value})
    headers = {"Content-Type": "application/json"}
    answer = await client.post(TOKENS, content=body, headers=headers)

    said = {"description": ["Surrogate characters are not allowed: U+D800."]}
    assert (400, said) == (answer.status_code, answer.json())


async def test_what_is_done_is_written_down_without_keys(
    client: Any, caplog: pytest.LogCaptureFixture
):
    """Who made and deleted whose."""
    caplog.set_level(logging.INFO)
    made_one = await made(client)
    await client.delete(made_one["url"])
    lines = [record.getMessage() for record in caplog.records if "netbox" in record.name]

    assert [
        "user alice made a token for user alice from 192.0.2.1",
        f"user alice deleted token {made_one['id']} of user alice",
    ] == lines
    assert made_one["key"] not in caplog.text


# -- looking ---------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["0", "-1", "x", "9" * 40, "1.5", "%00", "1%2F2"])
async def test_a_number_that_is_none_is_not_found(client: Any, argument: str):
    """Whatever stands in the path."""
    assert 404 == (await client.get(f"{TOKENS}{argument}/")).status_code


async def test_tokens_of_other_policies_are_not_here(house: Netbox, admin: Any):
    """They have dialects of their own."""
    issued = await house.issued("alice", policy="puppet")

    assert 404 == (await admin.get(f"{TOKENS}{issued.token_id}/")).status_code


async def test_tokens_of_others_are_not_here(house: Netbox, client: Any):
    """Nor can they be changed or deleted."""
    path = f"{TOKENS}{(await house.issued('bob')).token_id}/"
    body = {"user": ALICE, "description": "x"}
    answers = [
        await client.request(method, path, json=body)
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ]

    assert [404] * 4 == [answer.status_code for answer in answers]
    assert "bob" == (await house.house.tokens.of_owner("bob"))[0].owner


async def test_a_user_who_goes_meanwhile_takes_his_token_along(
    house: Netbox, admin: Any, monkeypatch: Any
):
    """He is deleted between two questions."""
    issued = await house.issued("alice")
    real = house.house.tokens.get

    async def get(number: int) -> Any:
        token = await real(number)
        await house.house.users.delete("alice")
        return token

    monkeypatch.setattr(house.house.tokens, "get", get)

    assert 404 == (await admin.get(f"{TOKENS}{issued.token_id}/")).status_code


async def test_a_token_of_a_disabled_user_is_still_shown(house: Netbox, admin: Any):
    """Enabled again, he can use it."""
    issued = await house.issued("alice")
    await house.house.users.disable("alice")

    assert 200 == (await admin.get(f"{TOKENS}{issued.token_id}/")).status_code


async def test_a_token_whose_user_is_gone_is_gone(house: Netbox, admin: Any):
    """With him."""
    issued = await house.issued("alice")
    await house.house.users.delete("alice")

    assert 404 == (await admin.get(f"{TOKENS}{issued.token_id}/")).status_code


async def test_a_key_that_is_shown_once_is_shown_to_whom_it_was_made_for():
    """In the answer that made it; from then on only its end is known."""
    settings = {"show_key": "once"}
    async with netbox(settings) as house, house.client(await house.token()) as client:
        fresh = await made(client)
        later = (await client.get(fresh["url"])).json()
        changed = (await client.patch(fresh["url"], json={"description": "x"})).json()
        brief = (await client.get(f"{fresh['url']}?brief=1")).json()

    masked = "*" * 34 + fresh["key"][-6:]
    assert 40 == len(fresh["key"])
    assert [masked] * 4 == [each["display"] for each in (fresh, later, changed, brief)]
    assert [False] * 3 == ["key" in each for each in (later, changed, brief)]


async def test_a_key_that_cannot_be_had_again_is_null(house: Netbox, client: Any, monkeypatch: Any):
    """A node may lack the secret that it was made with."""
    fresh = await made(client)
    monkeypatch.setattr(house.house.tokens, "text_of", lambda token: None)
    later = (await client.get(fresh["url"])).json()

    assert (None, "****** (alice)") == (later["key"], later["display"])


# -- changing --------------------------------------------------------------------------------


async def test_a_change_of_nothing_changes_nothing(client: Any):
    """And what can only be read is ignored."""
    fresh = await made(client, description="d", expires="2031-01-01")
    changed = await client.patch(
        fresh["url"], json={"id": 1, "created": "x", "last_used": "x", "bogus": 1}
    )

    assert (200, fresh) == (changed.status_code, changed.json())


async def test_everything_else_can_be_changed(client: Any):
    """And changed back, the end to never."""
    fresh = await made(client)
    changes = {
        "expires": "2031-01-01T00:00:00Z",
        "write_enabled": False,
        "description": "new",
        "allowed_ips": ["10.0.0.0/8"],
    }
    changed = (await client.patch(fresh["url"], json=changes)).json()
    back = {name: fresh[name] for name in changes}
    again = (await client.patch(fresh["url"], json=back)).json()

    assert {**fresh, **changes} == changed
    assert fresh == again


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_the_key_stays(client: Any, method: str):
    """Its own key may be sent back; any other one is refused and changes nothing."""
    fresh = await made(client)
    same = {"user": ALICE, "key": fresh["key"], "allowed_ips": []}
    kept = await client.request(method, fresh["url"], json=same)
    other = await client.request(method, fresh["url"], json={**same, "key": KEY})

    assert (200, fresh["key"]) == (kept.status_code, kept.json()["key"])
    said = {"key": ["The key of a token cannot be changed. Make a new token instead."]}
    assert (400, said) == (other.status_code, other.json())


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        ({"id": 2, "username": "alice"}, "alice"),
        ({"id": "2", "username": " alice "}, "alice"),
        ({"id": 2, "username": "bob"}, None),
        ({"id": 9, "username": "alice"}, None),
        ({"id": 1, "username": "alice"}, None),
        ({"id": 2, "username": "alice", "email": ""}, None),
        ({}, None),
    ],
)
async def test_a_user_is_who_everything_said_of_him_is_true_of(admin: Any, user: Any, owner: Any):
    """A number and a name that are two users' name nobody; so for a change as well."""
    answer = await admin.post(TOKENS, json={"user": user})
    fresh = await made(admin)
    changed = await admin.patch(fresh["url"], json={"user": user})

    if owner is not None:
        assert (201, owner) == (answer.status_code, answer.json()["user"]["username"])
        assert 200 == changed.status_code
    else:
        said = "Related object not found using the provided attributes"
        assert (400, ["user"]) == (answer.status_code, list(answer.json()))
        assert answer.json()["user"][0].startswith(said)
        assert (400, ["user"]) == (changed.status_code, list(changed.json()))


async def test_the_user_stays(admin: Any):
    """A token cannot be given away."""
    fresh = await made(admin)
    kept = await admin.patch(fresh["url"], json={"user": {"username": "alice"}})
    other = await admin.patch(fresh["url"], json={"user": 3})

    said = {"user": ["The user of a token cannot be changed. Make a new token instead."]}
    assert 200 == kept.status_code
    assert (400, said) == (other.status_code, other.json())


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_token_that_dies_meanwhile_is_not_found(
    house: Netbox, client: Any, monkeypatch: Any, method: str
):
    """Somebody deletes it between two questions."""
    fresh = await made(client)
    real = house.house.tokens.get

    async def get(number: int) -> Any:
        token = await real(number)
        await house.house.tokens.revoke(fresh["key"].encode())
        return token

    monkeypatch.setattr(house.house.tokens, "get", get)
    body = {"user": ALICE, "description": "x"}
    answer = await client.request(method, fresh["url"], json=body)

    assert (404, {"detail": "Not found."}) == (answer.status_code, answer.json())


async def test_a_token_may_delete_itself(house: Netbox):
    """It was good enough for this."""
    issued = await house.issued()
    async with house.client(issued.text) as caller:
        answers = [await caller.delete(f"{TOKENS}{issued.token_id}/") for _ in range(2)]

    assert [204, 403] == [answer.status_code for answer in answers]


# -- in parts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("{}/", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
    ],
)
async def test_options_offer_what_the_caller_may_do(client: Any, path: str, allow: str):
    """Both where there is a list, a change where there is one token."""
    fresh = await made(client)
    answer = await client.options(TOKENS + path.format(fresh["id"]))

    assert (200, allow) == (answer.status_code, answer.headers["allow"])
    assert (["PUT"] if path else ["POST", "PUT"]) == list(answer.json()["actions"])


async def test_options_of_what_there_is_not_offer_nothing(client: Any):
    """It is described all the same."""
    answer = await client.options(f"{TOKENS}1/")

    assert (200, False) == (answer.status_code, "actions" in answer.json())


async def test_head_is_get_without_its_body(client: Any):
    """With its length."""
    fresh = await made(client)
    get, head = await client.get(fresh["url"]), await client.head(fresh["url"])

    assert (200, b"") == (head.status_code, head.content)
    assert get.headers["content-length"] == head.headers["content-length"]
