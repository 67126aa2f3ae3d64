"""verify: every word it knows, and which of them wins when several apply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import combinations

import pytest

from service.core.address import pack
from service.core.secret import agent_digest
from service.errors import NotSetUp, StoreDown
from service.model import Level, Word, token_id
from service.store.keys import shard_of
from tests.makers import AWAY, CURL, HOME, NETBOX, TOWER, WGET, Made, Rig

Spoil = Callable[[Rig, Made], Awaitable[object]]


async def no_owner(rig: Rig, made: Made) -> None:
    """The owner's state is gone, as after a delete."""
    await rig.run(b"HDEL", rig.keys.owners(made.shard), made.owner)


async def elsewhere(rig: Rig, made: Made) -> None:
    """The token is bound to another address than the use comes from."""
    await rig.edit(made, prefix=AWAY)


async def killed(rig: Rig, made: Made) -> None:
    """The token carries a reason of death."""
    await rig.run(b"HSET", made.key, b"d", b"revoked")


async def floored(rig: Rig, made: Made) -> None:
    """The token is below the floor of its policy."""
    await rig.set_floor(made.owner, "t", made.outcome.counter, 9999)


async def idle_out(rig: Rig, made: Made) -> None:
    """Only the grave is left of the token's TTL."""
    await rig.run(b"PEXPIRE", made.key, TOWER.grave_ms - 5)


async def state(rig: Rig, made: Made, *, flag: bytes = b"", mark: int = -1) -> None:
    """Change flag or mark of the owner's state and leave the other."""
    key = rig.keys.owners(made.shard)
    now = await rig.run(b"HGET", key, made.owner)
    if now is not None:
        counted = int.from_bytes(now[1:], "big") if mark < 0 else mark
        await rig.set_state(made.owner, flag or now[:1], counted)


async def disabled(rig: Rig, made: Made) -> None:
    """The owner is disabled."""
    await state(rig, made, flag=b"d")


async def marked(rig: Rig, made: Made) -> None:
    """The owner's mark has passed the token."""
    await state(rig, made, mark=made.outcome.counter)


async def fenced_in(rig: Rig, made: Made) -> None:
    """The token is allowed from one foreign network only."""
    await rig.run(b"HSET", made.key, b"n", bytes([128]) + AWAY)


async def switched_off(rig: Rig, made: Made) -> None:
    """The token itself is disabled."""
    head = bytearray(await rig.field(made, "h") or b"")
    head[3:4] = head[3:4].upper()
    await rig.run(b"HSET", made.key, b"h", bytes(head))


async def read_only(rig: Rig, made: Made) -> None:
    """The token may not write (every use below does)."""
    head = bytearray(await rig.field(made, "h") or b"")
    head[3:4] = {b"w": b"r", b"W": b"R"}[bytes(head[3:4])]
    await rig.run(b"HSET", made.key, b"h", bytes(head))


ORDER: list[tuple[Word, Spoil]] = [
    (Word.UNKNOWN, no_owner),
    (Word.MISMATCH, elsewhere),
    (Word.REVOKED, killed),
    (Word.EVICTED, floored),
    (Word.EXPIRED, idle_out),
    (Word.INACTIVE, disabled),
    (Word.REVOKED, marked),
    (Word.DISABLED, switched_off),
    (Word.NETWORK, fenced_in),
    (Word.READ_ONLY, read_only),
]
PAIRS = [(a, b) for a, b in combinations(ORDER, 2)]


def spelled(case: object) -> str | None:
    """How one spoiler is called in a test's id."""
    return getattr(case[1], "__name__", None) if isinstance(case, tuple) else None


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=spelled)
async def test_the_earlier_reason_wins_and_the_use_leaves_no_trace(
    rig: Rig, first: tuple[Word, Spoil], second: tuple[Word, Spoil]
):
    """Of two reasons the one earlier in the order is told, and nothing at all is written."""
    made = await rig.make()
    await rig.age(made, 60_000)
    for _, spoil in (second, first):
        await spoil(rig, made)
    before, ttl = await rig.everything(), await rig.ttl(made)

    assert first[0] == await rig.word(made, write=True)

    assert before == await rig.everything()
    assert await rig.ttl(made) <= ttl


async def test_a_token_nobody_has_is_unknown(rig: Rig):
    """A digest without a record is unknown."""
    made = replace(await rig.make(), digest=b"x" * 20)

    assert Word.UNKNOWN == await rig.word(made)


async def test_unknown_in_a_store_that_was_emptied_is_no_verdict(rig: Rig):
    """Where the mark of birth is missing, an unknown token is the store's fault, not the user's."""
    made = await rig.make()
    await rig.run(b"FLUSHALL")

    with pytest.raises(NotSetUp):
        await rig.use(made)


@pytest.mark.parametrize("reason", [Word.EVICTED, Word.REVOKED])
async def test_a_reason_of_death_is_told(rig: Rig, reason: Word):
    """What a record says it died of is the word, whatever else holds."""
    made = await rig.make()
    await rig.run(b"HSET", made.key, b"d", reason)

    assert reason == await rig.word(made)


async def test_an_alias_says_where_the_record_lives(rig: Rig):
    """A record with nothing but another shard is answered with that shard, and followed."""
    made = await rig.make()
    foreign = b"\x00\x01"
    alias = rig.keys.token(foreign, made.digest)
    await rig.run(b"HSET", alias, b"a", made.shard)
    args = (CURL + HOME, rig.rules())

    reply = await rig.call("verify", [alias, rig.keys.owners(foreign)], *args)
    verdict = await rig.use(replace(made, shard=foreign))

    assert ["moved", made.digest[:4], made.shard] == reply
    assert verdict.allowed
    assert token_id(made.outcome.counter, made.shard) == verdict.token_id


async def test_aliases_in_a_ring_are_no_verdict(rig: Rig):
    """Two aliases that name each other end in StoreDown, not in a loop or a refusal."""
    for here, there in ((b"\0\1", b"\0\2"), (b"\0\2", b"\0\1")):
        await rig.run(b"HSET", rig.keys.token(here, b"d" * 20), b"a", there)

    with pytest.raises(StoreDown):
        await rig.store.verify(b"\0\1", b"d" * 20, address=HOME, agent=CURL, write=False)


async def test_a_policy_the_config_lost_is_no_verdict(rig: Rig):
    """A token of a policy that is not configured is refused as the store's fault, bound or not."""
    made = await rig.make()
    other = rig.node(NETBOX)
    args = (WGET + AWAY, other.rules(write=True))

    assert "no_policy" == (await rig.call("verify", _keys(rig, made), *args))[0]
    with pytest.raises(StoreDown):
        await other.use(made)


async def test_a_head_of_another_layout_is_not_judged(rig: Rig):
    """A later version's token is 503 on this node, and no 401."""
    made = await rig.make()
    head = await rig.field(made, "h") or b""
    await rig.client.run((b"HSET", _keys(rig, made)[0], b"h", b"2" + head[1:]))

    args = (CURL + HOME, rig.rules(write=True))
    assert "no_policy" == (await rig.call("verify", _keys(rig, made), *args))[0]
    with pytest.raises(StoreDown):
        await rig.use(made)


async def test_every_reply_repeats_the_tag_of_the_digest(rig: Rig):
    """Whatever the verdict, its second part is the first four bytes of the digest asked about."""
    made = await rig.make()
    for _, spoil in reversed(ORDER):
        args = (CURL + HOME, rig.rules(write=True))
        assert made.digest[:4] == (await rig.call("verify", _keys(rig, made), *args))[1]
        await spoil(rig, made)


async def test_a_pass_names_owner_policy_and_number(rig: Rig):
    """An accepted use tells whose token it was, under which policy and with which public id."""
    made = await rig.make()

    verdict = await rig.use(made, write=True)

    assert ("alice", "tower", True) == (verdict.owner, verdict.policy, verdict.write)
    assert token_id(made.outcome.counter, shard_of("alice")) == verdict.token_id
    assert 0 == verdict.mismatch


async def test_the_other_owners_state_does_not_matter(rig: Rig):
    """Mark, floor and flag of one owner leave the tokens of the others alone."""
    made = await rig.make()
    await rig.set_state("alic", b"d", 1 << 30)
    await rig.set_state("alice\0", b"d", 1 << 30)
    await rig.set_floor("alice", "n", 1 << 30, 0)

    assert Word.OK == await rig.word(made)


@pytest.mark.parametrize("owner", ["#", "al}{ice", "ä" * 150, "名前 🔑", "a\u202eb", "%s %d", "-"])
async def test_any_name_owns_tokens(rig: Rig, owner: str):
    """Names with braces, of 150 characters or of any script work like others."""
    await rig.owner(owner)

    made = await rig.make(owner)

    assert owner == (await rig.use(made)).owner
    assert Word.OK == (await rig.store.revoke_owner(owner))[0]
    assert Word.REVOKED == await rig.word(made)


@pytest.mark.parametrize("address_off", [False, True])
@pytest.mark.parametrize("agent_off", [False, True])
@pytest.mark.parametrize("level", list(Level))
async def test_a_level_decides_what_a_mismatch_does(
    rig: Rig, level: Level, agent_off: bool, address_off: bool
):
    """Off ignores, log lets pass and reports in bits, enforce refuses."""
    made = await rig.make()
    node = rig.node(replace(TOWER, bind_ip=level, bind_agent=level))

    verdict = await node.use(
        made, address=AWAY if address_off else HOME, agent=WGET if agent_off else CURL
    )

    bits = address_off + 2 * agent_off
    refused = level is Level.ENFORCE and bits > 0
    assert (Word.MISMATCH if refused else Word.OK) == verdict.word
    assert (bits if level is Level.LOG else 0) == verdict.mismatch


@pytest.mark.parametrize(
    ("size", "near", "far"),
    [
        (16, "::ffff:1.2.3.4", "::ffff:1.2.3.5"),
        (15, "::ffff:1.2.3.200", "::ffff:1.2.4.4"),
        (0, "::ffff:200.2.3.4", None),
    ],
)
async def test_a_prefix_holds_as_far_as_it_reaches(rig: Rig, size: int, near: str, far: str | None):
    """A token bound to the first bytes of an address is good from every address that has them."""
    made = await rig.make(prefix=HOME[:size])

    assert Word.OK == await rig.word(made, address=pack(near))
    if far is not None:
        assert Word.MISMATCH == await rig.word(made, address=pack(far))


@pytest.mark.parametrize(("level", "word"), [(2, Word.MISMATCH), (1, Word.OK), (0, Word.OK)])
async def test_an_unknown_address_is_a_foreign_one(rig: Rig, level: int, word: Word):
    """A use whose address is not known never fits a bound token."""
    made = await rig.make()
    node = rig.node(replace(TOWER, bind_ip=Level(level)))

    verdict = await node.use(made, address=b"")

    assert (word, 1 if level == 1 else 0) == (verdict.word, verdict.mismatch)


async def test_a_token_that_is_not_bound_passes_from_anywhere(rig: Rig):
    """A token made while nothing was bound stays good when the policy binds new ones."""
    made = await rig.make(prefix=b"", agent=bytes(16))

    assert Word.OK == await rig.word(made, address=b"", agent=WGET)


async def test_an_empty_agent_is_an_agent(rig: Rig):
    """A token made without a user agent is bound to having none."""
    made = await rig.make(agent=agent_digest(b""))

    assert Word.OK == await rig.word(made, agent=agent_digest(b""))
    assert Word.MISMATCH == await rig.word(made, agent=CURL)


async def test_a_lowered_limit_is_asked_to_be_trimmed(rig: Rig):
    """When the limit sent is lower than the one a floor was made for, verify wants a trim first."""
    made = [await rig.make() for _ in range(3)]
    node = rig.node(replace(TOWER, per_user=2), NETBOX)
    args = (CURL + HOME, node.rules())

    reply = await rig.call("verify", _keys(rig, made[2]), *args)

    assert ["trim", made[2].digest[:4], b"alice", b"t"] == reply
    assert [False, True, True] == await node.live(made)
    assert Word.EVICTED == await node.word(made[0])


async def test_a_raised_limit_revives_nothing(rig: Rig):
    """What a limit evicted stays evicted when the limit is raised or dropped."""
    made = [await rig.make() for _ in range(3)]
    await rig.node(replace(TOWER, per_user=1)).use(made[2])

    for more in (5, -1):
        assert [False, False, True] == await rig.node(replace(TOWER, per_user=more)).live(made)


async def test_a_limit_that_was_dropped_and_comes_back_holds_again(rig: Rig):
    """Tokens made while there was no limit are held to it as soon as it is back."""
    limited = rig.node(replace(TOWER, per_user=2))
    made = [await limited.make(policy=limited.policies[0])]
    made += [await rig.make() for _ in range(4)]

    assert 2 == sum(await limited.live(made))


def _keys(rig: Rig, made: Made) -> list[bytes]:
    return [made.key, rig.keys.owners(made.shard)]
