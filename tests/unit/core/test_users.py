"""Users: made once, named exactly, and gone for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.users import BadPassword
from service.errors import BadName, NoSuchUser, UserExists
from service.model import Word, canonical_name, guarded_name
from tests.makers import NETBOX, Rig


@given(st.text(max_size=160))
def test_a_name_is_canonical_or_refused(text: str):
    """Making a canonical name canonical changes nothing more."""
    try:
        name = canonical_name(text)
    except BadName:
        return
    assert name == canonical_name(name) == canonical_name(f"  {name}\u00a0")
    assert 1 <= len(name) <= 150
    assert guarded_name(text) == guarded_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "\u3000", "a\0b", "a\nb", "a\x7fb", "a\x85b", "x" * 151, "a\ud800"]
)
async def test_what_cannot_be_a_name_is_refused(rig: Rig, name: str):
    """Empty, too long, or with control characters: no user, and nothing is written."""
    before = await rig.everything()

    with pytest.raises(BadName):
        await rig.users.add(name, "pw")
    assert before == await rig.everything()


@pytest.mark.parametrize("spelled", [" bo\u0308b ", "b\u00f6b", "b\u00f6b\t"])
async def test_spellings_of_one_name_are_one_user(rig: Rig, spelled: str):
    """Blanks around and the form of Unicode make no other user; case does."""
    made = await rig.users.add(spelled, "pw")

    assert "b\u00f6b" == made.name == (await rig.users.get("bo\u0308b")).name
    with pytest.raises(UserExists):
        await rig.users.add("b\u00f6b", "pw")
    with pytest.raises(NoSuchUser):
        await rig.users.get("B\u00d6B")


@pytest.mark.parametrize("password", ["", "x" * 1025, "ä" * 513, "a\ud800"])
async def test_what_cannot_be_a_password_is_refused(rig: Rig, password: str):
    """Empty, longer than is ever compared, or no text: refused before anything is written."""
    before = await rig.everything()

    with pytest.raises(BadPassword):
        await rig.users.add("bob", password)
    with pytest.raises(BadPassword):
        await rig.users.set_password("alice", password)
    assert before == await rig.everything()


async def test_the_facts_of_a_user_come_back(rig: Rig):
    """What was said when a user was made is there when it is read."""
    made = await rig.users.add(
        "bob", "pw", superuser=True, first="B", last="Ob", email="b@example.org"
    )

    assert ("B", "Ob", "b@example.org", True, True) == (
        made.first_name,
        made.last_name,
        made.email,
        made.superuser,
        made.active,
    )
    assert made == await rig.users.get("bob") == await rig.users.by_id(made.user_id)
    assert "pw" not in made.password
    assert made.password not in repr(made)


async def test_users_are_listed_by_number(rig: Rig):
    """All users, in the order they were made, also over several pages."""
    names = [f"user{number}" for number in range(7)]
    for name in names:
        await rig.owner(name)

    assert ["alice", *names] == [user.name for user in await rig.users.all()]
    assert 8 == await rig.users.count()
    assert names[2:5] == [user.name for user in await rig.users.page(3, 3)]
    assert [] == await rig.users.page(8, 3)
    assert await rig.users.by_id(10_000) is None


async def test_a_deleted_user_is_gone_and_his_tokens_die_out(rig: Rig):
    """Nothing finds him, his tokens are unknown, and no key of theirs is immortal."""
    user = await rig.users.get("alice")
    made = await rig.make(policy=NETBOX)

    await rig.users.delete("alice")
    await rig.tokens.settle()

    assert Word.UNKNOWN == await rig.word(made)
    assert [] == await rig.users.all() == await rig.immortals()
    assert await rig.users.by_id(user.user_id) is None
    for again in (rig.users.get, rig.users.delete, rig.users.disable, rig.users.enable):
        with pytest.raises(NoSuchUser):
            await again("alice")


async def test_numbers_of_users_are_never_given_twice(rig: Rig):
    """A user made again has a new number."""
    first = await rig.users.get("alice")
    await rig.users.delete("alice")

    again = await rig.users.add("alice", "right")

    assert again.user_id > first.user_id


async def test_a_new_password_leaves_the_tokens_alone(rig: Rig):
    """Changing it kills no token; the old password is worth nothing any more."""
    made = await rig.make()
    old = (await rig.users.get("alice")).password

    await rig.users.set_password("alice", "other")

    new = (await rig.users.get("alice")).password
    assert Word.OK == await rig.word(made)
    assert not await rig.passwords.check("alice", new, "right")
    assert await rig.passwords.check("alice", new, "other")
    assert old != new


async def test_disabled_and_enabled_again(rig: Rig):
    """Disabling shows, and is undone by enabling; both can be repeated."""
    for change, active in ((rig.users.disable, False), (rig.users.enable, True)):
        for _ in range(2):
            await change("alice")
            assert active == (await rig.users.get("alice")).active


async def test_revoking_disables_and_kills_for_good(rig: Rig):
    """Enabled again the user makes new tokens, and the old ones stay dead and are tidied away."""
    old = await rig.make(policy=NETBOX)

    await rig.users.revoke(" alice ")

    assert (False, Word.INACTIVE) == ((await rig.users.get("alice")).active, await rig.word(old))
    await rig.tokens.settle()
    await rig.users.enable("alice")
    assert Word.REVOKED == await rig.word(old)
    assert [] == await rig.immortals()
    assert Word.OK == await rig.word(await rig.make(policy=NETBOX))


async def test_a_login_is_noted_for_who_is_there(rig: Rig):
    """With the time of Redis; nobody comes into being by it."""
    assert 0 == (await rig.users.get("alice")).last_login_ms
    before = await rig.now()

    await rig.users.note_login("alice")
    await rig.users.note_login("nobody")

    user = await rig.users.get("alice")
    assert before <= user.last_login_ms <= await rig.now()
    assert ["alice"] == [each.name for each in await rig.users.all()]
    assert await rig.run(b"KEYS", b"u:*nobody") == []


async def test_a_password_is_replaced_by_one_of_two(rig: Rig):
    """Who saw another password than there is now replaces nothing."""
    seen = await rig.users.get("alice")

    assert await rig.users.replace_password(seen, "first")
    assert not await rig.users.replace_password(seen, "second")

    stored = (await rig.users.get("alice")).password
    assert await rig.passwords.check("alice", stored, "first")
    with pytest.raises(BadPassword):
        await rig.users.replace_password(seen, "")
