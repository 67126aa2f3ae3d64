"""Tokens: what a login gets, sees again, and what is said when it gets nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.core.secret import digest_of, shard_of_text
from service.errors import (
    LabelTaken,
    NoSuchToken,
    NoSuchUser,
    StoreDown,
    TooManyTokens,
    UserDisabled,
)
from service.model import Level, Life, Word, token_id
from service.store.keys import shard_of
from tests.makers import AWAY, CURL, HOME, MINUTE, NETBOX, PUPPET, SECRET, TOWER, WGET, Rig, wish

OTHER = b"o" * 32


async def word(rig: Rig, text: str, **use) -> Word:
    """What verify says of the token *text*."""
    use = {"address": HOME, "agent": CURL, "write": True, **use}
    return (await rig.tokens.verify(text.encode(), **use)).word


@pytest.mark.parametrize("policy", [TOWER, NETBOX, PUPPET], ids=lambda policy: policy.name)
async def test_an_issued_token_passes_and_lies_with_its_owner(rig: Rig, policy):
    """What issue hands out verifies; its text names the owner's shard; Redis never sees it."""
    issued = await rig.tokens.issue(wish("alice", policy))

    assert Word.OK == await word(rig, issued.text)
    assert shard_of("alice") == shard_of_text(issued.text.encode())
    assert (44 if policy is PUPPET else 40) == len(issued.text)
    stored = repr(await rig.everything())
    assert issued.text not in stored
    assert issued.text[4:] not in stored


async def test_text_that_nobody_was_given_does_not_pass(rig: Rig):
    """A bit changed, the digest, the id, the empty text: unknown each."""
    issued = await rig.tokens.issue(wish("alice"))
    text = issued.text
    flipped = text[:-1] + ("0" if text[-1] != "0" else "1")
    digest = digest_of(text.encode()).hex()

    for other in (flipped, text.upper(), text + " ", text[:-1], digest, str(issued.token_id), ""):
        assert Word.UNKNOWN == await word(rig, other)


async def test_the_same_login_sees_the_same_token(rig: Rig):
    """Same owner, policy, address and agent: the same text, and told that it is not new."""
    first, again = [await rig.tokens.issue(wish("alice")) for _ in range(2)]

    assert (False, True) == (first.reused, again.reused)
    assert (first.text, first.token_id) == (again.text, again.token_id)


@pytest.mark.parametrize("other", [{"address": AWAY}, {"agent": WGET}])
async def test_another_login_gets_another_token(rig: Rig, other):
    """From another address or with another agent it is another token, good only there."""
    first = await rig.tokens.issue(wish("alice"))
    second = await rig.tokens.issue(wish("alice", **other))

    assert first.text != second.text
    assert Word.MISMATCH == await word(rig, first.text, **other)
    assert Word.OK == await word(rig, second.text, **other)


async def test_a_subnet_shares_a_token(rig: Rig):
    """Under a policy that binds to /24 the neighbours of one network log in to one token."""
    policy = replace(TOWER, prefix_v4=15, prefix_v6=8)
    near = HOME[:15] + b"\xfe"
    node = rig.node(policy)

    first = await node.tokens.issue(wish("alice", policy))
    second = await node.tokens.issue(wish("alice", policy, address=near))

    assert first.text == second.text
    assert Word.OK == await word(node, first.text, address=near)
    assert Word.MISMATCH == await word(node, first.text, address=AWAY)


async def test_without_reuse_each_login_is_a_new_token(rig: Rig):
    """NetBox and others make a token each time."""
    made = [await rig.tokens.issue(wish("alice", NETBOX)) for _ in range(3)]

    assert 3 == len({issued.text for issued in made})


async def test_a_token_of_a_key_this_node_lacks_lives_on(rig: Rig):
    """A login on a node without the key gets a new token; the old one stays good."""
    first = await rig.tokens.issue(wish("alice"))
    lacking = rig.node(secrets=[OTHER])

    second = await lacking.tokens.issue(wish("alice"))
    third = await lacking.tokens.issue(wish("alice"))

    assert first.text != second.text == third.text
    assert [Word.OK, Word.OK] == [await word(lacking, issued.text) for issued in (first, second)]


async def test_a_label_moves_from_a_token_of_a_key_this_node_lacks(rig: Rig):
    """One live token bears it, to be revoked by it; the old one lives on and is listed without."""
    labelled = wish("alice", PUPPET, label="ci", description="d", conflict="reuse")
    first = await rig.tokens.issue(labelled)
    lacking = rig.node(secrets=[OTHER])

    second = await lacking.tokens.issue(labelled)
    third = await lacking.tokens.issue(labelled)

    assert first.text != second.text == third.text
    listed = await rig.records.of_owner("alice")
    assert [("ci", "d"), ("", "d")] == [(each.label, each.description) for each in listed]
    await lacking.tokens.revoke_label("alice", "ci")
    assert [Word.OK, Word.REVOKED] == [await word(rig, each.text) for each in (first, second)]
    await lacking.tokens.revoke_id(first.token_id)
    assert Word.REVOKED == await word(rig, first.text)


async def test_many_logins_on_nodes_of_different_keys_are_all_answered(rig: Rig):
    """While nodes disagree about keys each login gets a token that passes, none an error."""
    nodes = [rig, rig.node(secrets=[OTHER])]

    found = await asyncio.gather(*(nodes[n % 2].tokens.issue(wish("alice")) for n in range(20)))

    assert {Word.OK} == {await word(rig, issued.text) for issued in found}


async def test_a_key_at_the_back_still_shows_its_tokens(rig: Rig):
    """After a rotation's second step a repeated login sees its old token."""
    first = await rig.tokens.issue(wish("alice"))

    again = await rig.node(secrets=[OTHER, SECRET]).tokens.issue(wish("alice"))

    assert first.text == again.text


async def test_a_nonce_that_was_tampered_with_shows_nothing(rig: Rig):
    """A record whose nonce does not give its digest is never shown as another token."""
    first = await rig.tokens.issue(wish("alice"))
    key = rig.keys.token(shard_of("alice"), digest_of(first.text.encode()))
    record = await rig.run(b"HGET", key, b"c")
    await rig.run(b"HSET", key, b"c", b"x" * 16 + record[16:])

    second = await rig.tokens.issue(wish("alice"))

    assert first.text != second.text
    assert Word.OK == await word(rig, first.text) == await word(rig, second.text)


async def test_a_label_is_taken_once_and_free_after_a_revoke(rig: Rig):
    """Two live tokens of one owner never bear one label; another owner may use it."""
    await rig.users.add("bob", "x")
    labelled = wish("alice", NETBOX, label="ci")
    first = await rig.tokens.issue(labelled)

    with pytest.raises(LabelTaken):
        await rig.tokens.issue(labelled)
    await rig.tokens.issue(wish("bob", NETBOX, label="ci"))
    await rig.tokens.revoke_label("alice", "ci")

    assert Word.REVOKED == await word(rig, first.text)
    assert not (await rig.tokens.issue(labelled)).reused


async def test_a_label_may_give_its_token_again(rig: Rig):
    """With conflict reuse the live token of that label is shown again, end and all."""
    labelled = wish("alice", PUPPET, label="ci", conflict="reuse")
    first, again = [await rig.tokens.issue(labelled) for _ in range(2)]

    assert (first.text, first.expires_ms, True) == (again.text, again.expires_ms, again.reused)


@pytest.mark.parametrize(
    ("policy", "asked", "life", "minutes"),
    [
        (TOWER, {}, Life.SLIDING, 30),
        (replace(TOWER, max_age_ms=10 * MINUTE), {}, Life.SLIDING, 10),
        (NETBOX, {}, Life.NEVER, None),
        (NETBOX, {"lifetime_ms": 5 * MINUTE}, Life.FIXED, 5),
        (replace(NETBOX, lifetime_ms=7 * MINUTE), {}, Life.FIXED, 7),
        (replace(NETBOX, max_lifetime_ms=9 * MINUTE), {}, Life.FIXED, 9),
        (replace(NETBOX, max_lifetime_ms=9 * MINUTE), {"lifetime_ms": 60 * MINUTE}, Life.FIXED, 9),
        (PUPPET, {}, Life.FIXED, 60),
        (PUPPET, {"lifetime_ms": 90 * MINUTE}, Life.FIXED, 90),
    ],
)
async def test_a_token_ends_as_policy_and_wish_have_it(
    rig: Rig, policy, asked, life: Life, minutes: int | None
):
    """The wish within the policy's maximum, else the policy's default, else never."""
    node = rig.node(policy)
    issued = await node.tokens.issue(wish("alice", policy, **asked))
    token = (await node.tokens.of_owner("alice"))[0]

    assert life == token.life
    if minutes is None:
        assert (0, 0) == (issued.expires_ms, token.expires_ms)
    else:
        assert minutes * MINUTE == issued.expires_ms - issued.created_ms
        assert abs(token.expires_ms - issued.expires_ms) <= 5_000


async def test_a_wished_end_keeps_within_the_maximum(rig: Rig):
    """An absolute end later than the policy allows is cut to that."""
    policy = replace(NETBOX, max_lifetime_ms=10 * MINUTE)
    now = await rig.now()

    for minutes, left in ((5, 5), (60, 10)):
        end = now + minutes * MINUTE
        issued = await rig.node(policy).tokens.issue(wish("alice", policy, end_ms=end))
        assert 0 <= issued.expires_ms - now - left * MINUTE <= 5_000


@pytest.mark.parametrize("write", [True, False])
async def test_the_write_flag_is_the_wishes_or_the_policys(rig: Rig, write: bool):
    """A read-only token refuses a write."""
    policy = replace(NETBOX, write=write)
    node = rig.node(policy)

    plain = await node.tokens.issue(wish("alice", policy))
    asked = await node.tokens.issue(wish("alice", policy, write=not write))

    words = [await word(node, issued.text) for issued in (plain, asked)]
    assert [Word.OK, Word.READ_ONLY] == (words if write else words[::-1])


async def test_levels_off_bind_nothing_and_log_binds(rig: Rig):
    """Under off nothing of the client is kept; under log it is, for the day it is enforced."""
    for level, later in ((Level.OFF, Word.OK), (Level.LOG, Word.MISMATCH)):
        policy = replace(TOWER, bind_ip=level, bind_agent=level, reuse=False)
        issued = await rig.node(policy).tokens.issue(wish("alice", policy))
        assert later == await word(rig, issued.text, address=AWAY, agent=WGET)


async def test_whoever_gets_nothing_is_told_why(rig: Rig):
    """No user, a disabled one, a full house: a refusal of its own each."""
    few = replace(NETBOX, max_tokens=1)
    node = rig.node(few)

    with pytest.raises(NoSuchUser):
        await node.tokens.issue(wish("nobody", few))
    await node.tokens.issue(wish("alice", few))
    with pytest.raises(TooManyTokens) as full:
        await node.tokens.issue(wish("alice", few))
    assert 1 == full.value.limit
    await rig.users.disable("alice")
    with pytest.raises(UserDisabled):
        await node.tokens.issue(wish("alice", few))


async def test_revoking_by_text_id_and_owner(rig: Rig):
    """Each way kills what it names, tells what is not there, and can be repeated."""
    one, two, three = [await rig.tokens.issue(wish("alice", NETBOX)) for _ in range(3)]

    assert [True, False] == [await rig.tokens.revoke(one.text.encode()) for _ in range(2)]
    assert not await rig.tokens.revoke(b"nothing")
    await rig.tokens.revoke_id(two.token_id)
    assert [Word.REVOKED, Word.REVOKED, Word.OK] == (
        [await word(rig, each.text) for each in (one, two, three)]
    )
    with pytest.raises(NoSuchToken):
        await rig.tokens.revoke_id(two.token_id)
    with pytest.raises(NoSuchToken):
        await rig.tokens.revoke_label("alice", "none")

    await rig.tokens.revoke_owner("alice")
    assert Word.REVOKED == await word(rig, three.text)
    with pytest.raises(NoSuchUser):
        await rig.tokens.revoke_owner("nobody")


@pytest.mark.parametrize("number", [0, -1, 1, 1 << 56, 1 << 200, token_id(9, b"\x2b\xd8")])
async def test_numbers_nobody_has_are_no_token(rig: Rig, number: int):
    """Any number but a token's own finds none."""
    await rig.tokens.issue(wish("alice"))

    with pytest.raises(NoSuchToken):
        await rig.tokens.get(number)


async def test_a_number_finds_its_token(rig: Rig):
    """The public id leads back to owner and policy."""
    issued = await rig.tokens.issue(wish("alice", PUPPET, label="ci", description="d"))

    token = await rig.tokens.get(issued.token_id)

    assert ("alice", "puppet", "live", "ci", "d") == (
        token.owner,
        token.policy,
        token.state,
        token.label,
        token.description,
    )


async def test_tidying_that_fails_is_left_to_the_next(rig: Rig):
    """A failure of the tidying behind a revoke is nobody's error."""
    await rig.tokens.issue(wish("alice", NETBOX))

    async def fail(owner: str) -> int:
        raise StoreDown("gone")

    rig.store.bury_all = fail  # type: ignore[method-assign]
    await rig.tokens.revoke_owner("alice")
    await rig.tokens.settle()
