"""The lane's wire: one raw connection, and how verify is spelled on it (RESP2)."""

from __future__ import annotations

import asyncio
import logging
import re
from binascii import hexlify
from collections.abc import Callable
from typing import Any

import hiredis

from service.store.keys import Keys

log = logging.getLogger(__name__)


class Wire(asyncio.Protocol):
    """One connection: bytes out, replies in order, no idea of what they mean."""

    def __init__(self, on_reply: Callable[[Any], None], on_lost: Callable[[Wire], None]) -> None:
        self.on_reply = on_reply
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self.paused = False
        self.heard = False
        self.lost = False
        self._exchange: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.heard = True
        reader, gets = self._reader, self._reader.gets
        try:
            reader.feed(data)
            reply = gets()
            while reply is not False:
                self.on_reply(reply)
                reply = gets()
        except hiredis.ProtocolError:
            log.error("redis answered what is no RESP: connection dropped")
            self.drop()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._exchange is not None and not self._exchange.done():
            self._exchange.set_exception(ConnectionResetError())
        self._on_lost(self)

    def write(self, data: bytes) -> None:
        """Send *data*."""
        assert self._transport is not None
        self._transport.write(data)

    async def exchange(self, commands: bytes, count: int) -> list[Any]:
        """Send *commands* and give their *count* replies; OSError when one is an error."""
        replies: list[Any] = []
        done = self._exchange = asyncio.get_running_loop().create_future()

        def collect(reply: Any) -> None:
            replies.append(reply)
            if len(replies) == count and not done.done():
                done.set_result(None)

        self.on_reply = collect
        self.write(commands)
        await done
        for reply in replies:
            if isinstance(reply, hiredis.HiredisError):
                raise ConnectionRefusedError(str(reply).split(" ", 1)[0])
        return replies

    def drop(self) -> None:
        """Close at once; nothing that arrives from now on is delivered."""
        self.on_reply = ignore
        if self._transport is not None:
            self._transport.abort()


def ignore(_: Any) -> None:
    """Take a reply that nobody waits for."""


class VerifyTail:
    """Spells the keys and arguments of verify, as the *keys* of this store and *rules* have them.

    Widths are fixed, so one formatting does it; only the address may be unknown, and is empty then.
    """

    def __init__(self, keys: Keys, rules: bytes) -> None:
        sample = keys.token(bytes(2), bytes(20)), keys.owners(bytes(2))
        prefix = keys.prefix.replace(b"%", b"%%")
        spelled = b"$%d\r\n%bt:{%%b}:%%b\r\n$%d\r\n%bo:{%%b}\r\n" % (
            len(sample[0]),
            prefix,
            len(sample[1]),
            prefix,
        )
        rest = b"$16\r\n%%b\r\n$1\r\n%%b\r\n%b" % bulk(rules)
        self._known = spelled + b"$16\r\n%b\r\n" + rest
        self._unknown = spelled + b"$0\r\n%b\r\n" + rest

    def __call__(
        self, shard: bytes, digest: bytes, *, address: bytes, agent: bytes, write: bool
    ) -> bytes:
        """The bytes that follow the script; *address* 16 bytes or empty, *agent* 16."""
        tag = hexlify(shard)
        form = self._known if address else self._unknown
        return form % (tag, digest, tag, address, agent, b"1" if write else b"0")


# What Redis 6.2 hides in the middle of a text about the script that met it.
_CODE = re.compile(r"\b(READONLY|NOREPLICAS|MISCONF|OOM|MASTERDOWN|CLUSTERDOWN)\b")


def code_of(text: str) -> str:
    """The code of an error that Redis answered; the rest of *text* may quote what we sent."""
    hidden = _CODE.search(text)
    return hidden[0] if hidden else text.split(" ", 1)[0]


def bulk(part: bytes) -> bytes:
    """*part* as a RESP bulk string."""
    return b"$%d\r\n%b\r\n" % (len(part), part)


def head_of(command: bytes, script: bytes) -> bytes:
    """The command up to its keys: two of them, and four arguments, will follow."""
    return b"*9\r\n%b%b%b" % (bulk(command), bulk(script), bulk(b"2"))
