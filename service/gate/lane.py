"""The gate inside uvicorn's protocol: plain requests are answered before any ASGI object exists.

Only the plain case is taken: a gate path, no body, nothing else pending on the connection. All
else goes to the parent class as if this one were not there, and so to ``gate/asgi.py``, which
gives the same answers to the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from service.core.address import pack
from service.core.secret import digest_of, shard_of_text
from service.core.tokens import Tokens
from service.errors import StoreDown
from service.gate.answer import Answer, Answers, lines, quoted
from service.gate.counts import Counts
from service.gate.question import (
    MOUNTS,
    Header,
    Missing,
    Mount,
    Question,
    Questions,
    mount_of,
)
from service.gate.scan import Scanner
from service.model import Life, Word
from service.protocol import BETWEEN, Limited
from service.store.lane import Asker
from service.store.lane import Lane as StoreLane
from service.store.resp import VerifyTail

log = logging.getLogger(__name__)

# A request with one of these has a body, or wants something before its answer.
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
LONGEST_METHOD = len(b"OPTIONS /authz/")
_CLOSE = b"connection: close\r\n\r\n"
_WRITES, _NEVER = ord("w"), ord(Life.NEVER)
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
        header_count: int,
    ) -> None:
        self.scanner = Scanner(questions, header_count)
        self.tokens = tokens
        self.questions = questions
        self.answers = answers
        self.store = store
        self.tail = tail
        self.counts = Counts()
        self._policies = {
            ord(letter): policy.name.encode() for letter, policy in tokens.store.policies.items()
        }
        # Whole answers, with uvicorn's own header lines among them: those change each second, and
        # all of these with them.
        self._defaults: list[tuple[bytes, bytes]] = []
        self._forms: dict[Mount, dict[bytes, bytes]] = {mount: {} for mount in MOUNTS}
        self._refusals: dict[tuple[Word | Missing, Mount], bytes] = {}
        self._unavailable = b""

    def renew(self, defaults: list[tuple[bytes, bytes]]) -> None:
        """Forget what was made with older *defaults*; call it before any of the next three."""
        if defaults is not self._defaults:
            self._defaults = defaults
            for forms in self._forms.values():
                forms.clear()
            self._refusals.clear()
            self._unavailable = self.spell(self.answers.unavailable())

    def allow(
        self, mount: Mount, head: bytes, *, owner: bytes, shard: bytes, left_ms: int
    ) -> bytes:
        """The answer to a token that passes, by its *head* (``lua/KEYS.md``)."""
        kind = head[1:4]  # policy, life and write flag
        form = self._forms[mount].get(kind) or self._form(mount, kind)
        number = int.from_bytes(head[4:9] + shard, "big")  # counter * 65536 + shard
        if left_ms < 0:
            return form % (quoted(owner), number)
        return form % (quoted(owner), number, left_ms // 1000)

    def _form(self, mount: Mount, kind: bytes) -> bytes:
        policy, life, flag = kind
        made = self.answers.allow_form(
            mount,
            policy=self._policies[policy],
            write=flag == _WRITES,
            ends=life != _NEVER,
        )
        before = (STATUS_LINE[200] + lines(self._defaults)).replace(b"%", b"%%")
        form = self._forms[mount][kind] = before + made + b"\r\n"
        return form

    def refusal(self, reason: Word | Missing, mount: Mount) -> bytes:
        """The answer to a token that does not pass."""
        made = self._refusals.get((reason, mount))
        if made is None:
            made = self.spell(self.answers.deny(reason, mount))
            self._refusals[reason, mount] = made
        return made

    def unavailable(self) -> bytes:
        """The answer when there is no verdict."""
        return self._unavailable

    def spell(self, answer: Answer) -> bytes:
        """*answer* as bytes."""
        status, headers = answer
        return STATUS_LINE[status] + lines(self._defaults) + lines(headers) + b"\r\n"


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
        "mount",
        "protocol",
        "question",
        "response_complete",
        "shard",
    )
    message_event = _Deaf

    def __init__(self, protocol: Lane, mount: Mount, *, keep_alive: bool) -> None:
        self.protocol = protocol
        self.mount = mount
        self.keep_alive = keep_alive
        self.question: Question | None = None
        self.shard = b""
        self.disconnected = False
        self.response_complete = False

    @property
    def response_started(self) -> bool:
        """An answer is written at one stroke."""
        return self.response_complete

    # -- what the store's lane calls -----------------------------------------------------------

    def decided(self, reply: list[Any]) -> None:
        """The script's reply: answer, or take the further step it asks for."""
        protocol = self.protocol
        ground = protocol.ground
        try:
            word = reply[0]
            ground.counts.decided(word, protocol.loop.time() - self.asked_at)
            ground.renew(protocol.server_state.default_headers)
            if word == b"ok":
                self._write(
                    ground.allow(
                        self.mount, reply[2], owner=reply[3], shard=self.shard, left_ms=reply[4]
                    )
                )
            elif word in _FINAL:
                self._write(ground.refusal(_FINAL[word], self.mount))
            else:
                protocol.ask_slowly(self)
        except Exception:
            # Whatever went wrong, no decision was made: never an allow, never a deny.
            log.exception("the lane failed")
            self.undecided("failed")

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
        ground.renew(self.protocol.server_state.default_headers)
        self._write(ground.refusal(reason, self.mount))

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

    # -- reading -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Answer one plain gate request that came whole; leave anything else to the parser."""
        cycle = self.cycle
        if (
            self._phase <= BETWEEN
            and data.find(b" /authz/", 0, LONGEST_METHOD) > 0
            and len(data) <= self.limits.header_bytes
            and (cycle is None or cycle.response_complete)
            and self._is_open()
        ):
            head = self.ground.scanner.scan(data)
            if head is not None:
                self._now = self._since = self.loop.time()
                self._phase = BETWEEN
                (mount, method, query), headers, fields = head
                pending = Pending(self, mount, keep_alive=True)
                self._ask(pending, method, query, headers=headers, fields=fields)
                return
        super().data_received(data)

    def _is_open(self) -> bool:
        """Whether an answer can be written, and one more request be taken in."""
        return not (
            self.flow.write_paused
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
        pending = Pending(self, mount, keep_alive=keep_alive)
        method = parser.get_method()
        self._ask(pending, method, query, headers=self.headers, fields=self.fields)

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, Pending):  # and so without a body
            self._phase, self._since = BETWEEN, self._now
        else:
            super().on_message_complete()

    # -- asking --------------------------------------------------------------------------------

    def _ask(
        self,
        pending: Pending,
        method: bytes,
        query: bytes,
        *,
        headers: Sequence[Header],
        fields: Mapping[bytes, bytes],
    ) -> None:
        ground = self.ground
        self.cycle = pending  # type: ignore[assignment]
        try:
            question = ground.questions.read(
                pending.mount, method, query, headers=headers, fields=fields, peer=self._peer
            )
            if isinstance(question, Missing):
                pending.refuse(question)
                return
            token, address, agent, write = pending.question = question
            shard, digest = shard_of_text(token), digest_of(token)
            pending.shard = shard
            tail = ground.tail(shard, digest, address=address, agent=agent, write=write)
            ground.store.ask(pending, digest[:4], tail)
        except Exception:
            log.exception("the lane failed")
            pending.undecided("failed")

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
            pending.answer(
                answers.allow(verdict, pending.mount)
                if verdict.allowed
                else answers.deny(verdict.word, pending.mount)
            )
