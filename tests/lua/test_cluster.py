"""The scripts while a slot is on the move: the right answer, or a word to come again, never a lie.

Every script runs on the source and on the target of a half-moved slot, for each way to share its
keys between the two. What it may say is what it says on a server that has all keys, or ASK,
TRYAGAIN or MOVED.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest
from redis.exceptions import RedisError, ResponseError

from service.model import Life
from service.store.client import Call, Command, _missing
from service.store.guard import Rule
from service.store.keys import shard_of
from tests.cluster import Cluster
from tests.makers import CURL, HOME, MINUTE, TOWER, Made, Rig, own_text, wish
from tests.servers import Server

RULE = Rule(limit=3, window_ms=MINUTE, first_ms=1_000, max_ms=MINUTE)
GUARDED = b"a:{%b}" % shard_of("alice").hex().encode()
COME_AGAIN = {"ASK", "MOVED", "TRYAGAIN", "CLUSTERDOWN"}


class Said(Exception):
    """A server's refusal, on its way out of the store."""


class Wire:
    """A client as the store has it, on the raw connection of one node, that notes its calls."""

    embedded = False
    timeout_s = 1.0

    def __init__(self, node: Server, *, asking: bool = False) -> None:
        self.node = node
        self.asking = asking
        self.calls: list[Call] = []

    async def run(self, *steps: Call | Command) -> list[Any]:
        """The replies of the node, Said when it refuses one."""
        return [self._one(step) for step in steps]

    def _one(self, step: Call | Command) -> Any:
        if not isinstance(step, Call):
            return self._send(step)
        self.calls.append(step)
        try:
            return self._send(step.by_sha(True))
        except ResponseError as error:
            if not _missing(error):
                raise
            return self._send(step.by_source(True))

    def _send(self, command: Command) -> Any:
        with self.node.client() as link:
            if self.asking:
                link.send_command("ASKING")
                link.read_response()
            link.send_command(*command)
            return link.read_response()


def word_of(answer: Any) -> str:
    """The first word of a reply, or of a refusal."""
    if isinstance(answer, RedisError):
        return answer.status_code or str(answer).split(" ")[0]
    return answer[0].decode()


Operation = Callable[[Rig, Made], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "verify": lambda rig, made: rig.store.verify(
        made.shard, made.digest, address=HOME, agent=CURL, write=True
    ),
    "revoke": lambda rig, made: rig.store.revoke(made.shard, made.digest),
    "revoke_owner": lambda rig, _: rig.store.revoke_owner("alice"),
    "set_owner": lambda rig, _: rig.owners.change("alice", {"email": "x"}, state="d"),
    "set_owner new": lambda rig, _: rig.owners._set("alice", "a", "new", {"id": "9"}),
    "trim": lambda rig, _: rig.store.trim("alice", TOWER),
    "issue": lambda rig, _: rig.make(name=b"bind:x", password=b"salt"),
    "amend": lambda rig, made: rig.store.amend("alice", made.digest, end=(Life.NEVER, 0)),
    "attempt": lambda rig, _: rig.buckets.reserve(GUARDED, RULE),
    "import": lambda rig, _: rig.tokens.issue(wish("alice", TOWER, text=own_text("alice"))),
}


def rig_on(node: Server, **options: Any) -> tuple[Rig, Wire]:
    """A rig that speaks to *node* alone."""
    wire = Wire(node, **options)
    return Rig("", client=wire), wire  # type: ignore[arg-type]


async def scene(cluster: Cluster) -> tuple[Rig, Wire, Made, Server, int]:
    """Alice with a token that a login would get again, on the master that owns her slot."""
    slot = cluster.slot_of("{" + shard_of("alice").hex() + "}")
    source = cluster.node_of(slot)
    rig, wire = rig_on(source)
    fields = {"id": "1", "password": "salt$hash"}
    await rig.owners._set("alice", "a", "new", fields, now="created")
    await rig.make(name=b"bind:y", password=b"salt")
    await rig.buckets.reserve(GUARDED, RULE)
    return rig, wire, await rig.make(name=b"bind:x", password=b"salt"), source, slot


async def recorded(cluster: Cluster, name: str) -> tuple[Call, str, Made, Server, int]:
    """The script call *name* makes, with the word it is rightly answered with; state undone."""
    rig, wire, made, source, slot = await scene(cluster)
    before = {key: source.cli("DUMP", key) for key in source.cli("KEYS", "*")}
    ttls = {key: source.cli("PTTL", key) for key in before}
    wire.calls.clear()
    await OPERATIONS[name](rig, made)
    call = next(call for call in wire.calls if call.script.name == name.split()[0])
    restore(source, before, ttls)
    answer = word_of(run(source, call))
    restore(source, before, ttls)
    return call, answer, made, source, slot


def restore(node: Server, dumps: dict[bytes, bytes], ttls: dict[bytes, int]) -> None:
    """Put every key back as it was dumped."""
    node.cli("FLUSHALL")
    for key, dump in dumps.items():
        node.cli("RESTORE", key, max(ttls[key], 0), dump)


def run(node: Server, call: Call, *, asking: bool = False) -> Any:
    """What *node* says to *call*: a reply, or the refusal itself."""
    try:
        return Wire(node, asking=asking)._one(call)
    except RedisError as error:
        return error


def shares(keys: list[bytes]) -> list[tuple[bytes, ...]]:
    """Which of *keys* are moved: none, each alone, each pair, all but one, all."""
    some = [1, 2, len(keys) - 1, len(keys)]
    return [
        (),
        *(moved for n in sorted({n for n in some if n > 0}) for moved in combinations(keys, n)),
    ]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_half_moved_slot_makes_no_script_lie(cluster: Cluster, name: str):
    """On source and target, with and without ASKING, a script answers rightly or not at all."""
    call, right, _, source, slot = await recorded(cluster, name)
    target = cluster.other_than(source)
    present = [key for key in dict.fromkeys(call.keys) if source.cli("EXISTS", key)]
    dumps = {key: source.cli("DUMP", key) for key in source.cli("KEYS", "*")}
    ttls = {key: source.cli("PTTL", key) for key in dumps}
    heard: set[str] = set()

    for moved in shares(present):
        for node, asking in ((source, False), (target, True), (target, False)):
            cluster.begin_move(slot, target)
            if moved:
                cluster.move_keys(*moved)
            before = kept(source), kept(target)

            word = word_of(run(node, call, asking=asking))

            assert word in {right, *COME_AGAIN}, (moved, node, asking)
            if word in COME_AGAIN:
                assert before == (kept(source), kept(target))
            if node is target and not asking:
                assert word == "MOVED"
            heard.add(word)
            cluster.cancel_move()
            target.cli("FLUSHALL")
            restore(source, dumps, ttls)

    # The key of a token to be is on no server: issue waits until the slot has moved.
    assert right in heard or name in ("issue", "import")
    assert heard & {"ASK", "TRYAGAIN", "MOVED"}


def kept(node: Server) -> dict[bytes, Any]:
    """What *node* itself holds, whoever owns the slot."""
    # With ASKING, so that the importing node tells too.
    wire = Wire(node, asking=True)
    return {key: wire._send(("DUMP", key)) for key in node.cli("KEYS", "*")}


async def test_a_login_during_the_move_gets_the_token_it_has(cluster: Cluster):
    """Whatever has moved, a repeated login is the same token or nothing, never a second one."""
    call, right, made, source, slot = await recorded(cluster, "issue")
    assert "reused" == right
    target = cluster.other_than(source)
    cluster.begin_move(slot, target)
    keys = source.cli("KEYS", "*")

    for key in keys:
        cluster.move_keys(key)
        for node, asking in ((source, False), (target, True)):
            assert word_of(run(node, call, asking=asking)) in {"reused", *COME_AGAIN}

    cluster.finish_move()
    rig, _ = rig_on(target)
    again = await rig.make(name=b"bind:x", password=b"salt")
    assert made.digest == again.digest
    assert 2 == target.cli("ZCARD", rig.index("alice"))


async def test_a_token_is_never_unknown_during_the_move(cluster: Cluster):
    """At no step of a whole move does a verify say anything but ok or come again."""
    call, right, _, source, slot = await recorded(cluster, "verify")
    assert "ok" == right
    target = cluster.other_than(source)
    words: dict[str, list[str]] = {"source": [], "target": []}

    def ask() -> None:
        words["source"].append(word_of(run(source, call)))
        words["target"].append(word_of(run(target, call, asking=True)))

    ask()
    cluster.begin_move(slot, target)
    for key in source.cli("KEYS", "*"):
        ask()
        cluster.move_keys(key)
    ask()
    cluster.finish_move()
    ask()

    assert set(words["source"]) <= {"ok", "ASK", "TRYAGAIN", "MOVED"}
    assert set(words["target"]) <= {"ok", "TRYAGAIN", "MOVED"}
    assert ("ok", "MOVED") == (words["source"][0], words["source"][-1])
    assert "ok" == words["target"][-1]


async def test_bury_during_the_move_buries_nobody_alive(cluster: Cluster):
    """Tidying takes no entry or name of a token that is merely on the other side."""
    rig, _, made, source, slot = await scene(cluster)
    entries = source.cli("ZRANGE", rig.index("alice"), 0, -1)
    digests = {b"bind:x": made.digest}
    call = rig.store._tidy(made.shard, "alice", entries, digests)[0]
    assert [b"ok", 0] == run(source, call)
    target = cluster.other_than(source)
    cluster.begin_move(slot, target)

    for key in source.cli("KEYS", "*"):
        for node, asking in ((source, False), (target, True)):
            answer = run(node, call, asking=asking)
            assert word_of(answer) in COME_AGAIN or answer == [b"ok", 0]
        cluster.move_keys(key)

    cluster.finish_move()
    assert 2 == target.cli("ZCARD", rig.index("alice"))
    assert 2 == target.cli("HLEN", rig.names("alice"))
