"""The list of tokens: its order, its pages and its filters."""

from __future__ import annotations

from typing import Any

import pytest

from service.core.secret import digest_of, shard_of_text
from service.core.tokens import Wish
from service.dialects.nautobot.shape import BRIEF
from tests.unit.dialects.nautobot.maker import KEY, TOKENS, Nautobot


@pytest.fixture
async def described(house: Nautobot, key: str) -> list[str]:
    """Further tokens of bob's, by their descriptions."""
    names = ["Alpha", "beta", "ALPHABET"]
    for name in names:
        await house.token(description=name, write=name != "beta")
    return names


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["", "Alpha", "beta", "ALPHABET"]),
        ("q=alpha", ["Alpha", "ALPHABET"]),
        ("q=%20beta%20", ["beta"]),
        ("q=beta&q=alpha", ["Alpha", "ALPHABET"]),
        ("q=", ["", "Alpha", "beta", "ALPHABET"]),
        ("write_enabled=False", ["beta"]),
        ("write_enabled=false&q=alpha", []),
        ("write_enabled=null", ["", "Alpha", "beta", "ALPHABET"]),
        ("limit=2&offset=1", ["Alpha", "beta"]),
        ("offset=9", []),
        ("limit=1&api_version=1.3&format=json&brief=&include=computed_fields", [""]),
        ("created__gte=2001-01-01", ["", "Alpha", "beta", "ALPHABET"]),
        ("created__lte=2001-01-01", []),
        ("expires__gte=2001-01-01", []),
        ("created__lt=2001-01-01", []),
        ("created__gt=2001-01-01&expires__lte=2001-01-01", []),
        ("created__n=2001-01-01&expires__n=2001-01-01", ["", "Alpha", "beta", "ALPHABET"]),
        ("id=", ["", "Alpha", "beta", "ALPHABET"]),
        ("id__ic=-4", ["", "Alpha", "beta", "ALPHABET"]),
        ("id__niew=x&include=computed_fields", ["", "Alpha", "beta", "ALPHABET"]),
        ("id__isw=x&limit=1", []),
        (f"offset={'9' * 23}", []),
    ],
)
async def test_a_query_selects(bob: Any, described: list[str], query: str, expected: list[str]):
    """The oldest first, whatever was used last."""
    page = (await bob.get(f"{TOKENS}?{query}")).json()

    assert expected == [token["description"] for token in page["results"]]


async def test_several_ids_select_several_tokens(bob: Any, described: list[str]):
    """One that nobody has, and one in other letters, do no harm."""
    names = [token["id"] for token in (await bob.get(TOKENS)).json()["results"]]
    wanted = [names[1].upper(), names[2].replace("-", ""), "0" * 32]
    page = (await bob.get(TOKENS, params={"id": wanted})).json()

    assert names[1:3] == [token["id"] for token in page["results"]]


async def test_ids_leave_out_and_keys_select(bob: Any, described: list[str]):
    """Whole ones and parts of them."""
    listed = (await bob.get(TOKENS)).json()["results"]
    one = listed[1]
    queries = {
        f"id__n={one['id']}": 3,
        f"id__nic={one['id']}": 3,
        f"id__ie={one['id'].upper()}": 1,
        f"q={one['id'].upper()}": 1,
        f"q={one['id'][:-1]}": 0,
        f"key={one['key']}": 1,
        f"key={one['key'].upper()}": 0,
        f"key__n={one['key']}&key__n={listed[2]['key']}": 2,
        f"key__isw={one['key'][:20].upper()}": 1,
        f"key__niew={one['key'][20:]}": 3,
    }
    counts = {query: (await bob.get(f"{TOKENS}?{query}")).json()["count"] for query in queries}

    assert queries == counts


async def test_a_key_that_nobody_can_tell_any_more_is_found(house: Nautobot, bob: Any):
    """It came by its digest alone; to say that it is taken, and not where, would help nobody."""
    digest, place = digest_of(KEY.encode()), shard_of_text(KEY.encode())
    wish = Wish(owner="bob", policy=house.house.policies["nautobot"])
    moved = house.house.tokens.foreign(wish, digest=digest, place=place)
    await house.house.tokens.imports.many([moved])
    found = (await bob.get(TOKENS, params={"key": KEY})).json()["results"]
    others = (await bob.get(TOKENS, params={"key__n": KEY})).json()["results"]

    assert [None] == [token["key"] for token in found]
    assert 1 == len(others)
    assert found[0]["id"] != others[0]["id"]


@pytest.mark.parametrize("value", ["True", "true", "1", "0", "x"])
async def test_anything_makes_it_brief(bob: Any, key: str, value: str):
    """As the product has it; pynautobot says True."""
    (listed,) = (await bob.get(TOKENS, params={"brief": value})).json()["results"]
    one = (await bob.get(listed["url"], params={"brief": value})).json()

    assert list(BRIEF) == list(listed)
    assert listed == one


async def test_disabled_tokens_are_listed_and_can_be_deleted(house: Nautobot, bob: Any, key: str):
    """As imports bring them; nobody else could get rid of them."""
    text = await house.token(enabled=False, description="off")
    (found,) = (await bob.get(TOKENS, params={"key": text})).json()["results"]
    async with house.client(text) as off:
        used = await off.get(TOKENS)
    shown, changed = await bob.get(found["url"]), await bob.patch(found["url"], json={})
    deleted = await bob.delete(found["url"])

    assert (403, {"detail": "Invalid token"}) == (used.status_code, used.json())
    assert (200, 200, 204) == (shown.status_code, changed.status_code, deleted.status_code)
    assert "enabled" not in found
    assert 1 == (await bob.get(TOKENS)).json()["count"]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("id=7", {"id": ["Enter a valid UUID."]}),
        ("created=x", {"created": ["Enter a valid date/time."]}),
        ("user=bob", {"user": ["Unknown filter field"]}),
        ("description=x", {"description": ["Unknown filter field"]}),
        ("last_used=x", {"last_used": ["Unknown filter field"]}),
        ("id__n=7", {"id__n": ["Enter a valid UUID."]}),
        ("expires__lt=x", {"expires__lt": ["Enter a valid date/time."]}),
        ("key__empty=true", {"key__empty": ["Unknown filter field"]}),
        ("key__re=a", {"key__re": ["Unknown filter field"]}),
        ("write_enabled__n=true", {"write_enabled__n": ["Unknown filter field"]}),
        ("a=1&b=2", {"a": ["Unknown filter field"], "b": ["Unknown filter field"]}),
    ],
)
async def test_a_query_that_says_nothing_is_refused(
    bob: Any, query: str, errors: dict[str, list[str]]
):
    """To ignore it would be to show more than was asked for."""
    response = await bob.get(f"{TOKENS}?{query}")

    assert (400, errors) == (response.status_code, response.json())


async def test_pages_lead_through_the_whole_list(bob: Any, described: list[str]):
    """By their own links, forth and back."""
    seen, url = [], f"{TOKENS}?limit=3"
    while url:
        page = (await bob.get(url)).json()
        seen += [token["description"] for token in page["results"]]
        url = page["next"]
    back = (await bob.get(page["previous"])).json()

    assert ["", *described] == seen
    assert ["", "Alpha", "beta"] == [token["description"] for token in back["results"]]
