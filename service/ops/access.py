"""Who may look behind the gate: superusers, and users with the permission ``gateway``."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Scope

from service.core.permissions import GATEWAY
from service.core.tokens import Tokens
from service.core.users import Users
from service.errors import NoSuchUser
from service.gate.answer import Answer, Answers
from service.gate.asgi import asked
from service.gate.question import EXT, Missing, Mount, Question, Questions
from service.model import Trace, Verdict, Word

FORBIDDEN: Answer = (
    403,
    (
        (b"content-length", b"0"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Authorization, X-Auth-Token, X-Authentication"),
        (b"www-authenticate", b'Bearer realm="tokenhouse", error="insufficient_scope"'),
    ),
)


class Access:
    """Reads tokens where the gate does, and refuses in its words."""

    def __init__(
        self, tokens: Tokens, users: Users, *, questions: Questions, answers: Answers
    ) -> None:
        self._tokens = tokens
        self._users = users
        self.questions = questions
        self.answers = answers

    def asked(self, mount: Mount, scope: Scope) -> Question | Missing:
        """The question that the request puts, or why it puts none."""
        return asked(self.questions, mount, scope)

    async def verdict(self, question: Question, trace: Trace) -> Verdict:
        """What the gate would say; one that passes leaves *trace* at most. StoreDown."""
        return await self._tokens.verify(
            question.token,
            address=question.address,
            agent=question.agent,
            write=question.write,
            trace=trace if question.trace is Trace.WHOLE else question.trace,
        )

    async def refusal(self, verdict: Verdict) -> Answer | None:
        """Why whoever got *verdict* may not look; None when he may. StoreDown."""
        if not verdict.allowed:
            return self.answers.deny(verdict.word, EXT)
        try:
            user = await self._users.get(verdict.owner)
        except NoSuchUser:  # deleted since the verdict
            return self.answers.deny(Word.UNKNOWN, EXT)
        return None if user.superuser or GATEWAY in user.permissions else FORBIDDEN


def bare(answer: Answer) -> Response:
    """*answer* of the gate as a response."""
    status, headers = answer
    made = Response(status_code=status)
    made.raw_headers = list(headers)
    return made
