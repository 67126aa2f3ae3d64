"""Records: tokens as lists show them, in the words that verify would use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model import Word, token_id
from service.store.records import pack_texts, unpack_texts
from tests.lua.test_verify import disabled, floored, idle_out, killed, marked
from tests.makers import MINUTE, NETBOX, PUPPET, TOWER, Rig

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.dictionaries(st.sampled_from(["label", "description", "client"]), TEXT))
def test_texts_come_apart_again(texts: dict[str, str]):
    """What was packed comes out, but for the empty ones."""
    assert {key: value for key, value in texts.items() if value} == unpack_texts(pack_texts(texts))


async def test_a_list_is_newest_first_and_whole(rig: Rig):
    """All of an owner's tokens are listed, over several pages too, newest first."""
    made = [await rig.make(policy=(TOWER, NETBOX, PUPPET)[n % 3]) for n in range(30)]

    for page in (7, 30, 500):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("service.store.records.PAGE", page)
            found = await rig.records.of_owner("alice")
        assert [each.digest for each in reversed(made)] == [token.digest for token in found]
    assert {"live"} == {token.state for token in found}
    assert [] == await rig.records.of_owner("nobody")


@pytest.mark.parametrize("spoil", [killed, floored, idle_out, disabled, marked])
async def test_a_state_is_the_word_of_verify(rig: Rig, spoil):
    """A dead token's state is what a use of it would be refused with."""
    made = await rig.make()
    await spoil(rig, made)

    states = [token.state for token in await rig.records.of_owner("alice")]

    assert [await rig.word(made)] == states


async def test_a_token_tells_its_times(rig: Rig):
    """Creation, end and last use are there in ms since the epoch; no use is 0."""
    made = await rig.make()
    token = (await rig.records.of_owner("alice"))[0]
    assert (made.outcome.created_ms, 0) == (token.created_ms, token.last_used_ms)
    assert abs(made.outcome.expires_ms - token.expires_ms) <= 5_000

    await rig.age(made, MINUTE)
    await rig.use(made)
    token = (await rig.records.of_owner("alice"))[0]
    assert token.created_ms <= token.last_used_ms <= await rig.now()
    assert abs(token.expires_ms - token.last_used_ms - TOWER.idle_ms) <= 5_000


async def test_a_number_leads_to_a_token_of_any_owner_in_its_shard(rig: Rig):
    """The id finds the token among all owners who share the shard."""
    made = await rig.make()
    await rig.set_state("neighbour", b"a")
    await rig.run(b"HSET", rig.keys.owners(made.shard), b"another", b"a" + bytes(5))

    found = await rig.records.by_id(token_id(made.outcome.counter, made.shard))

    assert found is not None
    assert made.digest == found.digest
    assert await rig.records.by_id(token_id(made.outcome.counter + 1, made.shard)) is None


async def test_a_name_leads_to_its_token(rig: Rig):
    """A label finds its token; one that nobody bears, or whose token is gone, finds none."""
    made = await rig.make(name=b"label:x")

    found = await rig.records.by_name("alice", b"label:x")

    assert found is not None
    assert made.digest == found.digest
    assert await rig.records.by_name("alice", b"label:y") is None
    await rig.run(b"DEL", made.key)
    assert await rig.records.by_name("alice", b"label:x") is None


async def test_many_places_are_read_a_few_at_a_time(rig: Rig):
    """In the order of the places, whatever fits into one round trip."""
    await rig.owner("bob")
    made = [await rig.make(("alice", "bob")[n % 2], NETBOX) for n in range(20)]
    places = await rig.records.places(["bob", "alice"], "n")

    for page in (1, 3, 10, 500):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("service.store.records.PAGE", page)
            found = await rig.records.at(places)
        assert [entry[:-1] for _, entry in places] == [token.digest for token in found]
    assert {each.digest for each in made} == {token.digest for token in found}


async def test_entries_without_a_record_are_left_out(rig: Rig):
    """An index entry whose token is gone, or became another's, shows nothing."""
    made = [await rig.make() for _ in range(3)]
    await rig.run(b"DEL", made[0].key)
    await rig.run(b"HSET", made[1].key, b"o", b"bob")

    assert [made[2].digest] == [token.digest for token in await rig.records.of_owner("alice")]


async def test_a_token_of_a_policy_that_is_gone_is_shown_by_its_letter(rig: Rig):
    """Lists go on where the config has lost a policy."""
    await rig.make()

    found = await rig.node(NETBOX).records.of_owner("alice")

    assert ["t"] == [token.policy for token in found]
    assert Word.EXPIRED not in {token.state for token in found}


async def test_many_owners_are_read_together(rig: Rig):
    """In a few round trips however many they are, each with his own state, in their order."""
    names = [f"user{n}" for n in range(20)]
    made = {}
    for name in names:
        await rig.owner(name)
        made[name] = [await rig.make(name, NETBOX) for _ in range(2)]
    await rig.set_state("user3", b"d")
    run, trips = rig.client.run, []

    async def counted(*steps: Any, **options: Any) -> Any:
        trips.append(steps)
        return await run(*steps, **options)

    rig.client.run = counted  # type: ignore[method-assign]
    found = await rig.records.of_owners(["alice", *names, "nobody"])
    few = len(trips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.store.records.PAGE", 7)
        patch.setattr("service.store.records.ENTRIES", 3)
        again = await rig.records.of_owners(["alice", *names, "nobody"])

    wanted = [each.digest for name in names for each in reversed(made[name])]
    assert wanted == [token.digest for token in found] == [token.digest for token in again]
    assert 4 == few
    states = {token.owner: token.state for token in found}
    assert {**dict.fromkeys(names, "live"), "user3": Word.INACTIVE} == states


async def test_a_page_of_many_owners_takes_two_round_trips(rig: Rig):
    """One for their states, one for the tokens."""
    names = [f"user{n}" for n in range(20)]
    for name in names:
        await rig.owner(name)
        await rig.make(name, NETBOX)
    places = await rig.records.places(names, "n")
    run, trips = rig.client.run, []

    async def counted(*steps: Any, **options: Any) -> Any:
        trips.append(steps)
        return await run(*steps, **options)

    rig.client.run = counted  # type: ignore[method-assign]
    found = await rig.records.at(places)

    assert (20, 2) == (len(found), len(trips))
