"""The client: one deadline, one kind of failure, and nobody gets another's answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.errors import StoreDown
from service.store.client import Call, Client
from service.store.scripts import load_all
from tests.makers import Rig
from tests.servers import Memory, Server, wait_until

TIMEOUT_MS = 150
ECHO = b"return {KEYS[1], ARGV[1]}"


@asynccontextmanager
async def opened(url: str, **options: int) -> AsyncIterator[Client]:
    """A client that is closed in the end."""
    client = Client(url, **{"timeout_ms": TIMEOUT_MS, **options})
    try:
        yield client
    finally:
        await client.aclose()


async def refused(client: Client, *command: bytes | str | int) -> tuple[str, float]:
    """The reason StoreDown gave and the seconds it took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(StoreDown) as caught:
        await client.run(command)
    return caught.value.reason, clock() - began


async def answered(client: Client, *command: str) -> list[object]:
    """The reply, of however many attempts."""
    while True:
        with contextlib.suppress(StoreDown):
            return await client.run(command)


def in_use(client: Client) -> int:
    """How many connections the pool has lent."""
    return len(client._pool._in_use_connections)


async def settled(client: Client) -> None:
    """Until nothing is left to do in the background."""
    while client._background:
        await asyncio.gather(*client._background, return_exceptions=True)


async def test_replies_come_in_order(any_server: Server | Memory):
    """Commands sent together are answered together, each with its own reply."""
    async with opened(any_server.url, timeout_ms=2_000) as client:
        assert [b"OK", b"1", 2] == await client.run(("SET", "a", 1), ("GET", "a"), ("INCR", "a"))


async def test_a_server_that_is_not_there_is_down_at_once(server_factory):
    """Without a server every call fails within the deadline, and works again when it is back."""
    server = server_factory()
    async with opened(server.url) as client:
        assert [b"PONG"] == await client.run(("PING",))
        server.kill()

        for _ in range(3):
            reason, took = await refused(client, "PING")
            assert ("unreachable", True) == (reason, took < 0.3)

        server.restart()
        assert [b"PONG"] == await client.run(("PING",))
        await settled(client)
        assert 0 == in_use(client)


async def test_a_server_that_hangs_is_down_within_the_deadline(server_factory):
    """A frozen server costs each call its deadline; soon after it goes on, calls work again."""
    server = server_factory()
    async with opened(server.url, pool=8) as client:
        await asyncio.gather(*(client.run(("PING",)) for _ in range(4)))
        server.pause()

        for _ in range(2):
            found = await asyncio.gather(*(refused(client, "PING") for _ in range(20)))
            assert max(took for _, took in found) < 0.3

        server.resume()
        async with asyncio.timeout(1):
            assert [b"x"] == await answered(client, "ECHO", "x")
        await settled(client)
        assert 0 == in_use(client)


async def test_a_handshake_cut_short_is_not_continued(server_factory):
    """A connection that missed its deadline while it was made is never lent to anybody."""
    server = server_factory()
    async with opened(server.url, pool=4) as client:
        server.pause()
        await asyncio.gather(*(refused(client, "PING") for _ in range(8)))
        await settled(client)
        # What would answer late if it were still connected answers from here on.
        server.resume()

        for number in range(50):
            assert [b"%d" % number] == await client.run(("ECHO", number))


async def test_no_cancellation_crosses_answers(server_factory):
    """Five hundred calls cancelled at random moments: every other answer is its asker's own."""
    server = server_factory()
    chance = random.Random(7)
    async with opened(server.url, timeout_ms=3_000, pool=8) as client:

        async def ask(number: int) -> bool:
            reply = await client.run(
                ("ECHO", number), ("EVAL", ECHO, 1, f"k{number}", number), ("ECHO", -number)
            )
            assert [b"%d" % number, [b"k%d" % number, b"%d" % number], b"%d" % -number] == reply
            return True

        async def cancelled(number: int) -> bool:
            task = asyncio.create_task(ask(number))
            await asyncio.sleep(chance.random() * 0.01)
            task.cancel()
            try:
                return await task
            except asyncio.CancelledError:
                return False

        cut = 0
        for start in range(0, 500, 25):
            found = await asyncio.gather(*(cancelled(start + n) for n in range(25)), ask(start))
            cut += found.count(False)
        await settled(client)

        assert cut > 50
        assert 0 == in_use(client)


async def test_a_flushed_script_cache_is_nobodys_failure(real_server: Server):
    """With the cache flushed all the time no call fails, alone or in a pipeline."""
    async with Rig(real_server.url) as rig:
        await rig.owner("alice")
        made = await rig.make()
        stop = False

        async def flush() -> int:
            times = 0
            while not stop:
                await rig.run("SCRIPT", "FLUSH")
                times += 1
                await asyncio.sleep(0.001)
            return times

        flushing = asyncio.create_task(flush())
        for _ in range(30):
            found = await asyncio.gather(*(rig.use(made) for _ in range(10)), rig.make())
            assert all(verdict.allowed for verdict in found[:-1])
        stop = True
        assert await flushing > 10


async def test_a_missing_script_in_a_pipeline_keeps_the_order(real_server: Server):
    """What comes behind a missing script in one pipeline sees what the script did."""
    new = load_all()["set_owner"]
    async with opened(real_server.url, timeout_ms=2_000) as client:
        await client.run(("SCRIPT", "FLUSH"))
        call = Call(new, [b"u", b"o", b"c", b"n"], ["x", "a", "new", "", "", "", "id", "1"])

        replies = await client.run(("HGET", "u", "id"), call, ("HGET", "u", "id"))

        assert [None, [b"ok", 0], b"1"] == replies


async def test_a_replica_count_is_taken_after_the_script_ran(server_factory):
    """WAIT behind a script the server did not know waits for that script's write."""
    master = server_factory()
    replica = server_factory(replica_of=master)
    async with Rig(master.url, wait_replicas=1, timeout_ms=1_000) as rig:
        await rig.owner("alice")
        assert 1 == (await rig.make()).outcome.replicas

        replica.pause()
        await rig.run("SCRIPT", "FLUSH")
        assert 0 == (await rig.make()).outcome.replicas


@pytest.mark.parametrize(
    ("conf", "command", "reason"),
    [
        ({"maxmemory": "1"}, ("SET", "a", "x"), "oom"),
        ({"min-replicas-to-write": "1"}, ("SET", "a", "x"), "noreplicas"),
        ({"user": "default on nopass ~* +@all -set"}, ("SET", "a", "x"), "noperm"),
        ({}, ("INCR", "text"), "err"),
        ({}, ("HGET", "text", "a"), "wrongtype"),
        ({}, ("NOSUCH",), "err"),
    ],
)
async def test_each_refusal_of_redis_has_a_short_reason(
    server_factory, conf: dict, command: tuple, reason: str, caplog: pytest.LogCaptureFixture
):
    """Whatever Redis refuses is StoreDown with one word, and the word alone is logged."""
    server = server_factory("redis8", conf)
    if not conf:
        server.cli("SET", "text", "secret")
    async with opened(server.url, timeout_ms=2_000) as client:
        with caplog.at_level(logging.DEBUG):
            assert reason == (await refused(client, *command))[0]

    assert [f"the store fails: {reason}"] == [
        r.getMessage() for r in caplog.records if r.name.startswith("service")
    ]


async def test_a_replica_is_no_place_to_write(server_factory):
    """READONLY is StoreDown."""
    replica = server_factory(replica_of=server_factory())
    async with opened(replica.url, timeout_ms=2_000) as client:
        assert "readonly" == (await refused(client, "SET", "a", "x"))[0]


async def test_one_refused_step_refuses_the_whole_call(redis_server: Server):
    """Where one of several commands is refused no reply is given, and the connection is clean."""
    async with opened(redis_server.url, timeout_ms=2_000) as client:
        with pytest.raises(StoreDown):
            await client.run(("SET", "a", "x"), ("INCR", "a"), ("GET", "a"))

        assert [b"x"] == await client.run(("GET", "a"))


async def test_refusals_do_not_disturb_other_calls(redis_server: Server):
    """While some calls are refused all the time, the others are answered."""
    async with opened(redis_server.url, timeout_ms=3_000, pool=16) as client:
        await client.run(("SET", "a", "x"))

        async def good() -> None:
            for _ in range(40):
                assert [b"x"] == await client.run(("GET", "a"))
                await asyncio.sleep(0)

        async def bad() -> None:
            for _ in range(40):
                await refused(client, "INCR", "a")

        await asyncio.gather(*(good() for _ in range(8)), *(bad() for _ in range(8)))


@pytest.mark.parametrize("url", ["redis://:hunter2@{}/0", "redis://{}/0", "redis://hunter2:x@{}/0"])
async def test_a_wrong_password_is_down_and_stays_secret(
    server_factory, url: str, caplog: pytest.LogCaptureFixture
):
    """Without the right credentials every call is StoreDown; no word of them is logged."""
    server = server_factory("redis8", {"requirepass": "right"})
    with caplog.at_level(logging.DEBUG):
        async with opened(url.format(f"127.0.0.1:{server.port}"), timeout_ms=2_000) as client:
            await refused(client, "PING")
    assert "hunter2" not in caplog.text

    async with opened(f"redis://:right@127.0.0.1:{server.port}/0", timeout_ms=2_000) as client:
        assert [b"PONG"] == await client.run(("PING",))


async def test_a_unix_socket_works_as_well(real_server: Server):
    """The same verdicts come through a unix socket."""
    async with Rig(real_server.unix_url) as rig:
        await rig.owner("alice")

        assert (await rig.use(await rig.make())).allowed


async def test_more_callers_than_connections_wait_their_turn(redis_server: Server):
    """Two hundred calls at once over two connections are all answered."""
    async with opened(redis_server.url, timeout_ms=5_000, pool=2) as client:
        found = await asyncio.gather(*(client.run(("ECHO", n)) for n in range(200)))

        assert [[b"%d" % n] for n in range(200)] == found
        assert 2 >= len(client._pool._available_connections)


async def test_a_loading_server_is_down_until_it_has_loaded(server_factory):
    """While Redis reads its data back every call is StoreDown, then it works."""
    server = server_factory("redis8", {"save": "3600 1", "key-load-delay": "700"})
    for start in range(0, 4_000, 500):
        server.cli("MSET", *(part for n in range(start, start + 500) for part in (n, "x")))
    server.cli("SAVE")
    server.kill()
    ready = server.ready
    server.ready = lambda: server.socket.exists()
    server.restart()
    async with opened(server.url) as client:
        with pytest.raises(StoreDown):
            await client.run(("GET", "1"))
        wait_until(ready, "loaded")
        assert [b"x"] == await client.run(("GET", "1"))


async def test_who_waits_for_a_connection_has_his_turn(real_server: Server):
    """Twenty who never rest share two connections, and each of them gets on."""
    client = Client(real_server.url, timeout_ms=1_000, pool=2)
    loop, done = asyncio.get_running_loop(), [0] * 20
    ends = loop.time() + 1.5

    async def keep_asking(number: int) -> None:
        while loop.time() < ends:
            await client.run((b"PING",))
            done[number] += 1

    await asyncio.gather(*(keep_asking(number) for number in range(20)))
    await client.aclose()

    assert min(done) > max(done) // 2 > 0
