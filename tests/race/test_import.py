"""Making a token with a chosen key, cut off between any two of its steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from service.errors import KeyTaken, StoreDown, UserDisabled
from service.model import Word
from tests.makers import CURL, HOME, NETBOX, Rig, wish

KEY = "Chosen-by-somebody-0123456789-abcdefghij"
STEPS = 3  # the alias, the record, the alias again


class Cut:
    """Lets so many round trips through; the next one is lost, before it is sent or after."""

    def __init__(self, rig: Rig, through: int, *, sent: bool) -> None:
        self._run = rig.store.client.run
        self._left = through
        self._sent = sent
        self.steps = 0

    async def __call__(self, *steps: Any) -> Any:
        self.steps += 1
        self._left -= 1
        if self._left >= 0:
            return await self._run(*steps)
        if self._left == -1 and self._sent:
            await self._run(*steps)
        raise StoreDown("cut")


async def word(rig: Rig) -> Word:
    """What a use of the key gets."""
    use = {"address": HOME, "agent": CURL, "write": True}
    return (await rig.tokens.verify(KEY.encode(), **use)).word


async def cut_off(rig: Rig, through: int, *, sent: bool) -> None:
    """Try to make the token, in vain or not as far as the client can tell."""
    before: Callable[..., Any] = rig.store.client.run
    cut = Cut(rig, through, sent=sent)
    rig.store.client.run = cut  # type: ignore[method-assign]
    try:
        with pytest.raises(StoreDown):
            await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    finally:
        rig.store.client.run = before  # type: ignore[method-assign]


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("through", range(STEPS))
async def test_a_cut_anywhere_is_mended_by_doing_it_again(
    race_rig: Rig, through: int, sent: bool
) -> None:
    """The owner gets his key in the end, or is told that he has it already."""
    rig = race_rig
    await cut_off(rig, through, sent=sent)

    try:
        await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    except KeyTaken:
        assert through + sent >= 2, "no record was made, so nobody has the key"
    assert Word.OK == await word(rig)
    assert 1 == len(await rig.tokens.of_owner("alice"))


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("through", range(STEPS))
async def test_a_cut_anywhere_lets_no_disabled_user_in(
    race_rig: Rig, through: int, sent: bool
) -> None:
    """Disabled between two steps, or deleted and made again: no token of before is accepted."""
    rig = race_rig
    await cut_off(rig, through, sent=sent)
    await rig.set_state("alice", b"d")
    assert await word(rig) in (Word.UNKNOWN, Word.INACTIVE)
    await rig.owners.delete("alice")
    assert Word.UNKNOWN == await word(rig)
    await rig.owner("alice")

    assert await word(rig) in (Word.UNKNOWN, Word.REVOKED)


@pytest.mark.parametrize("step", range(STEPS))
async def test_a_disable_in_between_holds(race_rig: Rig, step: int) -> None:
    """Before the record is made there is none; behind it, enabling gives the token back."""
    rig = race_rig
    run = rig.store.client.run
    count = 0

    async def disabling(*steps: Any) -> Any:
        nonlocal count
        count += 1
        if count == step + 1:
            rig.store.client.run = run  # type: ignore[method-assign]
            await rig.owners.change("alice", {}, state="d")
            rig.store.client.run = disabling  # type: ignore[method-assign]
        return await run(*steps)

    refused = step < STEPS - 1
    rig.store.client.run = disabling  # type: ignore[method-assign]
    with pytest.raises(UserDisabled) if refused else nullcontext():
        await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    rig.store.client.run = run  # type: ignore[method-assign]

    assert (STEPS - refused, refused) == (count, Word.UNKNOWN == await word(rig))
    await rig.owners.change("alice", {}, state="a")
    if refused:
        await rig.tokens.issue(wish("alice", NETBOX, text=KEY))
    assert Word.OK == await word(rig)
