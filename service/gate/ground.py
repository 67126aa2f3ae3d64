"""What the lanes of one process share: ready-made answers, remembered heads, counters."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.gate.answer import Answer, lines
from service.gate.asgi import Gate
from service.gate.question import (
    MAX_TOKEN,
    MOUNTS,
    Missing,
    Mount,
    Question,
)
from service.gate.scan import Scanner
from service.model import Life, Word
from service.store.lane import Lane as StoreLane
from service.store.verify import VerifyTail

KEPT = 2048
"""Shapes kept at most; when there are more, all are forgotten."""
LONGEST = 2048
"""Bytes of the longest shape that is kept."""

_WRITES, _NEVER = ord("w"), ord(Life.NEVER)


class Shape(NamedTuple):
    """What a request says besides its token: gateways send the same over and over.

    *seen* is *address* and *agent* as the store spells them.
    """

    mount: Mount
    address: bytes
    agent: bytes
    write: bool
    private: bool
    seen: bytes


def blank(mount: Mount, address: bytes) -> Shape:
    """The shape of a request that asks nothing."""
    return Shape(mount, address, b"", False, True, b"")


ShapeKey = tuple[bytes, bytes, bytes, tuple[bytes, bool]]
"""The bytes before the credential, its scheme, the bytes behind it, and the peer."""


class Reader(Protocol):
    """A connection, as far as it takes what it was sent."""

    def read(self, data: bytes, now: float) -> None:
        """Deal with *data*, looked at *now* (``time.monotonic``)."""

    def give_up(self, error: Exception) -> None:
        """Close: reading raised."""


class Ground:
    """What the connections of one process share; the app puts it into the lifespan state."""

    def __init__(
        self, gate: Gate, *, store: StoreLane, tail: VerifyTail, header_count: int
    ) -> None:
        self.scanner = Scanner(gate.questions, header_count)
        self.tokens = tokens = gate.tokens
        self.questions = gate.questions
        self.answers = gate.answers
        self.counts = gate.counts
        self.keeps = gate.answers.keeps
        self.tells = gate.tells
        self.store = store
        self.tail = tail
        self.shapes: dict[ShapeKey, Shape] = {}
        self.arrived: list[tuple[Reader, bytes]] = []
        """What was received and not read yet, in its order."""
        self._policies = {
            ord(letter): policy.name.encode() for letter, policy in tokens.store.policies.items()
        }
        # Whole answers, with uvicorn's own header lines among them: those change each second, and
        # all of these with them.
        self.defaults: list[tuple[bytes, bytes]] = []
        self.forms: dict[Mount, dict[bytes, bytes]] = {mount: {} for mount in MOUNTS}
        self._refusals: dict[tuple[Word | Missing, Mount], bytes] = {}
        self._unavailable = b""

    # -- requests ------------------------------------------------------------------------------

    def serve(self) -> None:
        """Read all that has arrived, and send what it asks of the store in one write.

        Done at one go, the code stays in the processor's cache, from which each system call
        between two requests would drive it.
        """
        if not self.arrived:
            return
        arrived, self.arrived = self.arrived, []
        self.store.cork()
        now = monotonic()
        for reader, data in arrived:
            try:
                reader.read(data, now)
            except Exception as error:
                reader.give_up(error)
        self.store.uncork()

    def shape(self, mount: Mount, question: Question) -> Shape:
        """*question* without its token."""
        _, address, agent, write, private, _ = question
        return Shape(mount, address, agent, write, private, self.tail.seen(address, agent))

    def remember(self, key: ShapeKey, shape: Shape, most: int) -> None:
        """Know *shape* by *key* from now on, unless a request with it may exceed *most* bytes."""
        before, _, after, _ = key
        if len(before) + len(after) + MAX_TOKEN + 64 <= min(most, LONGEST):
            if len(self.shapes) >= KEPT:
                self.shapes.clear()
            self.shapes[key] = shape

    # -- answers -------------------------------------------------------------------------------

    def renew(self, defaults: list[tuple[bytes, bytes]]) -> None:
        """Forget what was made with older *defaults*; call it before any of the next three."""
        if defaults is not self.defaults:
            self.defaults = defaults
            for forms in self.forms.values():
                forms.clear()
            self._refusals.clear()
            self._unavailable = self.spell(self.answers.unavailable())

    def form(self, mount: Mount, kind: bytes) -> bytes:
        """The answer to a token that passes, for ``%``: owner (``quoted``), id, seconds left.

        *kind* as verify answers it. The form for a token that never ends takes no seconds; with
        ``keeps``, what ``Answers.keep`` says comes first. What was made is found in ``forms``.
        """
        policy, life, flag = kind
        made = self.answers.allow_form(
            mount,
            policy=self._policies[policy],
            write=flag == _WRITES,
            ends=life != _NEVER,
        )
        before = (STATUS_LINE[200] + lines(self.defaults)).replace(b"%", b"%%")
        form = self.forms[mount][kind] = before + made + b"\r\n"
        return form

    def mismatched(self, kind: bytes, number: int, bits: int) -> None:
        """A use passed from elsewhere, as its policy allows."""
        self.tokens.mismatches.note(self._policies[kind[0]].decode(), number, bits)

    def refusal(self, reason: Word | Missing, mount: Mount) -> bytes:
        """The answer to a token that does not pass, or to a request that asks about none."""
        made = self._refusals.get((reason, mount))
        if made is None:
            answers = self.answers
            made = self._refusals[reason, mount] = self.spell(
                answers.unasked(reason, mount)
                if isinstance(reason, Missing)
                else answers.deny(reason, mount)
            )
        return made

    def unavailable(self) -> bytes:
        """The answer when there is no verdict."""
        return self._unavailable

    def spell(self, answer: Answer) -> bytes:
        """*answer* as bytes."""
        status, headers = answer
        return STATUS_LINE[status] + lines(self.defaults) + lines(headers) + b"\r\n"
