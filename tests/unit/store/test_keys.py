"""Keys: one shard's keys share a slot, and no name or digest can leave it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from service.store.keys import Keys, index_entry, shard_of, split_entry
from tests.makers import NETBOX, PUPPET, TOWER, Rig
from tests.servers import Server

ROOT = Path(__file__).parents[3]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=150)


def keys_of(keys: Keys, shard: bytes, owner: str, digest: bytes) -> list[bytes]:
    """Every key a script may touch for one owner."""
    return [
        keys.token(shard, digest),
        keys.owners(shard),
        keys.counter(shard),
        keys.index(shard, owner),
        keys.names(shard, owner),
        keys.user(shard, owner),
    ]


@given(NAMES, st.binary(min_size=20, max_size=20), st.sampled_from([b"", b"a:", b"x}y"]))
def test_all_keys_of_an_owner_lie_on_one_slot(owner: str, digest: bytes, prefix: bytes):
    """Whatever the name or digest holds, braces too, the hash tag is the shard."""
    keys = keys_of(Keys(prefix), shard_of(owner), owner, digest)

    assert {key_slot(shard_of(owner).hex().encode())} == {key_slot(key) for key in keys}
    assert len(keys) == len(set(keys))
    assert all(key.startswith(prefix) for key in keys)


@given(NAMES, NAMES)
def test_two_owners_never_share_a_key(one: str, other: str):
    """Different names have different keys, in one shard too."""
    if one != other:
        keys = Keys()
        own = {make(b"\0\0", one) for make in (keys.index, keys.names, keys.user)}
        assert own.isdisjoint(
            {make(b"\0\0", other) for make in (keys.index, keys.names, keys.user)}
        )


@given(st.binary(min_size=20, max_size=20), st.sampled_from("tnap"))
def test_an_index_entry_comes_apart_again(digest: bytes, letter: str):
    """Digest and letter are what an entry was made of, whatever bytes the digest has."""
    assert (digest, letter) == split_entry(index_entry(digest, letter))


def test_a_shard_is_the_start_of_sha256():
    """Nodes of any version agree where an owner lives."""
    assert hashlib.sha256("ä".encode()).digest()[:2] == shard_of("ä")


@pytest.mark.parametrize("prefix", [b"", b"staging:"])
async def test_the_manual_lists_every_key_there_is(redis_server: Server, prefix: bytes):
    """Every key that the operations leave in Redis has its row in KEYS.md, and its type."""
    manual = (ROOT / "lua" / "KEYS.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z:]+)[^`]*` \| (\w+)", manual, re.MULTILINE))
    async with Rig(redis_server.url, prefix=prefix) as rig:
        await rig.users.add("alice", "right")
        for policy in (TOWER, NETBOX, PUPPET):
            await rig.use(await rig.make(policy=policy, name=b"bind:x"))
        async with rig.guard.guess("alice", b""):
            found = {key: await rig.run(b"TYPE", key) for key in await rig.run(b"KEYS", b"*")}

    assert len(found) > 8
    for key, kind in found.items():
        assert key.startswith(prefix)
        name = re.match(r"[a-z]+(:next|:)?", key[len(prefix) :].decode("latin-1"))
        assert name is not None
        assert rows[name[0]].encode() == kind


async def test_two_prefixes_are_two_stores(redis_server: Server):
    """What one service does under its prefix the other does not see."""
    async with Rig(redis_server.url, prefix=b"a:") as one, Rig(redis_server.url) as two:
        await one.owner("alice")
        made = await one.make()

        assert await two.owners.get("alice") is None
        assert "unknown" == (await two.use(made)).word
