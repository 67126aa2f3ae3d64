"""The gate for any ASGI server: any method, raw path, query ignored, no body either way."""

from __future__ import annotations

import logging
from time import monotonic

from starlette.types import Receive, Scope, Send

from service.core.address import pack
from service.core.tokens import Tokens
from service.errors import StoreDown
from service.gate.answer import Answer, Answers
from service.gate.counts import Counts
from service.gate.question import Missing, Mount, Question, Questions, mount_of
from service.gate.reasons import tell

log = logging.getLogger(__name__)

NOT_FOUND: Answer = (404, ((b"content-length", b"0"),))


class Gate:
    """Answers ``/authz/…`` with 200, 401, 403 or 503 and nothing else (404 off its paths)."""

    def __init__(
        self, tokens: Tokens, questions: Questions, answers: Answers, *, tells: bool = False
    ) -> None:
        self.tokens = tokens
        self.questions = questions
        self.answers = answers
        self.counts = Counts()
        self.tells = tells
        """Whether refusals are written down."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = mount_of(scope.get("raw_path") or scope["path"].encode())
        if mount is None:
            status, headers = NOT_FOUND
        else:
            try:
                status, headers = await self._answer(mount, scope)
            except StoreDown as error:
                self.counts.refused(error.reason.encode())
                status, headers = self.answers.unavailable(error.retry_after_s)
            except Exception:
                # Whatever went wrong, no decision was made: never an allow, never a deny.
                log.exception("the gate failed")
                self.counts.refused(b"failed")
                status, headers = self.answers.unavailable()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, mount: Mount, scope: Scope) -> Answer:
        question = asked(self.questions, mount, scope)
        if isinstance(question, Missing):
            self.counts.refused(question.encode())
            if self.tells and question is not Missing.PREFLIGHT:
                peer = peer_of(self.questions, scope)
                tell(question, mount, self.questions.client(scope["headers"], peer))
            return self.answers.unasked(question, mount)
        asked_at = monotonic()
        verdict = await self.tokens.verify(
            question.token,
            address=question.address,
            agent=question.agent,
            write=question.write,
            trace=question.trace,
        )
        self.counts.decided(verdict.word.encode(), monotonic() - asked_at)
        if verdict.allowed:
            return self.answers.allow(verdict, mount, private=question.private)
        if self.tells:
            tell(verdict.word, mount, question.address)
        return self.answers.deny(verdict.word, mount)


def asked(questions: Questions, mount: Mount, scope: Scope) -> Question | Missing:
    """The question that the request of *scope* puts, or why it puts none."""
    return questions.read(
        mount,
        scope["method"].encode("latin-1"),
        scope["query_string"],
        headers=scope["headers"],
        fields=dict(scope["headers"]),
        peer=peer_of(questions, scope),
    )


def peer_of(questions: Questions, scope: Scope) -> tuple[bytes, bool]:
    """Who sent the request of *scope*, as ``Questions.read`` takes it."""
    client = scope.get("client")
    return questions.peer(pack(client[0]) if client else b"")
