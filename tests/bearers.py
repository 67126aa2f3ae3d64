"""Tokens with their texts, of every fate, for tests that come through the gate's socket."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from urllib.parse import urlsplit

from service.core.address import pack
from service.core.secret import agent_digest, digest_of
from service.model import Policy
from service.store.keys import shard_of
from tests.makers import AWAY, HOME, NETBOX, PUPPET, TOWER, Made, Rig

AGENT = b"curl/8"
LOCAL = pack("127.0.0.1")


def connect(url: str) -> socket.socket:
    """A connection to the node at *url*."""
    target = urlsplit(url)
    return socket.create_connection((target.hostname, target.port), timeout=10)


def text_of(owner: str) -> str:
    """A new token text that leads to the owner's shard."""
    return shard_of(owner).hex() + os.urandom(18).hex()


async def bearer(
    rig: Rig, owner: str, policy: Policy = NETBOX, **wishes: object
) -> tuple[str, Made]:
    """A token of *owner*, who need not be there yet: its text, and where it lies."""
    if await rig.run(b"HGET", rig.keys.owners(shard_of(owner)), owner) is None:
        await rig.owner(owner)
    text = text_of(owner)
    wishes.setdefault("agent", agent_digest(AGENT) if policy is TOWER else bytes(16))
    made = await rig.make(owner, policy, digest=digest_of(text.encode()), **wishes)
    return text, made


async def _fates(url: str) -> dict[str, str]:
    made: dict[str, tuple[str, Made]] = {}
    async with Rig(url) as rig:
        made["never ends"] = await bearer(rig, "alice")
        made["fixed end"] = await bearer(rig, "alice", PUPPET)
        made["odd name"] = await bearer(rig, "zoë %s\u2028=;, x")
        made["read only"] = await bearer(rig, "alice", write=False)
        made["bound here"] = await bearer(rig, "alice", TOWER, prefix=LOCAL)
        made["bound to home"] = await bearer(rig, "alice", TOWER, prefix=HOME)
        for fate in ("revoked", "evicted", "marked", "inactive", "ownerless"):
            made[fate] = await bearer(rig, fate)
        made["switched off"] = await bearer(rig, "alice")
        made["expired"] = await bearer(rig, "alice", PUPPET)
        made["fenced in"] = await bearer(rig, "alice")
        made["at home only"] = await bearer(rig, "alice")
        made["moved"] = await bearer(rig, "alice")
        made["no policy"] = await bearer(rig, "alice", replace(PUPPET, letter="z"))
        await rig.edit(made["switched off"][1], enabled=False)
        for fate, reason in (("revoked", b"revoked"), ("evicted", b"evicted")):
            await rig.run(b"HSET", made[fate][1].key, b"d", reason)
        await rig.set_state("marked", b"a", made["marked"][1].outcome.counter)
        await rig.set_state("inactive", b"d")
        await rig.run(b"HDEL", rig.keys.owners(shard_of("ownerless")), "ownerless")
        await rig.edit(made["expired"][1], end_ms=await rig.now() - 5_000)
        await rig.run(b"HSET", made["fenced in"][1].key, b"n", bytes([128]) + AWAY)
        await rig.run(b"HSET", made["at home only"][1].key, b"n", bytes([120]) + HOME)
        text, moved = made["moved"]
        foreign = b"\x12\x34"
        alias = foreign.hex() + text[4:]
        await rig.run(b"RENAME", moved.key, rig.keys.token(moved.shard, digest_of(alias.encode())))
        await rig.run(
            b"HSET", rig.keys.token(foreign, digest_of(alias.encode())), b"a", moved.shard
        )
        made["moved"] = alias, moved
    found = {fate: text for fate, (text, _) in made.items()}
    return {
        **found,
        "unknown": "0" * 40,
        "word": "hello",
        "long": "a" * 256,
        "garbled": "th_" + "a" * 51,
    }


def fates(url: str) -> dict[str, str]:
    """A token text of every fate in the store at *url*, which is set up when it was not."""
    return asyncio.run(_fates(url))


def bearers(url: str, count: int) -> dict[str, str]:
    """One good token for each of *count* users: owner by text."""

    async def work() -> dict[str, str]:
        async with Rig(url) as rig:
            names = [f"user-{number:03}" for number in range(count)]
            made = await asyncio.gather(*(bearer(rig, name) for name in names))
            return {text: name for (text, _), name in zip(made, names, strict=True)}

    return asyncio.run(work())
