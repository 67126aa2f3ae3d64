"""The lane's wire: verify spelled as any client would spell it, replies in order in any pieces."""

from __future__ import annotations

import asyncio
import time
from time import monotonic
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.keys import Keys
from service.store.resp import Wire, bulk, head_of, ignore
from service.store.verify import VerifyTail
from tests.loopback import Wire as Transport
from tests.unit.store.liar import spell

PREFIXES = st.one_of(
    st.sampled_from([b"", b"%", b"%b", b"%%d:", b"th:"]),
    st.binary(max_size=64).map(lambda raw: bytes(0x21 + byte % 0x5A for byte in raw)),
).map(lambda prefix: prefix.replace(b"{", b"x"))
REPLIES = st.lists(
    st.recursive(
        st.none() | st.binary(max_size=20) | st.integers(-(2**40), 2**40),
        lambda part: st.lists(part, max_size=5),
        max_leaves=10,
    ),
    max_size=20,
)


def fixed(size: int) -> st.SearchStrategy[bytes]:
    """Exactly *size* bytes, any of them."""
    return st.binary(min_size=size, max_size=size)


@given(
    prefix=PREFIXES,
    rules=st.binary(max_size=200).map(lambda raw: raw.replace(b"%", b"t")),
    shard=fixed(2),
    digest=fixed(20),
    address=st.just(b"") | fixed(16),
    agent=fixed(16),
    write=st.booleans(),
)
def test_a_tail_is_what_a_generic_parser_reads(
    prefix: bytes,
    rules: bytes,
    shard: bytes,
    digest: bytes,
    address: bytes,
    agent: bytes,
    write: bool,
) -> None:
    """No byte of a key or an argument, CR, LF and % included, changes the frame."""
    keys = Keys(prefix)
    spell = VerifyTail(keys, rules)
    before = time.time()
    tail = spell(shard, digest, spell.seen(address, agent), write=write, now=monotonic())
    reader = hiredis.Reader()
    reader.feed(head_of(b"EVALSHA", b"f" * 40) + tail)

    *words, said = reader.gets()

    names = [keys.token(shard, digest), keys.owners(shard)]
    assert [b"EVALSHA", b"f" * 40, b"2", *names, agent + address] == words
    assert b"w" if write else b"r" == said[:1]
    assert int(before * 1000) <= int.from_bytes(said[1:7], "big") <= time.time() * 1000
    assert rules == said[7:]
    assert reader.gets() is False


@given(st.binary(max_size=300))
def test_a_bulk_string_has_its_length_in_front(part: bytes) -> None:
    """Any bytes come back as they went in."""
    reader = hiredis.Reader()
    reader.feed(bulk(part))

    assert part == reader.gets()


def wired() -> tuple[Wire, Transport, list[Any], list[Wire]]:
    """A wire on a transport that writes nowhere, with what it delivers and whom it lost."""
    replies: list[Any] = []
    lost: list[Wire] = []
    wire, transport = Wire(replies.append, lost.append), Transport()
    transport.abort = transport.close  # type: ignore[method-assign]
    wire.connection_made(transport)
    return wire, transport, replies, lost


@given(REPLIES, st.lists(st.integers(1, 30), min_size=1))
def test_replies_come_in_order_however_the_bytes_are_cut(
    expected: list[Any], sizes: list[int]
) -> None:
    """The pieces in which they arrive say nothing about the replies."""
    wire, _, replies, _ = wired()
    data, turn = b"".join(spell(each) for each in expected), 0
    while data:
        size = sizes[turn % len(sizes)]
        wire.data_received(data[:size])
        data, turn = data[size:], turn + 1

    assert expected == replies


def test_after_a_drop_nothing_is_delivered() -> None:
    """Neither what was in the same piece of bytes nor what comes later."""
    wire, transport, replies, _ = wired()

    def drop(reply: Any) -> None:
        replies.append(reply)
        wire.drop()

    wire.on_reply = drop
    wire.data_received(b":1\r\n:2\r\n")
    wire.data_received(b":3\r\n")

    assert [1] == replies
    assert transport.closed


@pytest.mark.parametrize("data", [b"nonsense\r\n", b":x\r\n", b"*-9\r\n", b"$-5\r\n", b"\0\r\n"])
def test_what_is_no_resp_drops_the_connection(data: bytes) -> None:
    """What came whole before it is delivered, nothing after it."""
    wire, transport, replies, _ = wired()
    wire.data_received(b":1\r\n" + data)
    wire.data_received(b":2\r\n")

    assert [1] == replies
    assert transport.closed


def test_the_end_is_told_to_the_owner() -> None:
    """The wire itself is what he gets, so that he can tell an old one from his own."""
    wire, _, _, lost = wired()
    wire.connection_lost(None)

    assert [wire] == lost


def test_a_full_buffer_is_seen_and_its_end_too() -> None:
    """Who would write asks first."""
    wire, *_ = wired()
    wire.pause_writing()
    full = wire.paused
    wire.resume_writing()

    assert (True, False) == (full, wire.paused)


async def test_an_exchange_gives_the_replies_of_its_commands() -> None:
    """As many as were asked for, in order."""
    wire, transport, *_ = wired()
    asyncio.get_running_loop().call_soon(wire.data_received, b"+OK\r\n:2\r\n")

    assert [b"OK", 2] == await wire.exchange(b"PING\r\n" * 2, 2)
    assert b"PING\r\n" * 2 == transport.written


async def test_an_exchange_fails_with_the_code_of_an_error_alone() -> None:
    """The rest of an error may quote the password that was sent."""
    wire, *_ = wired()
    asyncio.get_running_loop().call_soon(
        wire.data_received, b"-WRONGPASS invalid hunter2\r\n+OK\r\n"
    )

    with pytest.raises(OSError, match=r"^WRONGPASS$"):
        await wire.exchange(b"", 2)


async def test_an_exchange_ends_with_its_connection() -> None:
    """Who greets a server that hangs up learns it at once, and not at the deadline."""
    wire, *_ = wired()
    asyncio.get_running_loop().call_soon(wire.connection_lost, None)

    async with asyncio.timeout(1):
        with pytest.raises(ConnectionError):
            await wire.exchange(b"", 2)


def test_ignoring_takes_anything() -> None:
    """A reply that nobody waits for does no harm."""
    assert ignore([b"ok"]) is None
