"""Logins: one refusal for every reason, and no token for a password that is no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.core.passwords import Passwords
from service.errors import BadCredentials, ClientAddressUnknown, NotSetUp, StoreDown
from service.model import Level
from tests.makers import HOME, NETBOX, TOWER, Rig, wish


async def login(rig: Rig, name: str = "alice", password: str = "right", **changes):
    """A token for *name* and *password*."""
    return await rig.logins.issue(wish(name, **changes), password, address=HOME)


async def test_the_right_password_gives_a_token(rig: Rig):
    """Name and password of an active user are a token of his, or the user himself."""
    issued = await login(rig)

    verdict = await rig.tokens.verify(
        issued.text.encode(), address=HOME, agent=wish("alice").agent, write=True
    )
    assert ("alice", True) == (verdict.owner, verdict.allowed)
    assert "alice" == (await rig.logins.check("alice", "right", address=HOME)).name


@pytest.mark.parametrize("spelled", [" alice", "alice ", "alice\u00a0"])
async def test_the_owner_is_the_user_however_he_spelled_his_name(rig: Rig, spelled: str):
    """A login with blanks around the name is the user's own."""
    assert (await login(rig)).token_id == (await login(rig, spelled)).token_id


REFUSED = [
    ("alice", "wrong"),
    ("alice", ""),
    ("alice", "x" * 5_000),
    ("alice", "\ud800"),
    ("nobody", "right"),
    ("Alice", "right"),
    ("", "right"),
    ("a\0lice", "right"),
    ("x" * 200, "right"),
    ("\ud800", "right"),
    ("disabled", "right"),
    ("empty", ""),
    ("empty", "x"),
]


@pytest.mark.parametrize(("name", "password"), REFUSED)
async def test_every_reason_is_one_refusal_at_one_cost(rig: Rig, name: str, password: str):
    """Wrong, unknown, impossible and disabled read the same and compute one hash each."""
    await rig.users.add("disabled", "right")
    await rig.users.disable("disabled")
    await rig.owner("empty")
    tokens = await rig.run(b"KEYS", b"t:*")
    texts = set()
    for attempt in (login(rig, name, password), rig.logins.check(name, password, address=HOME)):
        before = rig.passwords.computed
        with pytest.raises(BadCredentials) as refused:
            await attempt
        texts.add(str(refused.value))
        remembered = (name, password) == ("disabled", "right") and before > 0
        assert remembered or 1 == rig.passwords.computed - before

    assert 1 == len(texts)
    assert tokens == await rig.run(b"KEYS", b"t:*")


@pytest.mark.parametrize("level", [Level.LOG, Level.ENFORCE])
async def test_a_binding_policy_needs_an_address(rig: Rig, level: Level):
    """Where the client's address is not known no token is bound to nothing."""
    policy = replace(TOWER, bind_ip=level)

    with pytest.raises(ClientAddressUnknown):
        await login(rig, policy=policy, address=b"")
    assert 0 == rig.passwords.computed
    assert (await login(rig, policy=NETBOX, address=b"")).text


async def test_an_unknown_user_of_an_emptied_store_is_no_refusal(rig: Rig):
    """Nobody is told that he does not exist by a Redis that has lost its users."""
    await rig.run(b"FLUSHALL")

    with pytest.raises(NotSetUp):
        await login(rig)


async def test_a_password_that_changes_between_check_and_issue_counts_for_nothing(rig: Rig):
    """The token is not made; the old password is compared with the new hash and refused."""
    issue, changed = rig.tokens.issue, False

    async def slow(wanted):
        nonlocal changed
        if not changed:
            changed = True
            await rig.users.set_password("alice", "other")
        return await issue(wanted)

    rig.tokens.issue = slow  # type: ignore[method-assign]
    with pytest.raises(BadCredentials):
        await login(rig)
    assert [] == await rig.run(b"KEYS", b"t:*")
    assert (await login(rig, password="other")).text


async def test_a_password_that_is_set_anew_to_the_same_is_checked_again(rig: Rig):
    """Another hash of the same password is a second check, not a refusal."""
    issue, changed = rig.tokens.issue, 0

    async def slow(wanted):
        nonlocal changed
        if changed < 2:
            changed += 1
            await rig.users.set_password("alice", "right")
        return await issue(wanted)

    rig.tokens.issue = slow  # type: ignore[method-assign]
    assert (await login(rig)).text
    changed = -10
    with pytest.raises(StoreDown):
        await login(rig)


@pytest.mark.parametrize("change", ["disable", "delete", "remake"])
async def test_a_user_who_goes_between_check_and_issue_gets_nothing(rig: Rig, change: str):
    """Disabled, deleted or replaced meanwhile: the login is refused like a wrong password."""
    issue = rig.tokens.issue

    async def slow(wanted):
        if change == "disable":
            await rig.users.disable("alice")
        else:
            await rig.users.delete("alice")
        if change == "remake":
            await rig.users.add("alice", "other")
        return await issue(wanted)

    rig.tokens.issue = slow  # type: ignore[method-assign]
    with pytest.raises(BadCredentials):
        await login(rig)
    assert [] == await rig.run(b"KEYS", b"t:*")


async def test_a_remembered_password_does_not_outlive_its_change(rig: Rig):
    """A second login computes nothing; after a change or a disable it is refused at once."""
    await login(rig)
    await login(rig)
    assert 1 == rig.passwords.computed

    await rig.users.disable("alice")
    with pytest.raises(BadCredentials):
        await login(rig)
    await rig.users.enable("alice")
    await rig.users.set_password("alice", "other")
    with pytest.raises(BadCredentials):
        await login(rig)


async def test_a_login_renews_a_hash_of_other_parameters(rig: Rig):
    """When the config's Argon2 parameters changed the hash follows at the next login, once."""
    strong = Passwords(time_cost=2, memory_kib=16, hashers=1)
    rig.logins._passwords = strong
    first = await login(rig)
    stored = (await rig.users.get("alice")).password

    assert "m=16,t=2,p=1" in stored
    assert first.text == (await login(rig)).text
    assert stored == (await rig.users.get("alice")).password
    strong.close()


async def test_a_renewal_does_not_undo_a_change(rig: Rig):
    """A password changed while a login renews the hash stays the new one."""
    strong = Passwords(time_cost=2, memory_kib=16, hashers=1)
    rig.logins._passwords = strong
    renew = strong.hash

    async def slow(password: str) -> str:
        fresh = await renew(password)
        strong.hash = renew  # type: ignore[method-assign]
        await rig.users.set_password("alice", "other")
        return fresh

    strong.hash = slow  # type: ignore[method-assign]
    with pytest.raises(BadCredentials):
        await login(rig)

    stored = (await rig.users.get("alice")).password
    assert await rig.passwords.check("alice", stored, "other")
    strong.close()
