"""The gate inside uvicorn's protocol: plain requests are answered before any ASGI object exists.

Only the plain case is taken: a gate path, no body, nothing else pending on the connection. All
else goes to the parent class as if this one were not there, and so to ``gate/asgi.py``, which
gives the same answers to the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.core.address import pack
from service.core.secret import digest_of, shard_of_text
from service.core.tokens import Tokens
from service.errors import StoreDown
from service.gate.answer import Answer, Answers, identity, lines
from service.gate.counts import Counts
from service.gate.question import Missing, Mount, Question, Questions, mount_of
from service.model import Word, token_id
from service.protocol import Limited
from service.store.lane import Lane as StoreLane
from service.store.resp import VerifyTail

log = logging.getLogger(__name__)

# A request with one of these has a body, or wants something before its answer.
_NOT_PLAIN = (b"content-length", b"transfer-encoding", b"expect", b"upgrade")
_CLOSE = b"connection: close\r\n"
# Verdicts that end here; any other word needs a further step, which the store knows.
_FINAL = {
    word.value.encode(): word
    for word in (
        Word.MISMATCH,
        Word.REVOKED,
        Word.EVICTED,
        Word.EXPIRED,
        Word.INACTIVE,
        Word.NETWORK,
        Word.READ_ONLY,
        Word.UNKNOWN,
    )
}


class Ground:
    """What the connections of one process share; the app puts it into the lifespan state."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        questions: Questions,
        answers: Answers,
        store: StoreLane,
        tail: VerifyTail,
        counts: Counts,
    ) -> None:
        self.tokens = tokens
        self.questions = questions
        self.answers = answers
        self.store = store
        self.tail = tail
        self.counts = counts
        self.policies = {
            ord(letter): policy.name.encode() for letter, policy in tokens.store.policies.items()
        }
        self._refusals: dict[tuple[Word | Missing, Mount], tuple[bytes, bytes]] = {}
        self.unavailable = words(answers.unavailable())
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    def refusal(self, reason: Word | Missing, mount: Mount) -> tuple[bytes, bytes]:
        """Status line and header lines of a deny, made once."""
        made = self._refusals.get((reason, mount))
        if made is None:
            made = words(self.answers.deny(reason, mount))
            self._refusals[reason, mount] = made
        return made

    def defaults(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """uvicorn's own header lines, made anew when it makes a new list (each second)."""
        if headers is not self._defaults:
            self._defaults, self._default_lines = headers, lines(headers)
        return self._default_lines


def words(answer: Answer) -> tuple[bytes, bytes]:
    """*answer* as status line and header lines; uvicorn's own come between them."""
    status, headers = answer
    return STATUS_LINE[status], lines(headers)


class _Deaf:
    """Stands for the event that wakes an ASGI application; nobody sleeps here."""

    @staticmethod
    def set() -> None:
        """Wake nobody."""


class Pending:
    """One request under way; to the parent class it is a request cycle like its own."""

    __slots__ = (
        "asked_at",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "mount",
        "protocol",
        "question",
        "response_complete",
        "response_started",
        "shard",
    )
    message_event = _Deaf

    def __init__(self, protocol: Lane, mount: Mount, *, keep_alive: bool) -> None:
        self.protocol = protocol
        self.mount = mount
        self.keep_alive = keep_alive
        self.question: Question | None = None
        self.shard = b""
        self.asked_at = 0.0
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.more_body = True
        self.body = b""

    # -- what the store's lane calls -----------------------------------------------------------

    def decided(self, reply: list[Any]) -> None:
        """The script's reply: answer, or take the further step it asks for."""
        ground = self.protocol.ground
        try:
            word = reply[0]
            ground.counts.decided(word, self.protocol.loop.time() - self.asked_at)
            if word == b"ok":
                self._allow(ground, reply)
            elif word in _FINAL:
                self._write(ground.refusal(_FINAL[word], self.mount))
            else:
                self.protocol.ask_slowly(self)
        except Exception:
            # Whatever went wrong, no decision was made: never an allow, never a deny.
            log.exception("the lane failed")
            self.undecided("failed")

    def undecided(self, reason: str) -> None:
        """There is no verdict: 503."""
        ground = self.protocol.ground
        ground.counts.refused(reason.encode())
        self._write(ground.unavailable)

    def _allow(self, ground: Ground, reply: list[Any]) -> None:
        head: bytes = reply[2]
        values = identity(
            reply[3],
            token_id=token_id(int.from_bytes(head[4:9], "big"), self.shard),
            policy=ground.policies[head[1]],
            write=head[3] == 0x77,
            remaining_ms=reply[4],
        )
        self._write((STATUS_LINE[200], ground.answers.allow_lines(self.mount, values)))

    # -- answering -----------------------------------------------------------------------------

    def answer(self, answer: Answer) -> None:
        """Write what the slow way found."""
        self._write(words(answer))

    def _write(self, said: tuple[bytes, bytes]) -> None:
        """Write the answer and do what uvicorn's own cycle does at its end; once."""
        if self.response_complete:
            return
        self.response_started = self.response_complete = True
        protocol = self.protocol
        transport = protocol.transport
        if self.disconnected or transport.is_closing():
            protocol.on_response_complete()
            return
        status, rest = said
        middle = protocol.ground.defaults(protocol.server_state.default_headers)
        end = b"\r\n" if self.keep_alive else _CLOSE + b"\r\n"
        transport.write(b"".join((status, middle, rest, end)))
        if not self.keep_alive:
            transport.close()
        protocol.on_response_complete()


class Lane(Limited):
    """For uvicorn's ``http=`` option."""

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

    def begin(self) -> None:
        """Start a request with only what the lane needs; ``take`` makes up for the rest."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def take(self) -> None:
        """Answer a plain gate request; hand any other to the parent, whole."""
        path, _, query = self.url.partition(b"?")
        mount = mount_of(path)
        if mount is None or not self._is_plain():
            self._hand_over()
            return
        parser = self.parser
        keep_alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        self.cycle = pending = Pending(self, mount, keep_alive=keep_alive)  # type: ignore[assignment]
        try:
            self._ask(pending, query)
        except Exception:
            log.exception("the lane failed")
            pending.undecided("failed")

    def _is_plain(self) -> bool:
        cycle, fields = self.cycle, self.fields
        for name in _NOT_PLAIN:
            if name in fields:
                return False
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and not self.parser.should_upgrade()
            and b"#" not in self.url
        )

    def _ask(self, pending: Pending, query: bytes) -> None:
        ground = self.ground
        question = ground.questions.read(
            pending.mount, self.parser.get_method(), query, headers=self.headers, peer=self._peer
        )
        if isinstance(question, Missing):
            ground.counts.refused(question.encode())
            pending.answer(ground.answers.deny(question, pending.mount))
            return
        pending.question = question
        pending.asked_at = self.loop.time()
        digest = digest_of(question.token)
        pending.shard = shard_of_text(question.token)
        tail = ground.tail(
            pending.shard,
            digest,
            address=question.address,
            agent=question.agent,
            write=question.write,
        )
        ground.store.ask(pending, digest[:4], tail)

    def _hand_over(self) -> None:
        """Give the parent the request as if it had seen it from the start."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.headers, self.expect_100_continue = url, headers, expect
        self.scope["headers"] = headers
        super().take()

    def ask_slowly(self, pending: Pending) -> None:
        """Let the store take all the steps that this verdict needs."""
        task = self.loop.create_task(self._ask_store(pending))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _ask_store(self, pending: Pending) -> None:
        question, answers = pending.question, self.ground.answers
        assert question is not None
        try:
            verdict = await self.ground.tokens.verify(
                question.token,
                address=question.address,
                agent=question.agent,
                write=question.write,
            )
        except StoreDown as error:
            pending.answer(answers.unavailable(error.retry_after_s))
        except Exception:
            log.exception("the lane failed")
            pending.answer(answers.unavailable())
        else:
            allowed = verdict.allowed
            pending.answer(
                answers.allow(verdict, pending.mount)
                if allowed
                else answers.deny(verdict.word, pending.mount)
            )
