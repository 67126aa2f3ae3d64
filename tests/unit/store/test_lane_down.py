"""The lane without a server to speak of: it tells everybody in time and knocks with patience."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.store.resp import Wire
from tests.patience import until
from tests.unit.store.liar import (
    Behaviour,
    Command,
    Liar,
    Link,
    ask,
    connected,
    digest_in,
    first,
    greeting,
    lane_to,
    lying,
    right,
    says,
    silent,
    spell,
    verdict,
    word,
    words,
)

SHORT_S = 0.15
AT_MOST_A_SECOND = 25
TRYAGAIN = b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"


# -- how much may be under way -------------------------------------------------------------------


async def test_more_than_most_are_turned_down_at_once():
    """The one too many is told before ``ask`` returns, and the others do not feel it."""
    async with lying(right) as liar, lane_to(liar.url, most=10) as lane:
        await connected(lane)
        askers = [ask(lane, n) for n in range(15)]
        at_once = [len(asker.calls) for asker in askers]

        assert [0] * 10 + [1] * 5 == at_once
        assert ["ok"] * 10 + ["503 overloaded"] * 5 == await words(askers)
        assert "ok" == await word(lane, 20)


async def test_most_holds_without_a_connection_as_well():
    """Whoever waits for a connection counts."""
    async with lying(right) as liar:
        liar.greet = silent
        async with lane_to(liar.url, timeout_s=SHORT_S, most=10) as lane:
            told = await words([ask(lane, n) for n in range(15)])

    assert 5 == told.count("503 overloaded")
    assert all(each.startswith("503 ") for each in told)


async def test_a_full_write_buffer_turns_down_at_once():
    """A server that reads no more gets no more, and its end is a new connection."""
    wires: list[Wire] = []
    async with (
        lying(silent) as liar,
        lane_to(liar.url, timeout_s=0.5, most=100_000, wires=wires) as lane,
    ):
        first_one = ask(lane, 0)
        await until(lambda: bool(liar.heard))
        liar.links[0].read_no_more()
        askers = []
        while not wires[0].paused and len(askers) < 50_000:
            askers += [ask(lane, n % 10_000) for n in range(5_000)]
            await asyncio.sleep(0)
        assert wires[0].paused
        over = ask(lane, 1)

        assert ["503 overloaded"] == [call.word for call in over.calls]
        told = await words([first_one, *askers])
        assert {"503 timeout", "503 overloaded", "503 unreachable"} >= set(told)
        liar.behave = right
        await asyncio.sleep(1.2)
        assert "ok" == await word(lane, 2)


# -- silence and loss ----------------------------------------------------------------------------


async def test_two_deadlines_without_a_byte_drop_the_connection():
    """A hung server's connection is made again, while the asked are told at their deadlines."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        stuck = liar.links[0]
        liar.behave = lambda link, command: None if link is stuck else right(link, command)
        told = await ask(lane, 1).told()
        assert "503 timeout" == told.word
        assert told.took_s < 2 * SHORT_S
        await asyncio.sleep(3 * SHORT_S)

        assert not stuck.open
        assert 2 == len(liar.links)
        assert "ok" == await word(lane, 2)


async def test_a_quiet_time_without_questions_is_no_silence():
    """Nobody asks, nobody answers, the connection stays; and one late byte is a sign of life."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        await asyncio.sleep(4 * SHORT_S)
        assert "ok" == await word(lane, 1)
        liar.behave = first(lambda link, command: link.later(1.5 * SHORT_S, right(link, command)))
        assert "503 timeout" == await word(lane, 2)
        await asyncio.sleep(SHORT_S)

        assert "ok" == await word(lane, 3)
    assert 1 == len(liar.links)


async def test_a_connection_lost_while_nobody_asks_is_made_again():
    """The next question finds a connection, whether made before it or for it."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        for n in range(5):
            liar.links[-1].cut()
            await asyncio.sleep(0.02 * n)
            assert "ok" == await word(lane, n)


def hang_up(link: Link, _: Command) -> None:
    """The end, whatever was asked."""
    link.cut()


GREETINGS: dict[str, Behaviour] = {
    "ends": hang_up,
    "refuses": says(b"-ERR max number of clients reached\r\n"),
    "is garbage": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "is silent": silent,
    "wants a password": says(
        b"-NOAUTH HELLO must be called with the client already authenticated\r\n"
    ),
    "is empty": lambda link, command: spell([]),
    "has no version": lambda link, command: spell([b"server", b"redis"]),
    "has an odd version": lambda link, command: spell([b"version", b"unstable"]),
    "is too short": says(b"$-1\r\n"),
}


@pytest.mark.parametrize("greet", GREETINGS.values(), ids=GREETINGS)
async def test_a_server_whose_greeting_is_wrong_decides_nothing(greet: Behaviour):
    """Everybody is told in time, and the first right greeting ends it."""
    async with lying(right) as liar:
        liar.greet = greet
        async with lane_to(liar.url, timeout_s=SHORT_S) as lane:
            for n in range(4):
                told = await ask(lane, n).told()
                assert told.word.startswith("503 ")
                assert told.took_s < 2 * SHORT_S
            liar.greet = greeting
            await asyncio.sleep(3 * SHORT_S)

            assert "ok" == await word(lane, 5)
    assert all(command[0] == b"EVALSHA" for command in liar.heard)


@pytest.mark.parametrize("end", [Link.cut, Link.reset])
async def test_a_greeting_that_ends_early_does_not_cost_the_whole_deadline(
    end: Callable[[Link], None],
):
    """A proxy that takes a connection and lets it go is tried again while the asker waits."""
    async with lying(right) as liar:
        liar.greet = first(lambda link, command: end(link), then=greeting)
        async with lane_to(liar.url, timeout_s=2.0) as lane:
            await asyncio.sleep(0.3)
            told = await ask(lane, 1).told()

    assert ("ok", True) == (told.word, told.took_s < 0.5)


# -- patience ------------------------------------------------------------------------------------


def closes(liar: Liar) -> None:
    """Every connection ends as soon as it is made."""
    liar.welcome = Link.cut


def greets_and_closes(liar: Liar) -> None:
    """Every connection ends behind a right greeting."""

    def act(link: Link, command: Command) -> bytes:
        asyncio.get_running_loop().call_soon(link.cut)
        return greeting(link, command)

    liar.greet = act


def refuses(liar: Liar) -> None:
    """No password is good enough."""
    liar.greet = says(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")


def crosses(liar: Liar) -> None:
    """Every answer is another's."""
    liar.behave = says(spell(verdict(b"zzzz" + b"z" * 16)))


def babbles(liar: Liar) -> None:
    """Every answer is garbage."""
    liar.behave = says(b"garbage\r\n")


def hangs_up(liar: Liar) -> None:
    """Every question ends the connection."""
    liar.behave = hang_up


@pytest.mark.parametrize("spoil", [closes, greets_and_closes, refuses, crosses, babbles, hangs_up])
async def test_a_thousand_askers_do_not_make_a_storm_of_connections(spoil: Callable[[Liar], None]):
    """However many ask, connections are tried at a bounded rate, and everybody is told."""
    seconds = 1.5
    async with lying(right) as liar:
        spoil(liar)
        async with lane_to(liar.url, timeout_s=SHORT_S) as lane:
            loop = asyncio.get_running_loop()
            ends, askers = loop.time() + seconds, []
            while loop.time() < ends:
                askers += [ask(lane, n) for n in range(30)]
                await asyncio.sleep(0.02)
            tried = len(liar.links)
            told = await words(askers)

    assert all(each.startswith("503 ") for each in told)
    # A few more: the first attempts follow each other sooner.
    assert 2 <= tried <= seconds * AT_MOST_A_SECOND + 8


async def test_without_askers_the_attempts_become_rare():
    """A server that is down for long is left in peace."""
    async with lying(right) as liar:
        liar.greet = says(b"-ERR no\r\n")
        async with lane_to(liar.url, timeout_s=SHORT_S):
            await asyncio.sleep(2.5)

            assert 3 <= len(liar.links) <= 12


# -- closing -------------------------------------------------------------------------------------


async def test_closing_tells_everybody_under_way():
    """Those on the wire, and whoever asks after it, get no verdict and are not left waiting."""
    async with lying(silent) as liar, lane_to(liar.url, timeout_s=0.3) as lane:
        askers = [ask(lane, n) for n in range(10)]
        await until(lambda: len(liar.heard) == 10)
        await lane.aclose()
        assert {"503 closing"} == set(await words(askers))

        assert (await word(lane, 20)).startswith("503 ")
        await lane.aclose()
        await asyncio.sleep(0.5)
        assert {1} == {len(asker.calls) for asker in askers}


@pytest.mark.parametrize("greet", [silent, hang_up])
async def test_closing_while_it_connects_tells_who_waits(greet: Behaviour):
    """A connection that is being made does not hold up the end."""
    async with lying(right) as liar:
        liar.greet = greet
        async with lane_to(liar.url, timeout_s=2) as lane:
            askers = [ask(lane, n) for n in range(3)]
            await asyncio.sleep(0.05)
            async with asyncio.timeout(0.5):
                await lane.aclose()

            assert all(each.startswith("503 ") for each in await words(askers))


async def test_closing_between_two_attempts_tells_who_waits():
    """A question that is asked again in a moment is under way too."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=0.3) as lane:
        await connected(lane)
        liar.behave = says(TRYAGAIN)
        askers = [ask(lane, n) for n in range(10)]
        await until(lambda: len(liar.heard) == 11)
        await asyncio.sleep(0.001)
        await lane.aclose()

        assert all(each.startswith("503 ") for each in await words(askers))


async def test_an_asker_may_ask_again_in_the_call_itself():
    """Each of a chain of questions is answered, on one connection."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        askers = []

        def go_on() -> None:
            if len(askers) < 200:
                askers.append(ask(lane, len(askers), go_on))

        go_on()
        await until(lambda: len(askers) == 200)

        assert {"ok"} == set(await words(askers))
        assert 200 == len({digest_in(command) for command in liar.heard[1:]})
    assert 1 == len(liar.links)
