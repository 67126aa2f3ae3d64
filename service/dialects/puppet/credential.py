"""Tokens as they are presented: where they stand, what they look like. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.model import Trace

NO_KEEPALIVE = "|no_keepalive"
MOST = 256
"""Longer than any token of any policy."""

_FIT = re.compile(r"[!-+\--~]+")
"""Visible ASCII but the comma, which joins what was sent twice."""
_SHAPES = re.compile(
    r"""
    0[A-Za-z0-9_-]{43}                                  # as they are made here
    | [!-+\--~]{40}                                     # of the other products
    | th_[0-9A-Za-z]{51}                                # of no product
    | nbt_[0-9A-Za-z]{12}\.[0-9A-Za-z]{40}
    | [A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}  # of Puppet Enterprise up to 2016.5
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as somebody shows it: *text* is bare of blanks and suffix.

    *trace* is what a use of it may leave behind.
    """

    text: str = field(repr=False)
    trace: Trace = Trace.WHOLE

    @property
    def askable(self) -> bool:
        """Whether it is worth asking for: nothing else has ever been a token of any policy."""
        return len(self.text) <= MOST and bool(_FIT.fullmatch(self.text))

    @property
    def shaped(self) -> bool:
        """Whether it looks like a token, so that an unknown one was probably one once."""
        return bool(_SHAPES.fullmatch(self.text))


def presented(text: str) -> Presented:
    """The token that *text* is, with the suffix by which a use is none (``|no_keepalive``)."""
    bare = text.strip()
    kept = bare.removesuffix(NO_KEEPALIVE)
    return Presented(kept, Trace.WHOLE if kept == bare else Trace.NONE)


def credential_of(headers: Sequence[str], queried: Sequence[str]) -> Presented | None:
    """The token of a request: its ``X-Authentication``, else its ``?token=``; None without both.

    Empty is absent. Two different ones in one place make none that can be read.
    """
    for place in (headers, queried):
        found = [text for text in dict.fromkeys(place) if text.strip()]
        if found:
            return presented(",".join(found))
    return None
