"""The list of tokens: its order, its pages and its filters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dialects.nautobot.maker import TOKENS, Nautobot


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
        ("q=", ["", "Alpha", "beta", "ALPHABET"]),
        ("write_enabled=False", ["beta"]),
        ("write_enabled=false&q=alpha", []),
        ("write_enabled=null", ["", "Alpha", "beta", "ALPHABET"]),
        ("limit=2&offset=1", ["Alpha", "beta"]),
        ("offset=9", []),
        ("limit=1&api_version=1.3&format=json&brief=0", [""]),
        ("created__gte=2001-01-01", ["", "Alpha", "beta", "ALPHABET"]),
        ("created__lte=2001-01-01", []),
        ("expires__gte=2001-01-01", []),
        ("id=", ["", "Alpha", "beta", "ALPHABET"]),
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


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("id=7", {"id": ["Enter a valid UUID."]}),
        ("created=x", {"created": ["Enter a valid date/time."]}),
        ("user=bob", {"user": ["Unknown filter field"]}),
        ("description=x", {"description": ["Unknown filter field"]}),
        ("last_used=x", {"last_used": ["Unknown filter field"]}),
        ("id__n=7", {"id__n": ["Unknown filter field"]}),
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
