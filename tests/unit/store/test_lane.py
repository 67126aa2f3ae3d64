"""The lane on real servers: the same verdicts as the store's, whatever is done to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from service.errors import StoreDown
from service.model import Word
from service.store.lane import Lane
from service.store.verify import VerifyTail
from tests.conftest import ServerFactory
from tests.lua.test_fence import free
from tests.lua.test_verify import ORDER, spelled
from tests.makers import CURL, HOME, NETBOX, TOWER, Made, Rig
from tests.patience import until
from tests.servers import NEWEST, Server, kinds
from tests.unit.store.liar import Asked, Told, lane_to

DURABLE = {"appendonly": "yes", "appendfsync": "always"}
SHORT_S = 0.15
# The promise is 300 ms; a server on a busy machine answers late now and then.
PROMISE_S, SLACK_S = 0.3, 0.2


@pytest.fixture
async def rig(real_server: Server) -> AsyncIterator[Rig]:
    """The floors below HTTP on each kind of real server; ``alice`` is a user."""
    async with Rig(real_server.url) as made:
        await made.owner("alice")
        yield made


def put(lane: Lane, rig: Rig, made: Made, *, write: bool = True) -> Asked:
    """Ask *lane* about one use of a token."""
    tail = VerifyTail(rig.keys, rig.store.rules)
    asker = Asked(made.digest)
    seen, now = tail.seen(HOME, CURL), asyncio.get_running_loop().time()
    asked = tail(made.shard, made.digest, seen, write=write, now=now)
    lane.ask(asker, made.digest[:4], asked, now=now)
    return asker


async def ask(lane: Lane, rig: Rig, made: Made) -> Told:
    """What *lane* says of one use."""
    return await put(lane, rig, made).told()


# -- verdicts ------------------------------------------------------------------------------------

Spoil = Callable[[Rig, Made], Awaitable[object]]


@pytest.mark.parametrize("case", ORDER, ids=spelled)
async def test_the_lane_refuses_with_the_store_s_word(rig: Rig, case: tuple[Word, Spoil]):
    """Every reason there is, on every kind of server."""
    made = await rig.make()
    await case[1](rig, made)
    async with lane_to(rig_url(rig)) as lane:
        told = await ask(lane, rig, made)

    assert case[0].value == told.word
    assert case[0] == await rig.word(made, write=True)


def rig_url(rig: Rig) -> str:
    """Where *rig*'s Redis is."""
    options = rig.client._pool.connection_kwargs
    return f"redis://{options['host']}:{options['port']}/{options.get('db', 0)}"


@pytest.mark.parametrize("policy", [TOWER, NETBOX], ids=lambda policy: policy.name)
async def test_the_lane_allows_with_the_store_s_facts(rig: Rig, policy):
    """Owner, kind, number and what is left of the time are those of the token."""
    made = await rig.make(policy=policy)
    async with lane_to(rig_url(rig)) as lane:
        asker = put(lane, rig, made)
        await asker.told()
    verdict = await rig.use(made, write=True)

    assert verdict.allowed
    _, tag, kind, counter, owner, remaining_ms, _, mismatch, _ = asker.reply
    assert (made.digest[:4], verdict.owner, verdict.mismatch) == (tag, owner.decode(), mismatch)
    assert verdict.policy == rig.store.policies[chr(kind[0])].name
    assert (made.outcome.counter, b"w") == (counter, kind[2:])
    assert verdict.remaining_ms == pytest.approx(remaining_ms, abs=5_000)


async def test_what_needs_a_further_step_is_handed_on_as_it_is(rig: Rig):
    """An alias, a lowered limit, a policy that is gone: the script's own reply."""
    made, foreign = await rig.make(), b"\x00\x01"
    alias = replace(made, shard=foreign, key=rig.keys.token(foreign, made.digest))
    await rig.run(b"HSET", alias.key, b"a", made.shard)
    lowered = rig.node(replace(TOWER, per_user=3), NETBOX)
    without = rig.node(NETBOX)
    async with lane_to(rig_url(rig)) as lane:
        askers = [put(lane, *of) for of in ((rig, alias), (lowered, made), (without, made))]
        words = [(await asker.told()).word for asker in askers]

    assert ["moved", "trim", "no_policy"] == words
    assert [made.shard] == askers[0].reply[2:]
    assert [b"alice", b"t"] == askers[1].reply[2:]


async def test_a_token_nobody_has_is_unknown_until_the_store_is_emptied(rig: Rig):
    """Without the mark of birth there is no verdict."""
    nobody = replace(await rig.make(), digest=b"x" * 20)
    async with lane_to(rig_url(rig)) as lane:
        before = await ask(lane, rig, nobody)
        await rig.run(b"FLUSHALL")
        after = await ask(lane, rig, nobody)

    assert ("unknown", "503 not set up") == (before.word, after.word)


# -- scripts -------------------------------------------------------------------------------------


async def test_flushed_scripts_fail_nobody(rig: Rig):
    """SCRIPT FLUSH every two milliseconds, with hundreds of questions always under way."""
    tokens = [await rig.make(f"user{n}", NETBOX) for n in range(50) if await rig.owner(f"user{n}")]
    loop, words, flushes = asyncio.get_running_loop(), set(), 0
    ends = loop.time() + 1.5
    async with lane_to(rig_url(rig)) as lane:

        async def keep_asking(made: Made) -> None:
            while loop.time() < ends:
                askers = [put(lane, rig, made) for _ in range(5)]
                words.update([((await asker.told()).word, *asker.reply[4:5]) for asker in askers])

        async def keep_flushing() -> None:
            nonlocal flushes
            while loop.time() < ends:
                await rig.run(b"SCRIPT", b"FLUSH")
                flushes += 1
                await asyncio.sleep(0.002)

        await asyncio.gather(keep_flushing(), *(keep_asking(made) for made in tokens))

    assert {("ok", made.owner.encode()) for made in tokens} == words
    assert flushes > 20


# -- servers that go and come --------------------------------------------------------------------


@pytest.fixture(params=[NEWEST, "redis6"])
async def own(
    request: pytest.FixtureRequest, server_factory: ServerFactory
) -> AsyncIterator[tuple[Server, Rig, Made]]:
    """A server of this test's own that survives a restart, and a token on it."""
    server = server_factory(request.param, conf=DURABLE)
    async with Rig(server.url, timeout_ms=2_000) as rig:
        await rig.owner("alice")
        yield server, rig, await rig.make()


Own = tuple[Server, Rig, Made]


async def test_a_restarted_server_answers_the_next_question(own: Own):
    """The same lane goes on; while the server is down nobody waits for long."""
    server, rig, made = own
    async with lane_to(server.url) as lane:
        assert "ok" == (await ask(lane, rig, made)).word
        for _ in range(3):
            await asyncio.to_thread(server.kill)
            down = [await ask(lane, rig, made) for _ in range(5)]
            await asyncio.to_thread(server.restart)
            up = await ask(lane, rig, made)

            assert {"503 unreachable"} == {told.word for told in down}
            assert max(told.took_s for told in down) < PROMISE_S + SLACK_S
            assert ("ok", True) == (up.word, up.took_s < PROMISE_S + SLACK_S)


async def test_a_stopped_server_lets_nobody_wait_and_is_back_within_a_second(own: Own):
    """Two seconds of SIGSTOP, asked all the while."""
    server, rig, made = own
    loop = asyncio.get_running_loop()
    async with lane_to(server.url, timeout_s=SHORT_S) as lane:
        assert "ok" == (await ask(lane, rig, made)).word
        server.pause()
        askers, ends = [], loop.time() + 2
        try:
            while loop.time() < ends:
                askers.append(put(lane, rig, made))
                await asyncio.sleep(0.01)
        finally:
            server.resume()
        resumed = loop.time()
        word = ""
        async with asyncio.timeout(5):
            while word != "ok":
                word = (await ask(lane, rig, made)).word
        back_s = loop.time() - resumed
        told = [await asker.told() for asker in askers]

    # Who asked just before the end may have got his answer.
    assert {told.word for told in told[:-20]} <= {"503 timeout", "503 unreachable"}
    assert max(each.took_s for each in told) < PROMISE_S + SLACK_S
    assert back_s < 1


async def test_a_busy_server_decides_nothing(server_factory: ServerFactory):
    """A runaway script of somebody else's holds up no asker beyond his deadline."""
    server = server_factory(conf={"lua-time-limit": "50"})
    async with Rig(server.url) as rig, lane_to(server.url, timeout_s=SHORT_S) as lane:
        await rig.owner("alice")
        made = await rig.make()
        assert "ok" == (await ask(lane, rig, made)).word
        runaway = asyncio.create_task(rig.run(b"EVAL", b"while true do end", 0))
        await until(lambda: not free(server))
        told = [await ask(lane, rig, made) for _ in range(10)]
        server.cli("SCRIPT", "KILL")
        with pytest.raises(StoreDown):
            await runaway

        assert {each.word for each in told} <= {"503 busy", "503 timeout"}
        assert "503 busy" in {each.word for each in told}
        assert "ok" == (await ask(lane, rig, made)).word


@pytest.mark.parametrize("kind", kinds()[1:])
async def test_a_replica_and_a_master_cut_off_decide_nothing(
    server_factory: ServerFactory, kind: str
):
    """Both would have to write a use down, and may not."""
    master = server_factory(kind)
    async with Rig(master.url) as rig:
        await rig.owner("alice")
        made = await rig.make()
        replica = server_factory(kind, replica_of=master)
        async with lane_to(replica.url) as lane:
            assert "503 readonly" == (await ask(lane, rig, made)).word
        await asyncio.to_thread(replica.kill)
        async with lane_to(master.url) as lane:
            assert "ok" == (await ask(lane, rig, made)).word
            await rig.run(b"CONFIG", b"SET", b"min-replicas-to-write", b"1")

            assert "503 noreplicas" == (await ask(lane, rig, made)).word
            await rig.run(b"CONFIG", b"SET", b"min-replicas-to-write", b"0")
            assert "ok" == (await ask(lane, rig, made)).word
