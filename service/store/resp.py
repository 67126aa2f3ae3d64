"""The lane's wire: one raw connection, and what of RESP2 is spelled by hand."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

import hiredis

log = logging.getLogger(__name__)


class Wire(asyncio.Protocol):
    """One connection: bytes out, replies in order, no idea of what they mean."""

    def __init__(self, on_reply: Callable[[Any], None], on_lost: Callable[[Wire], None]) -> None:
        self.on_reply = on_reply
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self.paused = False
        self.heard_at = 0.0
        """When the last bytes came (``time.monotonic``)."""
        self.lost = False
        self._exchange: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.heard_at = monotonic()
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
    """The command up to its keys: two of them, and two arguments, will follow."""
    return b"*7\r\n%b%b%b" % (bulk(command), bulk(script), bulk(b"2"))
