"""The lane towards a server that refuses: each refusal is what it is, and never a verdict."""

from __future__ import annotations

import asyncio
import logging

import pytest

from service.store.scripts import load_all
from tests.unit.store.liar import (
    Command,
    Link,
    ask,
    connected,
    first,
    greeting,
    lane_to,
    lying,
    right,
    says,
    silent,
    spell,
    unknown,
    word,
    words,
)

SHORT_S = 0.15


ERRORS = {
    "loading": b"LOADING Redis is loading the dataset in memory",
    "readonly": b"READONLY You can't write against a read only replica.",
    "noreplicas": b"NOREPLICAS Not enough good replicas to write.",
    "misconf": b"MISCONF Redis is configured to save RDB snapshots, but unable to persist",
    "oom": b"OOM command not allowed when used memory > 'maxmemory'.",
    "busy": b"BUSY Redis is busy running a script.",
    "masterdown": b"MASTERDOWN Link with MASTER is down",
    "clusterdown": b"CLUSTERDOWN The cluster is down",
    "moved": b"MOVED 3999 127.0.0.1:6381",
    "ask": b"ASK 3999 127.0.0.1:6381",
    "noauth": b"NOAUTH Authentication required.",
    "noperm": b"NOPERM User x has no permissions to run the 'evalsha' command",
    "wrongtype": b"WRONGTYPE Operation against a key holding the wrong kind of value",
    "err": b"ERR something else",
}


@pytest.mark.parametrize("reason", ERRORS)
async def test_an_error_is_no_decision_and_its_word_is_told(reason: str):
    """Whatever a server refuses with, to verify or to the question for the mark of birth."""
    said = says(b"-" + ERRORS[reason] + b"\r\n")
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        liar.behave = said
        assert {f"503 {reason}"} == set(await words([ask(lane, n) for n in range(5)]))

        liar.behave = lambda link, command: (said if command[0] == b"GET" else unknown)(
            link, command
        )
        assert f"503 {reason}" == await word(lane, 6)
        liar.behave = right
        assert "ok" == await word(lane, 7)


@pytest.mark.parametrize("code", ["READONLY", "NOREPLICAS", "MISCONF", "OOM"])
async def test_an_error_wrapped_by_an_old_server_is_known_by_its_code(code: str):
    """Redis 6.2 puts what a script met behind words of its own."""
    sha = b"f" * 40
    text = b"-ERR Error running script (call to f_%b): @user_script:1: @user_script: 1: -%b No\r\n"
    async with lying(says(text % (sha, code.encode()))) as liar, lane_to(liar.url) as lane:
        assert f"503 {code.lower()}" == await word(lane, 1)


async def test_try_again_is_asked_again_within_the_deadline():
    """A slot on the move answers a little later."""
    again = says(b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
    async with lying(right) as liar, lane_to(liar.url) as lane:
        await connected(lane)
        liar.behave = first(again, times=5)
        assert "ok" == await word(lane, 1)
        liar.behave = again
        async with lane_to(liar.url, timeout_s=SHORT_S) as short:
            told = await ask(short, 2).told()

            assert told.word in ("503 tryagain", "503 timeout")
            assert told.took_s < 2 * SHORT_S


@pytest.mark.parametrize("times", [1, 4, 6, 8, 10, 12])
async def test_silence_after_try_again_ends_at_the_deadline(times: int):
    """Between two attempts a question lies in no queue, and must not be forgotten there."""
    again = says(b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
    async with lying(right) as liar, lane_to(liar.url, timeout_s=SHORT_S) as lane:
        await connected(lane)
        await asyncio.sleep(2 * SHORT_S)
        liar.behave = first(again, times=times, then=silent)
        told = await ask(lane, 1).told()

        # A machine that stalls meets the last of them when there is no time for another.
        assert told.word in ("503 timeout", "503 tryagain")
        assert told.took_s < 2 * SHORT_S


async def test_an_error_in_the_log_does_not_quote_the_server(caplog: pytest.LogCaptureFixture):
    """Its text may repeat what we sent."""
    caplog.set_level(logging.DEBUG)
    async with lying(says(b"-ERR unknown hunter2\r\n")) as liar, lane_to(liar.url) as lane:
        await word(lane, 1)

    assert "hunter2" not in caplog.text


async def test_an_unknown_token_is_refused_only_by_a_store_that_was_set_up():
    """The mark of birth is asked for, and its absence is no verdict."""
    async with lying(unknown) as liar, lane_to(liar.url) as lane:
        assert "unknown" == await word(lane, 1)
        assert [b"GET", b"born"] == liar.heard[-1]
        liar.behave = lambda link, command: (
            spell(None) if command[0] == b"GET" else unknown(link, command)
        )

        assert "503 not set up" == await word(lane, 2)


@pytest.mark.parametrize("said", [b":1\r\n", b"*0\r\n", spell([b"ok", b"0001"])])
async def test_an_odd_answer_for_the_mark_of_birth_decides_nothing(said: bytes):
    """Only a text stands for a store that was set up."""

    def odd(link: Link, command: Command) -> bytes:
        return said if command[0] == b"GET" else unknown(link, command)

    async with lying(odd) as liar, lane_to(liar.url) as lane:
        assert (await word(lane, 1)).startswith("503 ")


async def test_a_connection_lost_between_the_two_questions_is_asked_from_the_start():
    """Unknown on one connection and born on another say nothing together."""

    def lost(link: Link, command: Command) -> bytes | None:
        return link.cut() if command[0] == b"GET" else unknown(link, command)

    async with lying(lost) as liar, lane_to(liar.url) as lane:
        assert "503 unreachable" == await word(lane, 1)
        assert [b"EVALSHA", b"GET"] * 2 == [command[0] for command in liar.heard]
        liar.behave = first(lost, times=2)
        assert "ok" == await word(lane, 2)


async def test_a_missing_script_is_sent_with_its_source():
    """NOSCRIPT is never seen by who asks."""

    def forgetful(link: Link, command: Command) -> bytes:
        if command[0] == b"EVALSHA":
            return b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
        return right(link, command)

    async with lying(forgetful) as liar, lane_to(liar.url) as lane:
        assert {"ok"} == set(await words([ask(lane, n) for n in range(100)]))


@pytest.mark.parametrize("version", [b"6.2.14", b"7.0.0", b"99.1"])
async def test_the_fence_is_only_for_servers_that_know_it(version: bytes):
    """The script's name differs from version 7 on."""

    def greet(link: Link, command: Command) -> bytes:
        facts = spell([b"version", version])
        return facts if command[0] == b"HELLO" else greeting(link, command)

    async with lying(right) as liar:
        liar.greet = greet
        async with lane_to(liar.url) as lane:
            await word(lane, 1)

        script = load_all()["verify"]
        expected = script.sha_plain if version == b"6.2.14" else script.sha_fenced
        assert expected == liar.heard[0][1]
