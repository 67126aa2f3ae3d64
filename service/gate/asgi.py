"""The gate for any ASGI server: any method, raw path, query ignored, no body either way."""

from __future__ import annotations

import logging

from starlette.types import Receive, Scope, Send

from service.core.address import pack
from service.core.tokens import Tokens
from service.errors import StoreDown
from service.gate.answer import Answer, Answers
from service.gate.question import Missing, Mount, Questions, mount_of

log = logging.getLogger(__name__)

NOT_FOUND: Answer = (404, ((b"content-length", b"0"),))


class Gate:
    """Answers ``/authz/…`` with 200, 401, 403 or 503 and nothing else (404 off its paths)."""

    def __init__(self, tokens: Tokens, questions: Questions, answers: Answers) -> None:
        self._tokens = tokens
        self._questions = questions
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = mount_of(scope.get("raw_path") or scope["path"].encode())
        if mount is None:
            status, headers = NOT_FOUND
        else:
            try:
                status, headers = await self._answer(mount, scope)
            except StoreDown as error:
                status, headers = self._answers.unavailable(error.retry_after_s)
            except Exception:
                # Whatever went wrong, no decision was made: never an allow, never a deny.
                log.exception("the gate failed")
                status, headers = self._answers.unavailable()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, mount: Mount, scope: Scope) -> Answer:
        client = scope.get("client")
        question = self._questions.read(
            mount,
            scope["method"].encode("latin-1"),
            scope["query_string"],
            headers=scope["headers"],
            fields=dict(scope["headers"]),
            peer=self._questions.peer(pack(client[0]) if client else b""),
        )
        if isinstance(question, Missing):
            return self._answers.deny(question, mount)
        verdict = await self._tokens.verify(
            question.token,
            address=question.address,
            agent=question.agent,
            write=question.write,
        )
        if verdict.allowed:
            return self._answers.allow(verdict, mount)
        return self._answers.deny(verdict.word, mount)
