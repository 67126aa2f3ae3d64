"""The gate inside uvicorn's protocol: plain requests are answered before any ASGI object exists.

Only the plain case is taken: a gate path, no body, nothing else pending on the connection. All
else goes to the parent class as if this one were not there, and so to ``gate/asgi.py``, which
gives the same answers to the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from service.core.address import pack
from service.core.secret import Garbled, place_of
from service.errors import StoreDown
from service.gate.answer import Answer, quoted
from service.gate.counts import BOUNDS_S
from service.gate.ground import Ground, Shape, ShapeKey, blank
from service.gate.question import FIT, MAX_TOKEN, Header, Missing, Mount, Question, mount_of
from service.gate.reasons import tell
from service.model import Trace, Word
from service.protocol import BETWEEN, Limited
from service.store.lane import Asker

log = logging.getLogger(__name__)

# A request with one of these has a body, or wants something before its answer.
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
LONGEST_METHOD = len(b"OPTIONS /authz/")
_CLOSE = b"connection: close\r\n\r\n"
_CREDENTIAL = b"\r\nAuthorization: "
# Verdicts that end here; any other word needs a further step, which the store knows.
_FINAL = {
    word.value.encode(): word
    for word in (
        Word.MISMATCH,
        Word.REVOKED,
        Word.EVICTED,
        Word.EXPIRED,
        Word.INACTIVE,
        Word.DISABLED,
        Word.NETWORK,
        Word.READ_ONLY,
        Word.UNKNOWN,
    )
}


class _Deaf:
    """Stands for the event that wakes an ASGI application; nobody sleeps here."""

    @staticmethod
    def set() -> None:
        """Wake nobody."""


class Pending(Asker):
    """One request under way; to the parent class it is a request cycle like its own."""

    __slots__ = (
        "disconnected",
        "keep_alive",
        "protocol",
        "response_complete",
        "shape",
        "shard",
        "token",
    )
    message_event = _Deaf
    shard: int
    token: bytes

    def __init__(self, protocol: Lane, shape: Shape, keep_alive: bool = True) -> None:
        self.protocol = protocol
        self.shape = shape
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False

    @property
    def response_started(self) -> bool:
        """An answer is written at one stroke."""
        return self.response_complete

    # -- what the store's lane calls -----------------------------------------------------------

    def decided(self, reply: list[Any], now: float) -> None:
        """The script's reply: answer, or take the further step it asks for."""
        protocol, shape = self.protocol, self.shape
        ground = protocol.ground
        try:
            word = reply[0]
            counts = ground.counts
            defaults = protocol.server_state.default_headers
            if defaults is not ground.defaults:
                ground.renew(defaults)
            if word == b"ok":
                _, _, kind, counter, owner, left_ms, _, mismatch, touch_ms = reply
                number = counter << 16 | self.shard
                if mismatch:
                    ground.mismatched(kind, number, mismatch)
                if not owner.isalnum():
                    owner = quoted(owner)
                form = ground.forms[shape.mount].get(kind) or ground.form(shape.mount, kind)
                values = (owner, number) if left_ms < 0 else (owner, number, left_ms // 1000)
                if ground.keeps:
                    kept = ground.answers.keep(left_ms, touch_ms, private=shape.private)
                    said = form % (kept, *values)
                else:
                    said = form % values
            elif word in _FINAL:
                said = ground.refusal(_FINAL[word], shape.mount)
                if ground.tells:
                    tell(_FINAL[word], shape.mount, shape.address)
            else:
                protocol.ask_slowly(self)
                return
            counts.verdicts[word] += 1
            counts.latency[bisect_right(BOUNDS_S, now - self.asked_at)] += 1
        except Exception:
            # Whatever went wrong, no decision was made: never an allow, never a deny.
            log.exception("the lane failed")
            self.undecided("failed")
        else:
            self._write(said)

    def undecided(self, reason: str) -> None:
        """There is no verdict: 503."""
        ground = self.protocol.ground
        ground.counts.refused(reason.encode())
        ground.renew(self.protocol.server_state.default_headers)
        self._write(ground.unavailable())

    # -- answering -----------------------------------------------------------------------------

    def refuse(self, reason: Missing) -> None:
        """Answer a request that puts no question."""
        ground = self.protocol.ground
        ground.counts.refused(reason.encode())
        if ground.tells and reason is not Missing.PREFLIGHT:
            tell(reason, self.shape.mount, self.shape.address)
        ground.renew(self.protocol.server_state.default_headers)
        self._write(ground.refusal(reason, self.shape.mount))

    def answer(self, answer: Answer) -> None:
        """Write what the slow way found."""
        ground = self.protocol.ground
        ground.renew(self.protocol.server_state.default_headers)
        self._write(ground.spell(answer))

    def _write(self, said: bytes) -> None:
        """Write the answer and do what uvicorn's own cycle does at its end; once."""
        if self.response_complete:
            return
        self.response_complete = True
        protocol = self.protocol
        transport = protocol.transport
        if not (self.disconnected or transport.is_closing()):
            if self.keep_alive:
                transport.write(said)
            else:
                transport.write(said[:-2] + _CLOSE)
                transport.close()
        protocol.on_response_complete()


class Lane(Limited):
    """For uvicorn's ``http=`` option."""

    __slots__ = ("_peer", "ground")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop=_loop)
        self.ground: Ground = app_state["gate"]
        self._peer: tuple[bytes, bool] = (b"", False)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = self.ground.questions.peer(pack(self.client[0]) if self.client else b"")

    # -- what the transport tells, in its order ------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Keep *data* until all that this turn brings is there (``Ground.serve``)."""
        arrived = self.ground.arrived
        if not arrived:
            self.loop.call_soon(self.ground.serve)
        arrived.append((self, data))

    def eof_received(self) -> None:
        self.ground.serve()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ground.serve()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self.ground.serve()
        super().shutdown()

    def sweep(self, now: float) -> None:
        self.ground.serve()
        super().sweep(now)

    # -- reading -------------------------------------------------------------------------------

    def read(self, data: bytes, now: float) -> None:
        """Answer one plain gate request that came whole; leave anything else to the parser."""
        cycle = self.cycle
        if (
            (cycle is None or cycle.response_complete)
            and self._phase <= BETWEEN
            and self._stuck_since is None
            and not self._draining
        ):
            before, _, rest = data.partition(_CREDENTIAL)
            credential, _, after = rest.partition(b"\r\n")
            scheme, _, token = credential.partition(b" ")
            key = (before, scheme, after, self._peer)
            shape = self.ground.shapes.get(key)
            if shape is not None and len(token) <= MAX_TOKEN and (token.isalnum() or _fits(token)):
                self._phase = BETWEEN
                self._ask(Pending(self, shape), token, now)
                return
            if self._scanned(data, key):
                return
        super().data_received(data)

    def give_up(self, error: Exception) -> None:
        """Do what the event loop does when ``data_received`` raises."""
        self.loop.call_exception_handler(
            {
                "message": "reading a request failed",
                "exception": error,
                "protocol": self,
                "transport": self.transport,
            }
        )
        self.transport.abort()

    def _scanned(self, data: bytes, key: ShapeKey) -> bool:
        """Whether *data* was a plain request of a shape not known yet, and is being answered."""
        if (
            data.find(b" /authz/", 0, LONGEST_METHOD) < 0
            or len(data) > self.limits.header_bytes
            or not self._is_open()
        ):
            return False
        head = self.ground.scanner.scan(data)
        if head is None:
            return False
        self._phase = BETWEEN
        shape = self._read(
            head.mount, head.method, head.query, headers=head.headers, fields=head.fields
        )
        if shape is not None and head.common:
            self.ground.remember(key, shape, self.limits.header_bytes)
        return True

    def _is_open(self) -> bool:
        """Whether an answer can be written, and one more request be taken in."""
        return not (
            self._stuck_since is not None
            or self._draining
            or self.transport.is_closing()
            or len(self.tasks) >= self.limits.in_flight
        )

    def take(self) -> None:
        """Answer a plain gate request that came in pieces; leave any other to the parent."""
        path, _, query = self.url.partition(b"?")
        mount = mount_of(path)
        cycle = self.cycle
        if (
            mount is None
            or not (cycle is None or cycle.response_complete)
            or not _NOT_PLAIN.isdisjoint(self.fields)
            or b"#" in self.url
            or not self._is_open()
        ):
            super().take()
            return
        parser = self.parser
        keep_alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        method = parser.get_method()
        self._read(
            mount, method, query, headers=self.headers, fields=self.fields, keep_alive=keep_alive
        )

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, Pending):  # and so without a body
            self._phase, self._since = BETWEEN, self._now
        else:
            super().on_message_complete()

    # -- asking --------------------------------------------------------------------------------

    def _read(
        self,
        mount: Mount,
        method: bytes,
        query: bytes,
        *,
        headers: Sequence[Header],
        fields: Mapping[bytes, bytes],
        keep_alive: bool = True,
    ) -> Shape | None:
        """Ask what a request asks; None when it asks nothing and was refused."""
        ground, address = self.ground, b""
        try:
            question = ground.questions.read(
                mount, method, query, headers=headers, fields=fields, peer=self._peer
            )
            if ground.tells and not isinstance(question, Question):
                address = ground.questions.client(headers, self._peer)
        except Exception:
            log.exception("the lane failed")
            question = None
        if isinstance(question, Question):
            shape = ground.shape(mount, question)
            pending = Pending(self, shape, keep_alive)
            if question.trace is Trace.WHOLE:
                self._ask(pending, question.token, monotonic())
            else:
                self.cycle = pending  # type: ignore[assignment]
                pending.token, pending.asked_at = question.token, monotonic()
                self.ask_slowly(pending, question.trace)
            return shape
        self.cycle = pending = Pending(self, blank(mount, address), keep_alive)  # type: ignore[assignment]
        if question is None:
            pending.undecided("failed")
        else:
            pending.refuse(question)
        return None

    def _ask(self, pending: Pending, token: bytes, now: float) -> None:
        self.cycle = pending  # type: ignore[assignment]
        ground, shape = self.ground, pending.shape
        try:
            pending.token = token
            shard, digest = place_of(token)
            pending.shard = shard[0] << 8 | shard[1]
            tail = ground.tail(shard, digest, shape.seen, write=shape.write, now=now)
            ground.store.ask(pending, digest[:4], tail, now=now)
        except Garbled:
            pending.refuse(Missing.MALFORMED)
        except Exception:
            log.exception("the lane failed")
            pending.undecided("failed")

    def ask_slowly(self, pending: Pending, trace: Trace = Trace.WHOLE) -> None:
        """Let the store take all the steps that this verdict needs."""
        task = self.loop.create_task(self._ask_store(pending, trace))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _ask_store(self, pending: Pending, trace: Trace) -> None:
        mount, address, agent, write, private, _ = pending.shape
        answers = self.ground.answers
        try:
            verdict = await self.ground.tokens.verify(
                pending.token, address=address, agent=agent, write=write, trace=trace
            )
        except StoreDown as error:
            pending.undecided(error.reason)
        except Exception:
            log.exception("the lane failed")
            pending.undecided("failed")
        else:
            self.ground.counts.decided(verdict.word.encode(), monotonic() - pending.asked_at)
            if self.ground.tells and not verdict.allowed:
                tell(verdict.word, mount, address)
            pending.answer(
                answers.allow(verdict, mount, private=private)
                if verdict.allowed
                else answers.deny(verdict.word, mount)
            )


def _fits(token: bytes) -> bool:
    """Whether *token* is made of what tokens may be made of."""
    return token != b"" and not token.translate(None, FIT)
