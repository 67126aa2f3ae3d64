"""The store: what a node makes of replies, and what it sends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.errors import StoreDown
from service.model import Head, Level, Life, Policy, Word
from service.store.client import Call
from service.store.verify import pack_rules
from tests.makers import CURL, HOME, NETBOX, TOWER, Rig


async def test_a_reply_about_another_token_is_no_verdict(rig: Rig):
    """A reply that does not repeat the digest's first bytes decides nothing."""
    mine, other = await rig.make(), await rig.make()
    run = rig.client.run

    async def crossed(*steps, **options):
        call = steps[0]
        if isinstance(call, Call) and call.script.name == "verify":
            steps = (Call(call.script, [other.key, *call.keys[1:]], call.args),)
        return await run(*steps, **options)

    rig.client.run = crossed  # type: ignore[method-assign]
    with pytest.raises(StoreDown):
        await rig.use(mine)


async def test_a_word_nobody_knows_is_no_verdict(rig: Rig):
    """A reply of another version of the script never passes for a refusal or a pass."""
    made = await rig.make()
    run = rig.client.run

    async def newer(*steps, **options):
        replies = await run(*steps, **options)
        return [[b"maybe", *replies[0][1:]]]

    rig.client.run = newer  # type: ignore[method-assign]
    with pytest.raises((StoreDown, ValueError)):
        await rig.use(made)


def test_rules_are_of_fixed_width():
    """Each policy takes a letter in front and 16 bytes behind, whatever its numbers."""
    big = Policy(
        name="x",
        letter="x",
        idle_ms=10**12,
        slide_step_ms=10**9,
        per_user=1000,
        bind_ip=Level.ENFORCE,
        bind_agent=Level.LOG,
    )

    packed = pack_rules([TOWER, NETBOX, big], 60_000)

    assert 6 + 1 + 3 + 3 * 16 == len(packed)
    assert bytes.fromhex("00000000ea60 03") + b"tnx" == packed[:10]
    assert bytes.fromhex("0000001b7740 000000000000 270f 0202") == packed[10:26]
    assert bytes.fromhex("00e8d4a51000 00003b9aca00 03e8 0201") == packed[-16:]


def test_a_head_comes_apart_again():
    """What is packed into 52 bytes is what comes out."""
    head = Head(
        policy="t",
        life=Life.SLIDING,
        write=False,
        grave_s=2_592_000,
        prefix=HOME[:15],
        agent=CURL,
        counter=(1 << 40) - 1,
        end_ms=(1 << 48) - 1,
    )

    assert 52 == len(head.pack())
    assert head == Head.unpack(head.pack())


@pytest.mark.parametrize("raw", [b"", b"1" * 51, b"1" * 53, b"2" + b"t" * 51])
def test_a_head_of_another_layout_is_not_guessed_at(raw: bytes):
    """Too short, too long, or of a later version: refused."""
    with pytest.raises(ValueError, match="layout"):
        Head.unpack(raw)


async def test_issue_spends_two_round_trips(rig: Rig):
    """A login is one look and one script; a use is one."""
    made = await rig.make()
    run, trips = rig.client.run, 0

    async def counted(*steps, **options):
        nonlocal trips
        trips += 1
        return await run(*steps, **options)

    rig.client.run = counted  # type: ignore[method-assign]
    await rig.make()
    assert 2 == trips
    await rig.use(made)
    assert 3 == trips


async def test_a_trim_of_nobody_is_nothing(rig: Rig):
    """Trimming an owner who was deleted meanwhile ends without a verdict and without a floor."""
    await rig.owners.delete("alice")
    before = await rig.everything()

    await rig.store.trim("alice", replace(TOWER, per_user=1))

    assert before == await rig.everything()


async def test_a_second_answer_to_the_same_wish_is_the_same(rig: Rig):
    """Sending one wish twice makes one token."""
    new = rig.new("alice")

    first, second = [await rig.store.issue(new) for _ in range(2)]

    assert (Word.ISSUED, first.counter, first.digest) == (
        second.word,
        second.counter,
        second.digest,
    )
    assert 1 == await rig.run(b"ZCARD", rig.index("alice"))
