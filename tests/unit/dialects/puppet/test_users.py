"""Users: who am I, who is that, revoking and reinstating, a new password."""

from __future__ import annotations

from typing import Any

import pytest

from service.core.ids import for_users, to_uuid
from service.core.users import PAGE
from service.dialects.puppet import texts
from service.errors import NoSuchUser, StoreDown
from tests.unit.dialects.puppet.maker import (
    COMMAND,
    CONSOLE,
    CURRENT,
    LOGIN,
    NOBODYS,
    USERS,
    Puppet,
    puppet,
    refused,
)

PASSWORD = f"{CURRENT}/password"


async def test_who_is_asking(house: Puppet, bob: Any):
    """Exactly the documented keys, and the same under his id."""
    body = (await bob.get(CURRENT)).json()

    assert {
        "id": await house.sid(),
        "login": "bob",
        "email": "",
        "display_name": "bob",
        "role_ids": [],
        "is_group": False,
        "is_remote": False,
        "is_superuser": False,
        "is_revoked": False,
        "last_login": None,
    } == body
    assert body == (await bob.get(f"{USERS}/{body['id']}")).json()
    assert body == (await bob.get(f"{USERS}/{body['id'].upper()}")).json()


async def test_a_list_has_everybody_once(house: Puppet, alice: Any):
    """``api_user`` first, whatever fits a page; a directory entry without a record is passed."""
    names = [f"user{n:03d}" for n in range(3 * PAGE)]
    for name in names:
        await house.house.users.owners.create(name, {"password": ""})
    await house.house.users.delete("carol")
    await house.house.users.owners.client.run(
        (b"ZADD", house.house.users.owners.keys.users, 1_000_000, "ghost")
    )

    answer = await alice.get(USERS)

    assert "application/json; charset=utf-8" == answer.headers["content-type"]
    told = answer.json()
    assert ["api_user", "alice", "bob", *names] == [user["login"] for user in told]
    assert told[2] == (await alice.get(f"{USERS}/{await house.sid()}")).json()
    assert (200, b"") == ((head := await alice.head(USERS)).status_code, head.content)
    assert "content-length" not in answer.headers


async def test_a_short_list_has_its_length(alice: Any):
    """As every other answer."""
    answer = await alice.get(USERS)

    assert str(len(answer.content)) == answer.headers["content-length"]
    assert 4 == len(answer.json())


async def test_some_users_are_found_by_their_ids(house: Puppet, alice: Any):
    """In the order of the filter, however it is written."""
    bob, carol = await house.sid(), await house.sid("carol")
    for query in (f"?id={carol},{NOBODYS},,%20{bob},{bob}", f"?id={carol}&id={bob}"):
        found = (await alice.get(USERS + query)).json()

        assert [carol, bob] == [user["id"] for user in found]
    assert [] == (await alice.get(f"{USERS}?id=")).json()
    assert (400, "invalid-id-filter") == refused(await alice.get(f"{USERS}?id={bob},x"))


async def test_a_list_is_for_superusers_and_certificates(house: Puppet, anybody: Any, bob: Any):
    """Others learn nobody's id but their own, by the filter neither."""
    assert (401, texts.UNAUTHENTICATED) == refused(await anybody.get(USERS))
    for query in ("", f"?id={await house.sid()}"):
        assert (403, texts.DENIED) == refused(await bob.get(USERS + query))
    allowed = {"puppet": {"cert_allowlist": [CONSOLE]}}
    async with puppet(dialects=allowed) as other, other.client(cert=f"CN={CONSOLE}") as console:
        logins = [user["login"] for user in (await console.get(USERS)).json()]

    assert ["api_user", "alice", "bob", "carol"] == logins


async def test_a_list_that_breaks_off_has_no_end(
    house: Puppet, alice: Any, monkeypatch: pytest.MonkeyPatch
):
    """An outage at first is a 503, and after that there is no whole list."""
    for n in range(2 * PAGE):
        await house.house.users.owners.create(f"user{n:03d}", {"password": ""})
    after, sent = house.house.users.owners.after, list[dict[str, Any]]()

    async def fail(number: int, size: int) -> Any:
        if number >= broken_from:
            raise StoreDown("test")
        return await after(number, size)

    async def send(message: Any) -> None:
        sent.append(message)

    monkeypatch.setattr(house.house.users.owners, "after", fail)
    broken_from = 0
    assert (503, texts.SERVER) == refused(await alice.get(USERS))
    broken_from = PAGE + 1
    scope = alice.build_request("GET", USERS)
    headers = [(k.lower(), v) for k, v in scope.headers.raw]
    asked = {
        "type": "http",
        "method": "GET",
        "path": USERS,
        "query_string": b"",
        "headers": headers,
    }
    await house.app({**asked, "client": ("192.0.2.1", 1)}, None, send)  # type: ignore[arg-type]

    assert [200, True] == [sent[0]["status"], sent[-1]["more_body"]]
    assert not sent[-1]["body"].endswith(b"]")


async def test_a_user_has_a_name_and_an_address(house: Puppet, alice: Any):
    """As they were said when he was made."""
    await house.house.users.add(
        "dave", "secret", first="Dave", last="Null", email="dave@example.org"
    )

    body = (await alice.get(f"{USERS}/{await house.sid('dave')}")).json()

    assert ("Dave Null", "dave@example.org") == (body["display_name"], body["email"])


async def test_admin_has_the_id_that_he_has_everywhere(house: Puppet, alice: Any):
    """And is found by it once he is there, and by the one that he would have, too."""
    nobody = await alice.get(f"{USERS}/{texts.ADMIN_ID}")
    admin = await house.house.users.add("admin", "secret", superuser=True)
    own = to_uuid(admin.user_id, for_users(await house.house.tokens.born()))

    found = [(await alice.get(f"{USERS}/{name}")).json() for name in (texts.ADMIN_ID, own)]

    assert (404, texts.NOT_FOUND) == refused(nobody)
    assert found[0] == found[1]
    assert ("admin", texts.ADMIN_ID, [1]) == (
        found[0]["login"],
        found[0]["id"],
        found[0]["role_ids"],
    )


async def test_others_are_for_superusers(house: Puppet, bob: Any, alice: Any):
    """Anybody else does not learn who there is."""
    carol = await house.sid("carol")

    for name in (carol, NOBODYS, texts.ADMIN_ID, texts.API_USER_ID):
        assert (403, texts.DENIED) == refused(await bob.get(f"{USERS}/{name}"))
    assert "carol" == (await alice.get(f"{USERS}/{carol}")).json()["login"]
    assert "api_user" == (await alice.get(f"{USERS}/{texts.API_USER_ID}")).json()["login"]
    assert (404, texts.NOT_FOUND) == refused(await alice.get(f"{USERS}/{NOBODYS}"))


@pytest.mark.parametrize(
    "name", ["bob", "1", NOBODYS[:-1], NOBODYS.replace("-", ""), "{" + NOBODYS + "}"]
)
async def test_what_is_no_uuid_is_said_to_be_none(alice: Any, name: str):
    """Whoever asks."""
    assert (400, texts.INVALID_UUID) == refused(await alice.get(f"{USERS}/{name}"))


async def test_a_deleted_user_is_not_found(house: Puppet, alice: Any):
    """Nor is a later one of his name under his id."""
    carol = await house.sid("carol")
    await house.house.users.delete("carol")
    gone = await alice.get(f"{USERS}/{carol}")
    await house.house.users.add("carol", "secret")

    assert (404, texts.NOT_FOUND) == refused(gone)
    assert (404, texts.NOT_FOUND) == refused(await alice.get(f"{USERS}/{carol}"))


# -- revoking ----------------------------------------------------------------------------------


async def command(client: Any, what: str, name: str) -> Any:
    """Tell what shall become of the user with the id *name*."""
    return await client.post(f"{COMMAND}/{what}", json={"user_id": name})


async def test_a_revoked_user_is_dead_with_every_token(house: Puppet, alice: Any, anybody: Any):
    """Reinstated he may log in; his old tokens stay dead."""
    carol = await house.sid("carol")
    tokens = [await house.token("carol"), await house.token("carol", policy="netbox")]

    revoked = await command(alice, "revoke", carol)

    assert (204, b"") == (revoked.status_code, revoked.content)
    assert [False, False] == [await house.passes(token) for token in tokens]
    body = {"login": "carol", "password": "secret"}
    assert (401, texts.REVOKED_USER) == refused(await anybody.post(LOGIN, json=body))
    assert (await alice.get(f"{USERS}/{carol}")).json()["is_revoked"]

    reinstated = await command(alice, "reinstate", carol)

    assert (204, b"") == (reinstated.status_code, reinstated.content)
    assert [False, False] == [await house.passes(token) for token in tokens]
    assert 200 == (await anybody.post(LOGIN, json=body)).status_code
    assert not (await alice.get(f"{USERS}/{carol}")).json()["is_revoked"]


async def test_both_can_be_repeated(house: Puppet, alice: Any):
    """What is so already is no fault."""
    carol = await house.sid("carol")

    for what in ("revoke", "revoke", "reinstate", "reinstate"):
        assert 204 == (await command(alice, what, carol)).status_code


@pytest.mark.parametrize("lockout", ["delay", "revoke"])
async def test_a_reinstated_user_has_all_his_guesses_again(lockout: str):
    """One who was locked out need not wait."""
    async with puppet(login={"puppet_lockout": lockout}) as house:
        right = {"login": "carol", "password": "secret"}
        async with house.client(address="192.0.2.66") as attacker:
            for _ in range(10):
                await attacker.post(LOGIN, json={**right, "password": "wrong"})
        async with house.client(await house.token("alice")) as alice:
            assert 204 == (await command(alice, "reinstate", await house.sid("carol"))).status_code
            carol = await alice.post(LOGIN, json=right)
            wrong = await alice.post(LOGIN, json={**right, "password": "wrong"})

        assert 200 == carol.status_code
        assert (401, texts.UNAUTHENTICATED) == refused(wrong)
        assert (await house.house.users.get("carol")).active


@pytest.mark.parametrize("what", ["revoke", "reinstate"])
async def test_only_superusers_decide_who_stays(house: Puppet, bob: Any, what: str):
    """Not even about oneself; and nobody learns who there is."""
    for name in (await house.sid(), await house.sid("carol"), NOBODYS, "x"):
        assert (403, texts.DENIED) == refused(await command(bob, what, name))
    assert (await house.house.users.get("bob")).active


@pytest.mark.parametrize("what", ["revoke", "reinstate"])
async def test_who_is_not_there_is_not_found(
    house: Puppet, alice: Any, what: str, monkeypatch: pytest.MonkeyPatch
):
    """Also when he goes at that very moment; what is no id is said to be none."""
    assert (404, texts.NOT_FOUND) == refused(await command(alice, what, NOBODYS))
    assert (400, texts.INVALID_UUID) == refused(await command(alice, what, "carol"))

    async def gone(name: str) -> None:
        raise NoSuchUser(name)

    for name in ("revoke", "enable"):
        monkeypatch.setattr(house.house.users, name, gone)
    carol = await house.sid("carol")
    assert (404, texts.NOT_FOUND) == refused(await command(alice, what, carol))


@pytest.mark.parametrize("what", ["revoke", "reinstate"])
async def test_api_user_stays(alice: Any, what: str):
    """Nobody can do without it."""
    assert (403, texts.DENIED) == refused(await command(alice, what, texts.API_USER_ID))


@pytest.mark.parametrize("body", [{}, {"user_id": 1}, {"user_id": None}, {"user_id": "x", "y": 1}])
async def test_a_command_that_does_not_fit_is_a_violation(alice: Any, body: object):
    """Nothing happens."""
    assert (400, texts.SCHEMA) == refused(await alice.post(f"{COMMAND}/revoke", json=body))


# -- passwords ---------------------------------------------------------------------------------


async def change(client: Any, old: str, new: object) -> Any:
    """Ask for another password."""
    return await client.put(PASSWORD, json={"current_password": old, "password": new})


async def test_a_password_is_changed_by_who_knows_it(house: Puppet, bob: Any):
    """Tokens live on."""
    token = await house.token()

    answer = await change(bob, "secret", "better!")

    assert (200, b"") == (answer.status_code, answer.content)
    assert await house.passes(token)
    login = {"login": "bob", "password": "secret"}
    assert (401, texts.UNAUTHENTICATED) == refused(await bob.post(LOGIN, json=login))
    assert 200 == (await bob.post(LOGIN, json={**login, "password": "better!"})).status_code


async def test_a_wrong_password_changes_nothing_and_counts(house: Puppet, bob: Any):
    """403; and guessing meets the same end as at the login."""
    found = [refused(await change(bob, "wrong", "better!")) for _ in range(11)]

    assert [(403, texts.DENIED)] * 10 + [(401, texts.REVOKED_USER)] == found
    assert (await house.house.users.get("bob")).active


@pytest.mark.parametrize("new", ["short", "", 5, None, "x" * 1025])
async def test_a_password_that_cannot_be_is_refused(house: Puppet, bob: Any, new: object):
    """And not said back."""
    status, kind = refused(await change(bob, "secret", new))

    assert 400 == status
    assert kind in {texts.SCHEMA, texts.MALFORMED}
    assert 200 == (await change(bob, "secret", "secret")).status_code


async def test_the_first_of_two_changes_wins(
    house: Puppet, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """The second saw a password that is no more."""
    real = house.house.logins.check

    async def check(*args: Any, **kwargs: Any) -> Any:
        user = await real(*args, **kwargs)
        await house.house.users.set_password("bob", "another")
        return user

    monkeypatch.setattr(house.house.logins, "check", check)

    assert (403, texts.DENIED) == refused(await change(bob, "secret", "better!"))
    stored = (await house.house.users.get("bob")).password
    assert await house.house.passwords.check("bob", stored, "another")


async def test_api_user_has_no_password_to_change():
    """It has none."""
    sections = {"dialects": {"puppet": {"cert_allowlist": [CONSOLE]}}}
    async with puppet(**sections) as house, house.client(cert=CONSOLE) as console:
        assert (403, texts.DENIED) == refused(await change(console, "secret", "better!"))


async def test_a_store_that_is_away_changes_no_password(
    house: Puppet, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """It is not the client's fault."""

    async def fail(*_: object, **__: object) -> None:
        raise StoreDown("timeout")

    monkeypatch.setattr(house.house.logins, "check", fail)

    assert (503, texts.SERVER) == refused(await change(bob, "secret", "better!"))
