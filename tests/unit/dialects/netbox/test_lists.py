"""A list has what its caller may see and his query selects, in order, a part at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.dialects.netbox.maker import HOST, TOKENS, Netbox, netbox


@pytest.fixture
async def many(house: Netbox) -> AsyncIterator[Any]:
    """A client of the superuser, in a house with tokens of two users."""
    for owner in ("alice", "bob"):
        for number in range(2):
            await house.token(owner, description=f"{owner}'s {number}")
    async with house.client(await house.token("admin")) as client:
        yield client


async def found(client: Any, query: str) -> list[str]:
    """The descriptions of the tokens that *query* selects."""
    answer = await client.get(f"{TOKENS}?{query}")
    assert 200 == answer.status_code, answer.text
    return [each["description"] for each in answer.json()["results"]]


ALL = {"alice's 0", "alice's 1", "bob's 0", "bob's 1", ""}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("user=alice", {"alice's 0", "alice's 1"}),
        ("user=alice&user=bob", ALL - {""}),
        ("user_id=3", {"bob's 0", "bob's 1"}),
        ("user_id=3&user_id=1", {"bob's 0", "bob's 1", ""}),
        ("user=alice&user_id=3", set()),
        ("user__n=alice&user_id__n=1", {"bob's 0", "bob's 1"}),
        ("user=", ALL),
        ("q=ALICE", {"alice's 0", "alice's 1"}),
        ("q=%20&q=", ALL),
        ("q=s%200", {"alice's 0", "bob's 0"}),
        ("description__empty=true", {""}),
    ],
)
async def test_a_superuser_chooses_among_everybodys(many: Any, query: str, expected: set[str]):
    """By the name and by the number of their user."""
    assert expected == set(await found(many, query))


@pytest.mark.parametrize("query", ["user=nobody", "user_id=999", "user_id=x", "user=%01"])
async def test_who_is_not_there_is_no_choice(many: Any, query: str):
    """Said by the name that was asked for."""
    answer = await many.get(f"{TOKENS}?{query}")

    name, _, value = query.replace("%01", "\x01").partition("=")
    said = f"Select a valid choice. {value} is not one of the available choices."
    assert (400, {name: [said]}) == (answer.status_code, answer.json())


@pytest.mark.parametrize("query", ["user=bob", "user_id=3", "user=nobody", "user_id__n=999"])
async def test_others_are_no_choice_for_who_may_not_see_them(client: Any, query: str):
    """Whether they exist or not."""
    assert 400 == (await client.get(f"{TOKENS}?{query}")).status_code


async def test_oneself_is_a_choice(client: Any):
    """By either way."""
    counts = [
        (await client.get(f"{TOKENS}?{q}")).json()["count"] for q in ("user=alice", "user_id=2")
    ]

    assert [1, 1] == counts


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user=alice&ordering=-id", ["alice's 1", "alice's 0"]),
        ("user=alice&ordering=-created", ["alice's 1", "alice's 0"]),
        ("user=alice&ordering=-description", ["alice's 1", "alice's 0"]),
        ("ordering=user,-id&limit=2", ["", "alice's 1"]),
        ("ordering=-user,id&limit=2", ["bob's 0", "bob's 1"]),
        ("ordering=last_used&limit=1", [""]),
        ("ordering=expires,write_enabled,bogus,-user,id&limit=1", ["bob's 0"]),
        ("user=alice&ordering=id&ordering=-id", ["alice's 1", "alice's 0"]),
        ("user=alice&ordering=-id&ordering=bogus", ["alice's 0", "alice's 1"]),
    ],
)
async def test_a_list_is_sorted_as_wished(many: Any, query: str, expected: list[str]):
    """By number unless another order is wished for."""
    assert expected == await found(many, query)


@pytest.mark.parametrize("name", ["q", "description", "description__ic"])
async def test_no_text_has_a_nul(many: Any, name: str):
    """So nobody can look for one."""
    answer = await many.get(f"{TOKENS}?{name}=x%00y")

    said = {name: ["Null characters are not allowed."]}
    assert (400, said) == (answer.status_code, answer.json())


async def test_keys_sort_only_where_they_are_shown(house: Netbox):
    """Otherwise the order would tell something of them."""
    for _ in range(4):
        last = await house.token()
    async with house.client(last) as client:
        shown = (await client.get(f"{TOKENS}?ordering=key")).json()["results"]
    async with netbox({"show_key": "once"}) as other:
        for _ in range(4):
            last = await other.token()
        async with other.client(last) as client:
            plain = (await client.get(TOKENS)).json()["results"]
            wished = (await client.get(f"{TOKENS}?ordering=-key")).json()["results"]
            guessed = (await client.get(f"{TOKENS}?key__isw={last[:2]}&key__n=x")).json()
            known = (await client.get(f"{TOKENS}?key={last}")).json()

    keys = [each["key"] for each in shown]
    assert sorted(keys) == keys
    assert [each["id"] for each in plain] == [each["id"] for each in wished]
    assert (4, 1) == (guessed["count"], known["count"])


async def test_dead_tokens_are_not_listed(house: Netbox, client: Any):
    """Expired ones are, until they are forgotten."""
    await house.house.tokens.revoke(await house.token() and (await house.token()).encode())
    await house.token(end_ms=1_000, description="expired")

    assert ["", "", "expired"] == sorted(await found(client, ""))


async def test_nothing_is_exported(client: Any):
    """As if it did not exist."""
    answer = await client.get(f"{TOKENS}?export=csv")

    assert (404, {"detail": "Not found."}) == (answer.status_code, answer.json())


async def test_links_follow_the_proxy_and_the_prefix():
    """Only where the proxy is trusted."""
    headers = {"X-Forwarded-Host": "netbox.example", "X-Forwarded-Proto": "https"}
    options: dict[str, Any] = {"headers": headers, "root_path": "/netbox"}
    seen = []
    for proxies in (["192.0.2.1"], []):
        async with netbox(server={"trusted_proxies": proxies}) as house:
            await house.token()
            async with house.client(await house.token(), **options) as client:
                body = (await client.get(f"{TOKENS}?limit=1")).json()
            seen.append((body["next"], body["results"][0]["user"]["url"]))

    path, user = "/netbox/api/users/tokens/?limit=1&offset=1", "/netbox/api/users/users/2/"
    assert [
        (f"https://netbox.example{path}", f"https://netbox.example{user}"),
        (HOST + path, HOST + user),
    ] == seen


async def test_the_suffix_is_kept_in_links(house: Netbox):
    """Those to the list itself, to a token and to its user."""
    await house.token()
    async with house.client(await house.token()) as client:
        body = (await client.get("/api/users/tokens.json?limit=1")).json()
        one = body["results"][0]
        again = (await client.get(one["url"])).json()

    assert f"{HOST}/api/users/tokens.json?limit=1&offset=1" == body["next"]
    assert one["url"].endswith(f"/tokens/{one['id']}.json")
    assert one["user"]["url"].endswith("/users/2.json")
    assert one["url"] == again["url"]


# -- the newer contract ----------------------------------------------------------------------


async def test_the_newer_list_begins_with_the_newest(newer: Netbox):
    """By its default."""
    for number in range(3):
        last = await newer.token(description=str(number))
    async with newer.client(last) as client:
        assert ["2", "1", "0"] == await found(client, "")
        assert ["0", "1", "2"] == await found(client, "ordering=created")


async def test_the_newer_list_has_more_filters(newer: Netbox):
    """By version, by public key, by whether it is enabled, by last use."""
    async with newer.client(await newer.token()) as client:
        fresh = (await client.post(TOKENS, json={"user": 2})).json()
        queries = {
            "version=2": 1,
            "version=1": 1,
            "version__gte=1": 2,
            f"key={fresh['key']}": 1,
            f"key__isw={fresh['key'][:3]}": 1,
            "enabled=false": 0,
            "enabled=true": 2,
            "last_used__gte=2001-01-01": 1,
            "ordering=version,key": 2,
        }
        counts = {q: (await client.get(f"{TOKENS}?{q}")).json()["count"] for q in queries}

    assert queries == counts


async def test_members_are_chosen_and_left_out(newer: Netbox):
    """In one answer; unknown ones do not matter."""
    async with newer.client(await newer.token()) as client:
        body = (await client.get(f"{TOKENS}?fields=id,version,bogus&omit=id,x")).json()
        omitted = (await client.get(f"{TOKENS}?omit=id")).json()["results"][0]

    assert [{"version": 1}] == body["results"]
    assert "id" not in omitted
    assert "url" in omitted


async def numbers(client: Any, query: str) -> list[Any]:
    """What *query* selects."""
    return (await client.get(f"{TOKENS}?{query}")).json()["results"]


async def test_a_cursor_reads_on_by_number(newer: Netbox):
    """It counts nothing and leads on until there is no more."""
    for _ in range(4):
        last = await newer.token()
    async with newer.client(last) as client:
        url: str | None = f"{TOKENS}?start=0&limit=3"
        sizes, seen = [], set()
        while url is not None:
            body = (await client.get(url)).json()
            assert (None, None) == (body["count"], body["previous"])
            sizes.append(len(body["results"]))
            seen |= {each["id"] for each in body["results"]}
            url = body["next"]
        clash = await client.get(f"{TOKENS}?start=0&offset=1")
        nothing = (await client.get(f"{TOKENS}?start=999999999999")).json()

        some = sorted(seen)[1:3]
        query = f"start={some[0]}&limit=2&fields=id&ordering=-id"
        assert some == [each["id"] for each in await numbers(client, query)]
        assert some == [each["id"] for each in await numbers(client, f"{query}&q=ALICE")]

    assert ([3, 1], 4) == (sizes, len(seen))
    said = ["'start' and 'offset' are mutually exclusive."]
    assert (400, said) == (clash.status_code, clash.json())
    assert (None, []) == (nothing["next"], nothing["results"])


async def test_nothing_is_read_that_is_not_asked_for(newer: Netbox, monkeypatch: Any):
    """By a number, and from one on, whoever asks: the others are left unread."""
    ids = [(await newer.issued(name)).token_id for name in ("alice", "bob", "alice")]
    stranger, read = (await newer.issued("bob", policy="tower")).token_id, []
    records = newer.house.tokens.records
    real = records.at

    async def at(places: Any) -> Any:
        read.append(len(places))
        return await real(places)

    monkeypatch.setattr(records, "at", at)
    monkeypatch.setattr(records, "of_owners", None)
    async with (
        newer.client(await newer.token("admin")) as admin,
        newer.client(await newer.token()) as alice,
    ):
        parts = [await numbers(admin, f"start={min(ids)}&limit=2") for _ in range(2)]
        named = f"id={ids[0]}&id={ids[1]}&id={stranger}&id={1 << 48}"
        both = [[each["id"] for each in await numbers(who, named)] for who in (admin, alice)]
        one = [await numbers(alice, f"id={ids[0]}&{more}") for more in ("q=alice", "q=bob")]
        wrong = await alice.get(f"{TOKENS}?id={ids[0]}&created=x")

    assert ([2, 2], [2, 2]) == (read, [len(part) for part in parts])
    assert [sorted(ids[:2], reverse=True), [ids[0]]] == both
    assert [1, 0] == [len(each) for each in one]
    assert (400, {"created": ["Enter a valid date/time."]}) == (wrong.status_code, wrong.json())
