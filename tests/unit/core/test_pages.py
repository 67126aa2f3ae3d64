"""Pages of tokens: by number, of one owner or many, without reading what is not on the page."""

from __future__ import annotations

import pytest

from service.core.secret import digest_of
from service.errors import StoreDown
from service.model import Token
from service.store.keys import shard_of
from tests.makers import NETBOX, PUPPET, TOWER, Rig, wish


def numbers(tokens: list[Token]) -> list[int]:
    """Their public numbers."""
    return [token.token_id for token in tokens]


async def test_a_page_is_a_part_of_all_by_number(rig: Rig) -> None:
    """Of one policy alone, from either end."""
    made = [(await rig.tokens.issue(wish("alice", NETBOX))).token_id for _ in range(7)]
    await rig.tokens.issue(wish("alice", TOWER))

    assert (made[2:5], 7) == await _page(rig, ["alice"], 2, 3)
    assert (made[5:], 7) == await _page(rig, ["alice"], 5, 50)
    assert (made[::-1][:2], 7) == await _page(rig, ["alice"], 0, 2, newest=True)
    assert ([], 7) == await _page(rig, ["alice"], 9, 3)


async def test_many_owners_make_one_list(rig: Rig) -> None:
    """By number, whoever's they are; an owner without tokens or unknown adds nothing."""
    names = ["alice", "bob", "carol", "dave"]
    made = []
    for name in names[1:]:
        await rig.owner(name)
    for turn in range(12):
        made.append((await rig.tokens.issue(wish(names[turn % 3], NETBOX))).token_id)

    assert (sorted(made)[4:9], 12) == await _page(rig, [*names, "nobody"], 4, 5)


async def test_the_dead_are_neither_on_a_page_nor_counted(rig: Rig) -> None:
    """At once, by a revocation, a mark or a vanished record."""
    made = [await rig.tokens.issue(wish("alice", NETBOX)) for _ in range(4)]
    await rig.tokens.revoke(made[1].text.encode())
    assert ([made[0].token_id, *(each.token_id for each in made[2:])], 3) == await _page(
        rig, ["alice"], 0, 9
    )
    await rig.run(b"DEL", rig.keys.token(shard_of("alice"), digest_of(made[0].text.encode())))
    assert ([made[2].token_id, made[3].token_id], 2) == await _page(rig, ["alice"], 0, 9)

    await rig.store.revoke_owner("alice")

    assert ([], 0) == await _page(rig, ["alice"], 0, 9)


async def test_a_page_is_not_empty_while_living_tokens_follow(rig: Rig) -> None:
    """Though hundreds of dead ones came before them, of one owner and of another."""
    await rig.owner("bob")
    for name in ("alice", "bob"):
        for _ in range(30):
            await rig.make(name, NETBOX)
        await rig.store.revoke_owner(name)
    living = [(await rig.tokens.issue(wish(n, NETBOX))).token_id for n in ("alice", "bob", "alice")]

    assert (sorted(living)[:2], 3) == await _page(rig, ["alice", "bob"], 0, 2)
    assert (sorted(living)[2:], 3) == await _page(rig, ["alice", "bob"], 2, 2)


async def test_a_store_that_cannot_be_written_still_has_pages(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dead is left out and still counts."""
    gone = await rig.make(policy=NETBOX)
    last = (await rig.tokens.issue(wish("alice", NETBOX))).token_id
    await rig.run(b"DEL", gone.key)

    async def fail(_: str) -> int:
        raise StoreDown("test")

    monkeypatch.setattr(rig.store, "bury_all", fail)

    assert ([last], 2) == await _page(rig, ["alice"], 0, 9)


async def test_a_part_from_a_number_on_says_where_to_go_on(rig: Rig) -> None:
    """Through the tokens of several owners, from whatever number, until there is no more."""
    names, made = ["alice", "bob", "carol"], []
    for name in names[1:]:
        await rig.owner(name)
    for turn in range(10):
        made.append((await rig.tokens.issue(wish(names[turn % 3], NETBOX))).token_id)
    await rig.tokens.issue(wish("bob", PUPPET))
    made.sort()
    seen: list[int] = []
    first: int | None = 0
    while first is not None:
        found, first = await rig.tokens.page_from(names, NETBOX, first=first, size=4)
        seen += numbers(found)

    assert made == seen
    for at in range(10):
        for first, expected in ((made[at], made[at : at + 4]), (made[at] + 1, made[at + 1 :][:4])):
            found, _ = await rig.tokens.page_from(names, NETBOX, first=first, size=4)
            assert expected == numbers(found)
    assert ([], None) == await rig.tokens.page_from(names, NETBOX, first=1 << 55, size=4)


async def test_a_part_goes_on_behind_the_dead(rig: Rig) -> None:
    """Also when all in one part are dead, and not tidied away yet."""
    for _ in range(7):
        last = (await rig.tokens.issue(wish("alice", NETBOX))).token_id
    for gone in (await rig.tokens.of_owner("alice"))[1:]:
        await rig.run(b"DEL", rig.keys.token(shard_of("alice"), gone.digest))

    found, more = await rig.tokens.page_from(["alice"], NETBOX, first=0, size=3)
    assert ([], True) == (found, more is not None)
    found, more = await rig.tokens.page_from(["alice"], NETBOX, first=more or 0, size=9)
    assert ([last], None) == (numbers(found), more)


async def _page(
    rig: Rig, names: list[str], start: int, size: int, *, newest: bool = False
) -> tuple[list[int], int]:
    found, count = await rig.tokens.page(names, NETBOX, start=start, size=size, newest=newest)
    return numbers(found), count
