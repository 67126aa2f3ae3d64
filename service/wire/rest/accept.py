"""Which form of an answer a request asks for, by the rules of Django REST framework. Pure.

More specific entries come first, among equally specific ones JSON does, and qualities are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from service.wire.headers import joined
from service.wire.json import MAX_INDENT
from service.wire.negotiate import best, parse_accept
from service.wire.rest.refusal import NotAcceptable, NotFound
from service.wire.rest.reply import HTML, JSON

MEDIA = {"json": JSON, "api": HTML}
"""The formats by their ``?format=`` name, the preferred one first."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was chosen: *media*, *indent* (0: compact), *version* (None: none was asked for)."""

    media: str
    indent: int = 0
    version: str | None = None


def accepted(request: Request, format_name: str = "") -> Accepted:
    """The form that *request* asks for by its Accept header and ``?format=``.

    *format_name* is that of a path which ends in one (``.json``). NotFound for a format that does
    not exist; NotAcceptable.
    """
    name = format_name or request.query_params.get("format", "")
    if name and name not in MEDIA:
        raise NotFound
    offers = [MEDIA[name]] if name else list(MEDIA.values())
    # Absent is anything; sent and empty is nothing.
    header = joined(request.headers, "accept") if "accept" in request.headers else "*/*"
    chosen = choose(header, offers)
    if chosen is None:
        raise NotAcceptable
    return chosen


def choose(header: str, offers: Sequence[str]) -> Accepted | None:
    """Which of *offers* a client with this Accept *header* gets; None when it takes none."""
    found = best(parse_accept(header), offers)
    if found is None:
        return None
    params = dict(found[1].params)
    return Accepted(found[0], _indent(params), params.get("version"))


def _indent(params: dict[str, str]) -> int:
    """Between 0 and 8; 0 also for what is no number."""
    text = params.get("indent", "").strip()
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or text.startswith("-"):
        return 0
    return min(int(digits[-6:]), MAX_INDENT) if len(digits) < 4 else MAX_INDENT
