"""The lane towards a server that lies: nobody is told a word that is not his, nobody waits on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.store.resp import Wire
from tests.unit.store.liar import (
    Behaviour,
    Command,
    Link,
    ask,
    connected,
    digest,
    digest_in,
    first,
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


async def test_replies_are_matched_in_order():
    """A thousand questions at once are each answered with their own owner."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        assert {"ok"} == set(await words([ask(lane, n) for n in range(1000)]))
    assert 1 == len(liar.links)


async def test_all_commands_of_one_turn_go_out_in_one_write(monkeypatch: pytest.MonkeyPatch):
    """However many ask in one turn of the loop, the kernel is called once."""
    wires: list[Wire] = []
    async with lying(right) as liar, lane_to(liar.url, wires=wires) as lane:
        await connected(lane)
        written: list[bytes] = []
        write = wires[0].write
        monkeypatch.setattr(wires[0], "write", lambda data: (written.append(data), write(data)))
        for count in (1, 64, 500):
            written.clear()
            await words([ask(lane, n) for n in range(count)])

            assert [count] == [data.count(b"EVALSHA") for data in written]


async def test_a_reply_after_its_deadline_reaches_nobody():
    """Who was turned away is not told again, and whoever asked next gets his own answer."""

    def slow(link: Link, command: Command) -> None:
        link.later(2 * SHORT_S, right(link, command))

    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        liar.behave = slow
        late = [ask(lane, n) for n in range(20)]
        assert {"503 timeout"} == set(await words(late))

        # One late answer, overtaken by those behind it: undecided or right, and never another's.
        liar.behave = first(slow, times=1)
        behind = [ask(lane, n) for n in range(20, 40)]
        await words(behind)
        liar.behave = right
        assert "ok" == await word(lane, 50)
        await asyncio.sleep(3 * SHORT_S)

        assert {1} == {len(asker.calls) for asker in late + behind}


async def test_a_server_two_hundred_milliseconds_slow_is_503_in_time():
    """Everybody is turned away within twice the deadline, and right answers follow the delay."""

    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        liar.behave = lambda link, command: link.later(0.2, right(link, command))
        askers = []
        for n in range(50):
            askers.append(ask(lane, n))
            await asyncio.sleep(0.005)
        told = [await asker.told() for asker in askers]
        assert {"503 timeout"} == {each.word for each in told}
        assert max(each.took_s for each in told) < 2 * SHORT_S

        liar.behave = right
        await asyncio.sleep(0.25)
        assert "ok" == await word(lane, 60)


def fail() -> None:
    raise RuntimeError("an asker's own fault")


@pytest.mark.parametrize("times", [1, 5])
async def test_an_asker_that_raises_when_decided_harms_nobody(times: int):
    """His neighbours get their answers on the same connection."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        askers = [ask(lane, n, fail if n < times else None) for n in range(10)]

        assert {"ok"} == set(await words(askers))
        assert "ok" == await word(lane, 11)
    assert 1 == len(liar.links)


def crossed(_: Link, __: Command) -> bytes:
    """An answer to a question nobody asked."""
    return spell(verdict(b"zzzz" + b"z" * 16))


UNDOINGS: dict[str, Behaviour] = {
    "another tag": crossed,
    "an error": says(b"-LOADING Redis is loading the dataset in memory\r\n"),
    "no RESP": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "silence": silent,
    "the end": lambda link, command: link.cut(),
}


@pytest.mark.parametrize("undoing", UNDOINGS.values(), ids=UNDOINGS)
async def test_an_asker_that_raises_when_undecided_harms_nobody(undoing: Behaviour):
    """The others that fail with him are told too, and the lane lives on."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        liar.behave = undoing
        askers = [ask(lane, n, fail) for n in range(10)]
        told = await words(askers)
        assert all(each.startswith("503 ") for each in told)

        await asyncio.sleep(2 * SHORT_S)
        liar.behave = silent
        assert (await word(lane, 20)).startswith("503 ")
        await asyncio.sleep(3 * SHORT_S)
        liar.behave = right
        assert "ok" == await word(lane, 21)


async def test_an_asker_that_raises_while_nothing_answers_does_not_stop_the_lane():
    """Whoever connects survives the asker that he turns away."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        liar.welcome = Link.cut
        liar.links[0].cut()
        await asyncio.sleep(0.05)
        await words([ask(lane, n, fail) for n in range(3)])
        liar.welcome = None
        await asyncio.sleep(3 * SHORT_S)

        assert "ok" == await word(lane, 4)


async def test_crossed_replies_decide_nothing(caplog: pytest.LogCaptureFixture):
    """All under way are undecided, the connection is dropped, and the next question is right."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)

        # The third answer is the fourth's: as if one reply had been lost.
        def shifted(link: Link, command: Command) -> bytes:
            number = int(digest_in(command)[:4])
            return spell(verdict(digest(number + 1 if number > 2 else number)))

        liar.behave = shifted
        told = await words([ask(lane, n) for n in range(10)])
        assert ["ok"] * 3 + ["503 crossed replies"] * 7 == told
        liar.behave = right

        assert "ok" == await word(lane, 20)
    assert 2 == len(liar.links)
    assert "CRITICAL" in {record.levelname for record in caplog.records}


async def test_two_swapped_replies_are_seen():
    """The two neighbours whose answers changed places are both undecided."""
    held: list[bytes] = []

    def swapped(link: Link, command: Command) -> bytes | None:
        said = right(link, command)
        if digest_in(command) == digest(5):
            held.append(said)
            return None
        return said + (held.pop() if held else b"")

    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        liar.behave = swapped
        told = await words([ask(lane, n) for n in range(10)])

        assert ["ok"] * 5 + ["503 crossed replies"] * 5 == told


NO_REPLIES = {
    "an empty list": b"*0\r\n",
    "a list of one": b"*1\r\n$2\r\nok\r\n",
    "a null": b"$-1\r\n",
    "a null list": b"*-1\r\n",
    "a number": b":1\r\n",
    "a text": b"$2\r\nok\r\n",
    "a status": b"+OK\r\n",
    "numbers": b"*2\r\n:1\r\n:2\r\n",
    "an error within": b"*2\r\n-ERR no\r\n-ERR no\r\n",
    "only an error within": b"*1\r\n-ERR no\r\n",
    "a list within": b"*1\r\n*0\r\n",
    "garbage": b"\xff\x00garbage\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a broken length": b"$abc\r\n",
    "two answers": b"*0\r\n*0\r\n",
}


@pytest.mark.parametrize("said", NO_REPLIES.values(), ids=NO_REPLIES)
async def test_what_is_no_reply_of_verify_decides_nothing(said: bytes):
    """Each asker is told once, that there is no verdict; the next question is answered right."""
    async with lying(right) as liar, lane_to(liar.url, timeout_s=0.5) as lane:
        await connected(lane)
        liar.behave = says(said)
        told = await words([ask(lane, n) for n in range(5)])
        assert all(each.startswith("503 ") for each in told), told
        liar.behave = right

        assert "ok" == await word(lane, 6)
        assert "ok" == await word(lane, 7)


async def test_an_answer_nobody_asked_for_drops_the_connection():
    """It cannot be told what the next reply would belong to."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        liar.links[0].say(spell(verdict(digest(1))))
        await asyncio.sleep(0.05)

        assert "ok" == await word(lane, 1)
        assert "ok" == await word(lane, 2)
    assert 2 == len(liar.links)


async def test_an_answer_cut_in_its_middle_is_asked_again():
    """Half a frame and the end of the connection: the next connection is asked."""

    def half(link: Link, command: Command) -> None:
        link.say(right(link, command)[:30])
        link.cut()

    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        liar.behave = first(half)

        assert "ok" == await word(lane, 1)
    assert 2 == len(liar.links)


@pytest.mark.parametrize("end", [Link.cut, Link.reset])
async def test_a_lost_connection_is_asked_once_more_and_no_more_than_once(
    end: Callable[[Link], None],
):
    """One loss is not noticed; after the second there is no verdict."""
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        for times, expected in ((1, "ok"), (2, "503 unreachable"), (50, "503 unreachable")):
            liar.behave = first(lambda link, command: end(link), times=times)
            before = len(liar.heard)

            assert expected == await word(lane, times)
            assert min(times + 1, 2) == len(liar.heard) - before
            liar.behave = right
            assert "ok" == await word(lane, 1)


async def test_an_answer_may_come_in_any_pieces():
    """Byte by byte is slow and right."""

    def dribble(link: Link, command: Command) -> None:
        for at, byte in enumerate(right(link, command)):
            link.later(at / 2000, bytes([byte]))

    async with lying(dribble) as liar, lane_to(liar.url) as lane:
        assert "ok" == await word(lane, 1)
