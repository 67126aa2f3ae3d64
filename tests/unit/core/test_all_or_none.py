"""Several tokens at once: all of them, or not one that anybody could use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.core import undo
from service.core.amending import Change
from service.core.maker import BATCH
from service.errors import KeyTaken, OneRefused, StoreDown, TooManyTokens, WriteLost
from service.model import Issued, Word
from service.store.keys import shard_of
from tests.makers import AWAY, NETBOX, TOWER, Rig, agent, own_text, wish
from tests.servers import Server

KEY = "Chosen-by-somebody-0123456789-abcdefghij"


async def make(rig: Rig, *wishes: Any) -> list[Issued]:
    """All of *wishes*."""
    async with rig.tokens.all_or_none(wishes) as made:
        return made


async def fail_behind(rig: Rig, *wishes: Any, first: Callable[[], None] = lambda: None) -> None:
    """Make all of *wishes*, for a block that fails as a store does that went away *first*."""
    async with rig.tokens.all_or_none(wishes):
        first()
        raise StoreDown("timeout")


async def words(rig: Rig, made: Sequence[Issued]) -> list[str]:
    """What a use of each gets."""
    use = {"address": AWAY, "agent": agent(0), "write": True}
    return [(await rig.tokens.verify(one.text.encode(), **use)).word for one in made]


async def live(rig: Rig, owner: str = "alice") -> int:
    """How many live tokens *owner* has."""
    return [token.state for token in await rig.tokens.of_owner(owner)].count("live")


async def test_they_are_as_good_as_one_by_one(rig: Rig):
    """In their order, of several owners, with chosen texts among them, over several batches."""
    await rig.owner("bob")
    wishes = [wish("bob" if at % 3 else "alice", NETBOX) for at in range(BATCH)]
    wishes += [wish("alice", NETBOX, text=KEY), wish("bob", NETBOX, description="last")]
    made = await make(rig, *wishes)
    tokens = [await rig.tokens.get(one.token_id) for one in made]

    assert [each.owner for each in wishes] == [token.owner for token in tokens]
    assert [one.text for one in made] == [rig.tokens.text_of(token) for token in tokens]
    assert (KEY, "last") == (made[-2].text, tokens[-1].description)
    assert {Word.OK} == set(await words(rig, made))


async def test_few_round_trips_are_enough(rig: Rig):
    """Two for each batch."""
    trips, run = [], rig.client.run

    async def counted(*steps: Any, **options: Any) -> Any:
        trips.append(steps)
        return await run(*steps, **options)

    rig.client.run = counted  # type: ignore[method-assign]
    await make(rig, *[wish("alice", NETBOX)] * (3 * BATCH))

    assert 6 == len(trips)


async def test_none_are_made_of_none(rig: Rig):
    """Without asking anybody."""
    assert [] == await make(rig)
    with pytest.raises(StoreDown):
        await fail_behind(rig)


async def test_one_that_is_refused_takes_all_back(rig: Rig):
    """Its place is told; and a text that was chosen beside it may be chosen again."""
    await rig.owner("bob")
    mine, theirs = own_text("alice"), own_text("bob")
    await rig.tokens.issue(wish("bob", NETBOX, text=theirs))
    wishes = [wish("alice", NETBOX)] * BATCH
    wishes += [wish("alice", NETBOX, text=text) for text in (mine, KEY, theirs)]
    with pytest.raises(OneRefused) as caught:
        await make(rig, *wishes)

    assert BATCH + 2 == caught.value.at
    assert isinstance(caught.value.error, KeyTaken)
    assert (0, 1) == (await live(rig), await live(rig, "bob"))
    assert 2 == len(await make(rig, *(wish("alice", NETBOX, text=text) for text in (mine, KEY))))


async def test_a_text_that_its_owner_had_before_stays_his(rig: Rig):
    """Only what was made now is taken back."""
    before = await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    with pytest.raises(OneRefused):
        await make(rig, wish("alice", NETBOX), wish("alice", NETBOX, text=KEY))

    assert [Word.OK] == await words(rig, [before])
    assert 1 == await live(rig)


async def test_the_most_that_one_may_have_holds_for_all(rig: Rig):
    """Dead ones that are listed still do not count, and then one too many takes all back."""
    few = replace(NETBOX, max_tokens=5)
    node = rig.node(few)
    dead = [await node.make(policy=few) for _ in range(5)]
    await rig.run(b"DEL", *(each.key for each in dead))

    assert 5 == len(await make(node, *[wish("alice", few)] * 5))
    with pytest.raises(OneRefused) as caught:
        await make(node, *[wish("alice", few)] * 2)
    assert isinstance(caught.value.error, TooManyTokens)
    assert 5 == await live(node)


async def test_a_limit_holds_for_all(rig: Rig):
    """The oldest go, those of one list as well."""
    two = replace(NETBOX, per_user=2)
    node = rig.node(two)
    made = await make(node, *[wish("alice", two)] * 4)

    assert [Word.EVICTED] * 2 + [Word.OK] * 2 == await words(node, made)


async def test_one_that_is_shown_again_is_not_taken_back(rig: Rig):
    """Where a login gets the token that it has."""
    before = await rig.tokens.issue(wish("alice"))
    wishes = [wish("alice"), wish("alice"), wish("alice", agent=agent(1))]
    made = await make(rig, *wishes)
    with pytest.raises(OneRefused):
        await make(rig, *wishes, wish("alice", agent=agent(2)), wish("nobody"))

    assert [before.text] * 2 == [one.text for one in made[:2]]
    assert [True, True, False] == [one.reused for one in made]
    assert 2 == await live(rig)


async def test_who_fails_with_them_has_none(rig: Rig):
    """Whatever it was."""
    with pytest.raises(LookupError):
        async with rig.tokens.all_or_none([wish("alice", NETBOX)] * 2):
            raise LookupError
    await rig.tokens.settle()

    assert 0 == await live(rig)


async def test_a_lost_reply_leaves_nothing(rig: Rig):
    """Neither of a list nor of one; but a named one is for the next login to find."""
    run = rig.client.run

    async def lose(*steps: Any, **options: Any) -> Any:
        replies = await run(*steps, **options)
        if any(getattr(step, "script", None) is rig.store.scripts["issue"] for step in steps):
            raise StoreDown("timeout")
        return replies

    rig.client.run = lose  # type: ignore[method-assign]
    for wanted in ([wish("alice", NETBOX)] * 3, [wish("alice", NETBOX)]):
        with pytest.raises(WriteLost):
            await make(rig, *wanted)
    with pytest.raises(WriteLost):
        await rig.tokens.issue(wish("alice", NETBOX))
    with pytest.raises(WriteLost):
        await rig.tokens.issue(wish("alice", TOWER))
    rig.client.run = run  # type: ignore[method-assign]
    before = await live(rig)
    await rig.tokens.settle()

    assert (6, 1) == (before, await live(rig))


async def test_a_task_that_is_ended_leaves_nothing(rig: Rig):
    """As a node does with what it cannot finish."""
    issue, reached = rig.store.issue_all, asyncio.Event()

    async def hang(news: Any) -> Any:
        await issue(news)
        reached.set()
        await asyncio.Event().wait()

    rig.store.issue_all = hang  # type: ignore[method-assign]
    task = asyncio.create_task(make(rig, wish("alice", NETBOX)))
    await reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    before = await live(rig)
    await rig.tokens.settle()

    assert (1, 0) == (before, await live(rig))


async def test_a_task_that_is_ended_while_it_takes_back_leaves_nothing(rig: Rig):
    """What is left to take back is taken back behind it."""
    await rig.owner("bob")
    await rig.tokens.issue(wish("bob", NETBOX, text=KEY))
    take_back, reached = rig.store.take_back, asyncio.Event()

    async def hang(news: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    rig.store.take_back = hang  # type: ignore[method-assign]
    wishes = [wish("alice", NETBOX)] * 2
    task = asyncio.create_task(make(rig, *wishes, wish("alice", NETBOX, text=KEY)))
    await reached.wait()
    task.cancel()
    ended = await asyncio.gather(task, return_exceptions=True)
    rig.store.take_back = take_back  # type: ignore[method-assign]
    before = await live(rig)
    await rig.tokens.settle()

    assert isinstance(ended[0], asyncio.CancelledError)
    assert (2, 0, 1) == (before, await live(rig), await live(rig, "bob"))


async def test_a_text_that_waits_to_be_taken_back_may_be_chosen_again(rig: Rig):
    """At once: it is taken back first."""
    wishes = [wish("alice", NETBOX), wish("alice", NETBOX, text=KEY)]
    with pytest.raises(StoreDown):
        await fail_behind(rig, *wishes)
    alone = await rig.tokens.issue(wishes[1])
    await rig.tokens.settle()

    assert ([Word.OK], 1) == (await words(rig, [alone]), await live(rig))


async def test_whoever_chose_a_text_keeps_what_he_may_have_been_given(rig: Rig):
    """Where it was for this one: he asks again and learns that it is his."""
    with pytest.raises(StoreDown):
        await fail_behind(rig, wish("alice", NETBOX, text=KEY))
    await rig.tokens.settle()

    with pytest.raises(KeyTaken):
        await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    assert 1 == await live(rig)


# -- a store that is away ------------------------------------------------------------------------


async def test_a_store_that_hangs_is_cleared_when_it_is_back(redis_server: Server):
    """What was made before, and what is read only after it goes on."""
    async with Rig(redis_server.url, timeout_ms=500) as rig:
        await rig.owner("alice")
        issue = rig.store.issue_all
        counts: list[int] = []

        async def pause_after_one(news: Any) -> Any:
            made = await issue(news)
            counts.append(len(news))
            if len(counts) == 2:
                redis_server.pause()
                # Sent, and not read before the server goes on.
                rig.client.run = late  # type: ignore[method-assign]
            return made

        run = rig.client.run

        async def late(*steps: Any, **options: Any) -> Any:
            rig.client.run = run  # type: ignore[method-assign]
            looks = [[None, [], None, None]] * (len(steps) // 4)
            return [reply for look in looks for reply in look]

        rig.store.issue_all = pause_after_one  # type: ignore[method-assign]
        try:
            with pytest.raises(WriteLost):
                await make(rig, *[wish("alice", NETBOX)] * (4 * BATCH))
        finally:
            redis_server.resume()
        deadline = time.monotonic() + 10
        while await live(rig) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await rig.tokens.settle()
        ever = int(await rig.run(b"GET", rig.keys.counter(shard_of("alice"))))

        assert 2 * BATCH < ever
        assert 0 == await live(rig)


async def test_a_node_that_ends_says_what_it_leaves(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It does not wait for ever for a store."""
    monkeypatch.setattr(undo, "LAST_S", 0.2)
    async with Rig(redis_server.url, timeout_ms=100) as rig:
        await rig.owner("alice")
        with pytest.raises(StoreDown):
            await fail_behind(rig, *[wish("alice", NETBOX)] * 3, first=redis_server.pause)
        try:
            began = time.monotonic()
            await rig.tokens.settle()
            took_s = time.monotonic() - began
        finally:
            redis_server.resume()

    assert took_s < 2
    assert "3 tokens that nobody was told of may be live: the node ends" in caplog.text


async def test_patience_and_room_have_an_end(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A store that stays away does not fill the node."""
    monkeypatch.setattr(undo, "PATIENCE_S", 0.2)
    monkeypatch.setattr(undo, "MOST", 3)
    async with Rig(redis_server.url, timeout_ms=100) as rig:
        news = [rig.new("alice", NETBOX) for _ in range(5)]
        redis_server.pause()
        try:
            waiting = undo.Undo(rig.store)
            waiting.later(news)
            await waiting.settle()
        finally:
            redis_server.resume()

    assert "2 tokens that nobody was told of may be live: too many wait" in caplog.text
    assert "3 tokens that nobody was told of may be live: the store is away too" in caplog.text


async def test_what_is_read_behind_the_first_look_is_found_by_the_next(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    """As what was sent over another connection may be."""
    monkeypatch.setattr(undo, "SURE_S", 0.3)
    looked, look = asyncio.Event(), rig.store.take_back

    async def tell(news: Any) -> Any:
        missing = await look(news)
        looked.set()
        return missing

    rig.store.take_back = tell  # type: ignore[method-assign]
    new, waiting = rig.new("alice", NETBOX), undo.Undo(rig.store)
    waiting.later([new])
    await looked.wait()
    await rig.store.issue(new)
    before = await live(rig)
    await waiting.settle()

    assert (1, 0) == (before, await live(rig))


async def test_two_looks_at_once_are_no_later_look(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    """What both of them miss may still come."""
    monkeypatch.setattr(undo, "SURE_S", 0.3)
    new, waiting = rig.new("alice", NETBOX), undo.Undo(rig.store)
    waiting.later([new])
    await asyncio.gather(waiting.before([new]), waiting.before([new]))
    await rig.store.issue(new)
    before = await live(rig)
    await waiting.settle()

    assert (1, 0) == (before, await live(rig))


async def test_what_its_holder_was_told_of_meanwhile_is_left(rig: Rig):
    """Another token with the same text, by the time that the one to take back is killed."""
    with pytest.raises(StoreDown):
        await fail_behind(rig, *(wish("alice", NETBOX, text=text) for text in (KEY, KEY[::-1])))
    other, told = rig.node(), []
    run = rig.client.run

    async def late(*steps: Any) -> Any:
        if any(getattr(step, "script", None) is rig.store.scripts["revoke"] for step in steps):
            rig.client.run = run  # type: ignore[method-assign]
            await other.tokens.revoke(KEY.encode())
            told.append(await other.tokens.issue(wish("alice", NETBOX, text=KEY)))
        return await run(*steps)

    rig.client.run = late  # type: ignore[method-assign]
    await rig.tokens.settle()

    assert [Word.OK] == await words(rig, told)
    assert 1 == await live(rig)


async def test_what_was_changed_meanwhile_is_taken_back_all_the_same(rig: Rig):
    """It is looked at again."""
    with pytest.raises(StoreDown):
        await fail_behind(rig, *[wish("alice", NETBOX)] * 2)
    listed, changed = await rig.tokens.of_owner("alice"), []
    run = rig.client.run

    async def late(*steps: Any) -> Any:
        if any(getattr(step, "script", None) is rig.store.scripts["revoke"] for step in steps):
            rig.client.run = run  # type: ignore[method-assign]
            await rig.tokens.amend(listed[0], Change(description="seen in a list"))
            changed.append(listed[0])
        return await run(*steps)

    rig.client.run = late  # type: ignore[method-assign]
    await rig.tokens.settle()

    assert (1, 0) == (len(changed), await live(rig))
