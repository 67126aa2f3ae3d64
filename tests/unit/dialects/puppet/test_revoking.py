"""Revoking by text, name, label and id, in query and body, as much as can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.ids import to_uuid
from service.dialects.puppet import texts, wanted
from service.dialects.puppet.refusal import Refused
from service.dialects.puppet.wanted import SENTENCES, Wanted
from service.errors import StoreDown
from tests.unit.dialects.puppet.maker import NOBODYS, REVOKE, UNKNOWN, Puppet, refused

ARRAYS = {
    "malformed_tokens",
    "malformed_labels",
    "malformed_usernames",
    "malformed_ids",
    "nonexistent_usernames",
    "permission_denied_usernames",
    "permission_denied_ids",
    "unrecognized_parameters",
}


async def revoke(client: Any, body: object = None, **query: str) -> Any:
    """Ask for it by *query* and *body*."""
    content = b"" if body is None else json.dumps(body).encode()
    return await client.request("DELETE", REVOKE, params=query, content=content)


def told(answer: Any) -> dict[str, list[str]]:
    """The arrays of a refusal that hold something; all of them are there."""
    details = answer.json()["details"]
    assert ARRAYS | {"other_tokens_revoked"} == set(details)
    return {name: items for name, items in details.items() if isinstance(items, list) and items}


def others(answer: Any) -> bool:
    """Whether a refusal says that the rest was revoked."""
    body = answer.json()
    revoked: bool = body["details"]["other_tokens_revoked"]
    ending = wanted.OTHERS_REVOKED if revoked else wanted.NONE_REVOKED
    assert body["msg"].endswith(" " + ending)
    return revoked


async def test_a_token_is_revoked_by_whoever_holds_it(house: Puppet, bob: Any):
    """Whosever it is, of whatever policy; the answer is empty."""
    tokens = [await house.token("carol"), await house.token("carol", policy="netbox")]

    answer = await revoke(bob, revoke_tokens=",".join(tokens))

    assert (204, b"") == (answer.status_code, answer.content)
    assert "content-length" not in answer.headers
    assert [False, False] == [await house.passes(token) for token in tokens]


async def test_revoking_again_is_no_fault(house: Puppet, bob: Any):
    """Nor is what never was: nothing of it passes, and that was the wish."""
    token = await house.token(label="l")
    born = await house.house.tokens.born()
    uuid = str(to_uuid((await house.record(token)).token_id, born))
    for _ in range(2):
        for query in (
            {"revoke_tokens": token},
            {"revoke_tokens": UNKNOWN},
            {"revoke_tokens_by_labels": "l"},
            {"revoke_tokens_by_labels": "nothing"},
            {"revoke_tokens_by_ids": uuid},
        ):
            assert 204 == (await revoke(bob, **query)).status_code


async def test_query_and_body_are_united(house: Puppet, bob: Any):
    """And one token named in several ways is one token."""
    one, two, three = [await house.token(label=name) for name in ("1", "2", "3")]

    answer = await revoke(
        bob,
        {"revoke_tokens": [one, two], "revoke_tokens_by_labels": ["2"]},
        revoke_tokens=f"{one},,{one}",
        revoke_tokens_by_labels=" 3 ",
    )

    assert 204 == answer.status_code
    assert [False] * 3 == [await house.passes(token) for token in (one, two, three)]


async def test_a_body_needs_no_content_type(house: Puppet, bob: Any):
    """``curl -X DELETE -d`` calls it a form."""
    token = await house.token()

    answer = await bob.request(
        "DELETE",
        REVOKE,
        content=json.dumps({"revoke_tokens": [token]}),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (204, False) == (answer.status_code, await house.passes(token))


async def test_labels_are_ones_own(house: Puppet, bob: Any, alice: Any):
    """Nobody reaches another's by their label, not even a superuser."""
    token = await house.token("carol", label="l")

    assert 204 == (await revoke(bob, revoke_tokens_by_labels="l")).status_code
    assert 204 == (await revoke(alice, revoke_tokens_by_labels="l")).status_code
    assert await house.passes(token)


async def test_ones_own_name_is_everything_one_has(house: Puppet, bob: Any):
    """The token that is sent as well; the user stays."""
    tokens = [await house.token(), await house.token(policy="tower", address=b"\1" * 16)]

    answer = await revoke(bob, revoke_tokens_by_usernames="bob")

    assert 204 == answer.status_code
    assert [] == await house.live()
    assert [False, False] == [await house.passes(token) for token in tokens]
    assert (await house.house.users.get("bob")).active
    assert (401, texts.REVOKED_TOKEN) == refused(await revoke(bob, revoke_tokens=UNKNOWN))


async def test_others_names_are_for_superusers(house: Puppet, bob: Any, alice: Any):
    """Anybody else does not even learn who there is."""
    token = await house.token("carol")

    answer = await revoke(bob, revoke_tokens_by_usernames="carol,nobody")

    assert (403, texts.DENIED) == refused(answer)
    assert {"permission_denied_usernames": ["carol", "nobody"]} == told(answer)
    assert not others(answer)
    assert await house.passes(token)
    assert 204 == (await revoke(alice, revoke_tokens_by_usernames="carol")).status_code
    assert not await house.passes(token)


async def test_the_documented_example_of_a_user_who_is_gone(house: Puppet, alice: Any):
    """Word for word."""
    token = await house.token()

    answer = await revoke(alice, revoke_tokens=token, revoke_tokens_by_usernames="FormerEmployee")

    assert (400, "malformed-request") == refused(answer)
    assert (
        "The following user does not exist: FormerEmployee. "
        "All other tokens were successfully revoked." == answer.json()["msg"]
    )
    assert {"nonexistent_usernames": ["FormerEmployee"]} == told(answer)
    assert others(answer)
    assert not await house.passes(token)


async def test_the_documented_example_of_a_token_that_is_none(bob: Any):
    """Word for word."""
    answer = await revoke(bob, revoke_tokens="notAToken")

    assert (400, "malformed-request") == refused(answer)
    assert (
        "The following token is malformed: notAToken. "
        "This can be caused by an error while copying and pasting. "
        "No tokens were revoked." == answer.json()["msg"]
    )
    assert {"malformed_tokens": ["notAToken"]} == told(answer)


async def test_everything_that_is_wrong_is_told_at_once(house: Puppet, bob: Any):
    """And what is right beside it is revoked; what is not permitted decides the status."""
    token = await house.token()
    body = {
        "revoke_tokens": [token, "x", 5, None],
        "revoke_tokens_by_labels": ["a,b", "y" * 201, ""],
        "revoke_tokens_by_usernames": ["a\0b", "carol"],
        "revoke_tokens_by_ids": ["z", NOBODYS, await house.sid("carol")],
        "revoke": [],
    }

    answer = await revoke(bob, body, nonsense="1")

    assert (403, texts.DENIED) == refused(answer)
    assert {
        "malformed_tokens": ["5", "(not a string)", "x"],
        "malformed_labels": ["", "a,b", "y" * 200],
        "malformed_usernames": ["a\0b"],
        "malformed_ids": ["z", NOBODYS],
        "permission_denied_usernames": ["carol"],
        "permission_denied_ids": [await house.sid("carol")],
        "unrecognized_parameters": ["nonsense", "revoke"],
    } == told(answer)
    assert others(answer)
    assert not await house.passes(token)


async def test_an_unknown_parameter_does_not_spare_the_others(house: Puppet, bob: Any):
    """They are revoked, and then it is 400."""
    token = await house.token()

    answer = await revoke(bob, revoke_tokens=token, revoke_token=token)

    assert (400, texts.MALFORMED) == refused(answer)
    assert {"unrecognized_parameters": ["revoke_token"]} == told(answer)
    assert others(answer)
    assert not await house.passes(token)


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (None, {}),
        ({}, {}),
        ({"revoke_tokens": []}, {}),
        ({"revoke_tokens": None}, {"revoke_tokens": ""}),
        (None, {"revoke_tokens": " , ,"}),
    ],
)
async def test_to_name_nothing_is_400(bob: Any, body: object, query: dict[str, str]):
    """Empty is nothing."""
    answer = await revoke(bob, body, **query)

    assert (400, texts.MALFORMED) == refused(answer)
    assert {} == told(answer)
    assert not others(answer)


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"', b'{"revoke_tokens":"x"}'])
async def test_what_cannot_be_understood_revokes_nothing(house: Puppet, bob: Any, content: bytes):
    """Not even what stands in the query beside it."""
    token = await house.token()

    answer = await bob.request("DELETE", REVOKE, params={"revoke_tokens": token}, content=content)

    assert (400, texts.MALFORMED) == refused(answer)
    assert await house.passes(token)
    details = answer.json()["details"]
    details.pop("error", None)
    assert {**{name: [] for name in ARRAYS}, "other_tokens_revoked": False} == details


async def test_no_more_than_a_thousand_at_once(bob: Any):
    """One request holds nobody up."""
    many = {"revoke_tokens_by_labels": [str(number) for number in range(1001)]}

    answer = await revoke(bob, many)

    assert (400, texts.MALFORMED) == refused(answer)
    assert "1000" in answer.json()["msg"]


async def test_an_id_is_a_tokens_or_a_users(house: Puppet, bob: Any, alice: Any):
    """Of the token that a list shows, and of whom a user is shown with."""
    born = await house.house.tokens.born()
    own, other = await house.token(), await house.token("carol")
    uuids = [str(to_uuid((await house.record(text)).token_id, born)) for text in (own, other)]

    mine = await revoke(bob, revoke_tokens_by_ids=uuids[0])
    others_token = await revoke(bob, revoke_tokens_by_ids=uuids[1])
    others_all = await revoke(bob, revoke_tokens_by_ids=await house.sid("carol"))

    assert (204, False) == (mine.status_code, await house.passes(own))
    assert (403, texts.DENIED) == refused(others_token) == refused(others_all)
    assert {"permission_denied_ids": [uuids[1]]} == told(others_token)
    assert await house.passes(other)
    assert 204 == (await revoke(alice, revoke_tokens_by_ids=uuids[1])).status_code
    assert not await house.passes(other)
    again = await house.token("carol")
    assert 204 == (await revoke(alice, revoke_tokens_by_ids=await house.sid("carol"))).status_code
    assert not await house.passes(again)
    assert 204 == (await revoke(bob, revoke_tokens_by_ids=await house.sid())).status_code
    assert [] == await house.live()


async def test_the_fixed_ids_are_admin_and_api_user(house: Puppet, alice: Any):
    """Of whom one may not be there, and the other has nothing."""
    admin, api_user = texts.ADMIN_ID, texts.API_USER_ID
    nobody = await revoke(alice, revoke_tokens_by_ids=admin)
    await house.house.users.add("admin", "secret", superuser=True)
    token = await house.token("admin")

    found = await revoke(alice, revoke_tokens_by_ids=f"{admin.upper()},{api_user}")
    named = await revoke(alice, revoke_tokens_by_usernames="api_user")

    assert (400, texts.MALFORMED) == refused(nobody)
    assert (204, False) == (found.status_code, await house.passes(token))
    assert 204 == named.status_code


async def test_a_token_in_the_path_is_for_superusers(house: Puppet, bob: Any, alice: Any):
    """Anybody else names it in query or body."""
    token = await house.token("carol")

    assert (403, texts.DENIED) == refused(await bob.delete(f"{REVOKE}/{token}"))
    assert await house.passes(token)
    answer = await alice.delete(f"{REVOKE}/{token}")
    assert (204, b"", False) == (
        answer.status_code,
        answer.content,
        await house.passes(token),
    )


async def test_a_path_that_is_no_token_is_400(alice: Any):
    """Also a label, which does not go here."""
    answer = await alice.delete(f"{REVOKE}/notAToken")

    assert (400, texts.MALFORMED) == refused(answer)
    assert {"malformed_tokens": ["notAToken"]} == told(answer)


async def test_nobody_unknown_revokes(house: Puppet, anybody: Any):
    """Not even what he holds."""
    token = await house.token()

    assert (401, texts.UNAUTHENTICATED) == refused(await revoke(anybody, revoke_tokens=token))
    assert await house.passes(token)


async def test_the_credential_in_the_query_is_no_parameter(house: Puppet, anybody: Any):
    """It stands beside them."""
    token, other = await house.token(), await house.token()

    answer = await revoke(anybody, token=token, revoke_tokens=other)

    assert (204, True, False) == (
        answer.status_code,
        await house.passes(token),
        await house.passes(other),
    )


async def test_a_store_that_fails_halfway_comes_first(
    house: Puppet, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """500, whatever else is wrong; what was done is done, and said."""
    real, tokens = house.house.tokens.revoke, [await house.token(), await house.token()]

    async def once(text: bytes) -> bool:
        if text == tokens[1].encode():
            raise StoreDown("timeout")
        return await real(text)

    monkeypatch.setattr(house.house.tokens, "revoke", once)
    answer = await revoke(
        bob, {"revoke_tokens": tokens}, revoke_tokens_by_usernames="carol", nonsense="x"
    )

    assert (500, "puppetlabs.rbac/database-token-error") == refused(answer)
    assert answer.json()["details"]["other_tokens_revoked"]
    assert int(answer.headers["retry-after"]) >= 1
    assert [False, True] == [await house.passes(token) for token in tokens]


@pytest.mark.parametrize("array", SENTENCES)
def test_several_are_told_in_one_sentence(array: str):
    """In the plural, with commas."""
    faults = wanted.Faults()
    faults.add(array, "a")
    one = faults.msg
    faults.add(array, "b")

    assert one.count(".") == faults.msg.count(".")
    assert ": a." in one
    assert ": a, b." in faults.msg


TEXTS = st.text(max_size=5)
VALUES = st.none() | st.booleans() | TEXTS | st.lists(TEXTS | st.none() | st.lists(TEXTS))


@given(
    st.lists(st.tuples(st.sampled_from(sorted(wanted.PARAMETERS)) | TEXTS, TEXTS)),
    st.dictionaries(st.sampled_from(sorted(wanted.PARAMETERS)) | TEXTS, VALUES) | VALUES,
)
def test_whatever_is_named_is_sorted_or_refused(query: list[tuple[str, str]], body: object):
    """Nothing twice, nothing empty, and nothing but refusals."""
    try:
        found = Wanted.of(query, body)
    except Refused:
        return
    for items in found.items.values():
        assert all(items)
        assert len(items) == len(set(items))
    assert set(wanted.PARAMETERS).isdisjoint(found.wrong["unrecognized_parameters"])


async def test_a_number_is_nobodys_name(house: Puppet, alice: Any):
    """Nor a label, nor a token: what is no text cannot be meant."""
    await house.house.users.add("5", "secret")
    token = await house.token("5")
    await house.token("alice", label="5")

    answer = await revoke(
        alice, {"revoke_tokens_by_usernames": [5], "revoke_tokens_by_labels": [5, "", " ", None]}
    )

    assert (400, texts.MALFORMED) == refused(answer)
    assert {
        "malformed_usernames": ["5"],
        "malformed_labels": ["5", "", " ", "(not a string)"],
    } == told(answer)
    assert not others(answer)
    assert await house.passes(token)
    assert 2 == len(await house.live("alice"))
