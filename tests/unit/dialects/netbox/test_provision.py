"""Whoever has the name and the password of a user gets a token; nobody else learns anything."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from service.model import Issued
from tests.unit.dialects.netbox.maker import PROVISION, TOKENS, Netbox, netbox

GOOD = {"username": "alice", "password": "pw"}
WISHES = {
    "expires": "2031-01-01T00:00:00Z",
    "write_enabled": False,
    "description": "laptop",
    "allowed_ips": ["192.0.2.0/24"],
}


async def provision(made: Netbox, body: Any, **client: Any) -> Any:
    """The answer to a login with *body*."""
    async with made.client(**client) as caller:
        return await caller.post(PROVISION, json=body)


@pytest.mark.parametrize("contract", ["3.3", "4.6"])
async def test_what_is_wished_of_the_token_is_heeded(contract: str):
    """Its end, whether it writes, its description, and from where it may be used."""
    async with netbox({"contract": contract}) as made:
        answer = await provision(made, {**GOOD, **WISHES})

    assert 201 == answer.status_code
    assert WISHES == {name: answer.json()[name] for name in WISHES}


@pytest.mark.parametrize(("contract", "shown"), [("3.3", None), ("4.6", [])])
async def test_networks_that_nobody_named_are_shown_as_there(contract: str, shown: Any):
    """As null in the older contract."""
    async with netbox({"contract": contract}) as made:
        answer = await provision(made, GOOD)

    assert shown == answer.json()["allowed_ips"]


async def test_a_form_may_wish_as_well(house: Netbox):
    """A list is one field for each entry."""
    parts = [(name, (None, text)) for name, text in {**GOOD, "write_enabled": "no"}.items()]
    parts += [("allowed_ips", (None, text)) for text in ("10.0.0.0/8", "192.0.2.1")]
    async with house.client() as caller:
        answer = await caller.post(PROVISION, files=parts)

    assert 201 == answer.status_code
    body = answer.json()
    assert (False, ["10.0.0.0/8", "192.0.2.1/32"]) == (body["write_enabled"], body["allowed_ips"])


@pytest.mark.parametrize(
    ("wish", "errors"),
    [
        ({"write_enabled": "perhaps"}, {"write_enabled": ["Must be a valid boolean."]}),
        (
            {"allowed_ips": "x", "description": None},
            {
                "allowed_ips": ['Expected a list of items but got type "str".'],
                "description": ["This field may not be null."],
            },
        ),
    ],
)
async def test_a_wish_that_cannot_be_granted_makes_no_token(
    house: Netbox, wish: dict[str, Any], errors: dict[str, list[str]]
):
    """Right password or not."""
    answer = await provision(house, {**GOOD, **wish})

    assert (400, errors) == (answer.status_code, answer.json())
    assert [] == await house.house.tokens.of_owner("alice")


@pytest.mark.parametrize("wish", [{"key": "x"}, {"key": "7" * 40}, {"token": "x"}])
async def test_a_key_cannot_be_chosen_here(house: Netbox, wish: dict[str, str]):
    """Not even looked at, in either contract."""
    answer = await provision(house, {**GOOD, **wish})

    assert 201 == answer.status_code
    assert wish.get("key") != answer.json()["key"]


@pytest.mark.parametrize("password", [True, False, ["pw"], {"a": 1}, None])
@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_a_password_that_is_none_reads_the_same_for_everybody(
    house: Netbox, name: str, password: Any
):
    """It does not tell who exists."""
    answer = await provision(house, {"username": name, "password": password})

    said = "Username and password must be provided to provision a token."
    assert (403, {"detail": said}) == (answer.status_code, answer.json())


async def test_a_number_is_the_password_that_was_typed(house: Netbox):
    """As JSON has it."""
    await house.house.users.add("digits", "1.10")
    async with house.client(headers={"Content-Type": "application/json"}) as caller:
        answer = await caller.post(PROVISION, content=b'{"username":"digits","password":1.10}')

    assert 201 == answer.status_code


async def test_logins_are_written_down_without_their_secrets(
    house: Netbox, caplog: pytest.LogCaptureFixture
):
    """The name is escaped, and neither password nor key is in any line."""
    caplog.set_level(logging.DEBUG)
    key = (await provision(house, GOOD)).json()["key"]
    await provision(house, {"username": "al\nice", "password": "hunter2"})
    lines = [(r.name, r.levelname, r.getMessage()) for r in caplog.records]

    assert ("tokenhouse.login", "INFO", "user alice logged in from 192.0.2.1") in lines
    failed = "login failed for user al\\nice from 192.0.2.1"
    assert ("tokenhouse.login", "WARNING", failed) in lines
    assert "hunter2" not in caplog.text
    assert key not in caplog.text


async def test_guessing_is_slowed_down():
    """After the configured failures the right password has to wait as well."""
    async with netbox(login={"attempts": 2}) as made:
        wrong = {**GOOD, "password": "wrong"}
        statuses = [(await provision(made, wrong)).status_code for _ in range(3)]
        answer = await provision(made, GOOD)

    assert [403, 403, 429] == statuses
    assert 429 == answer.status_code
    assert int(answer.headers["retry-after"]) > 1


async def test_too_many_tokens_are_refused_by_name():
    """It is no fault of the password's."""
    async with netbox(policy={"netbox": {"max_tokens": 1}}) as made:
        await provision(made, GOOD)
        answer = await provision(made, GOOD)

    said = "This user already has 1 tokens. Delete one of them first."
    assert (400, {"non_field_errors": [said]}) == (answer.status_code, answer.json())


async def test_replicas_that_have_the_token_are_counted(house: Netbox, monkeypatch: Any):
    """Only where somebody asked for replicas a header says how many acknowledged."""
    real = await house.issued()

    async def issue(*_: Any, **__: Any) -> Issued:
        return Issued(
            text=real.text,
            token_id=real.token_id,
            created_ms=0,
            expires_ms=0,
            reused=False,
            replicas=2,
        )

    assert "x-tokenhouse-replicas" not in (await provision(house, GOOD)).headers
    monkeypatch.setattr(house.house.logins, "issue", issue)
    assert "2" == (await provision(house, GOOD)).headers["x-tokenhouse-replicas"]


async def test_an_outage_after_a_token_is_made_keeps_nobody_from_it(
    house: Netbox, monkeypatch: Any
):
    """Nothing has to be read any more to tell of it."""
    real, last = house.house.logins.issue, house.house.client.run

    async def issue(*words: Any, **names: Any) -> Issued:
        issued = await real(*words, **names)
        monkeypatch.setattr(house.house.client, "run", None)
        return issued

    monkeypatch.setattr(house.house.logins, "issue", issue)
    answer = await provision(house, GOOD)
    monkeypatch.setattr(house.house.client, "run", last)
    async with house.client(answer.json()["key"]) as caller:
        read = await caller.get(answer.json()["url"])

    assert (201, 200) == (answer.status_code, read.status_code)
    assert {**answer.json(), "last_used": ...} == {**read.json(), "last_used": ...}


async def test_a_token_that_is_used_again_is_read():
    """It is shown as it is; when somebody has deleted it at once it is 404."""
    async with netbox(policy={"netbox": {"reuse": True}}) as house:
        first = (await provision(house, GOOD)).json()
        async with house.client(first["key"]) as caller:
            await caller.patch(first["url"], json={"description": "mine"})
        again = (await provision(house, GOOD)).json()
        real = house.house.logins.issue

        async def issue(*words: Any, **names: Any) -> Issued:
            issued = await real(*words, **names)
            await house.house.users.delete("alice")
            return issued

        house.house.logins.issue = issue  # type: ignore[method-assign]
        gone = await provision(house, GOOD)

    assert (first["key"], "mine") == (again["key"], again["description"])
    assert (404, {"detail": "Not found."}) == (gone.status_code, gone.json())


async def test_the_newer_contract_makes_tokens_of_both_versions(newer: Netbox):
    """Of the second one the key is known to everybody, and the secret is shown once."""
    second = (await provision(newer, GOOD)).json()
    first = (await provision(newer, {**GOOD, "version": 1})).json()
    async with newer.client(f"nbt_{second['key']}.{second['token']}") as caller:
        listed = (await caller.get(TOKENS)).json()["results"]

    assert [(2, 12, 40), (1, 0, 40)] == [
        (each["version"], len(each["key"] or ""), len(each["token"])) for each in (second, first)
    ]
    assert [False, False] == ["token" in each for each in listed]
    assert first["token"] not in str(listed)


@pytest.mark.parametrize("version", [0, 3, "x", None])
async def test_there_is_no_third_version(newer: Netbox, version: Any):
    """Nor one that is no number."""
    answer = await provision(newer, {**GOOD, "version": version})

    assert (400, ["version"]) == (answer.status_code, list(answer.json()))


async def test_the_newer_contract_takes_an_end_in_the_past(newer: Netbox):
    """Only here, as the product does; the token is dead from the start."""
    answer = await provision(newer, {**GOOD, "expires": "2001-01-01"})

    assert (201, "2001-01-01T00:00:00Z") == (answer.status_code, answer.json()["expires"])
