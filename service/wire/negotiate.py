"""Which of our media types a client is given for its Accept header. Pure, never raises.

The rule is that of Django REST framework: more specific entries first, and among equally specific
ones our own order. An entry's quality matters only when it is 0, which excludes the entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\Z")
_PRINTABLE = re.compile(r"[\x20-\x7e]*\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One media range of an Accept header; *text* is as it was sent, *params* without quotes."""

    text: str
    main: str
    sub: str
    params: tuple[tuple[str, str], ...]

    @property
    def quality(self) -> float:
        """Between 0 and 1; 1 when it is absent or no number."""
        text = dict(self.params).get("q", "")
        return float(text) if _QUALITY.match(text) else 1.0

    @property
    def precedence(self) -> int:
        """How specific it is: 0 for ``*/*`` up to 3 for a media type with parameters."""
        if self.main == "*":
            return 0
        if self.sub == "*":
            return 1
        return 3 if any(name != "q" for name, _ in self.params) else 2

    def matches(self, offer: str) -> bool:
        """Whether *offer*, a bare media type, lies in this range."""
        main, _, sub = offer.partition("/")
        return self.main in {"*", main} and self.sub in {"*", sub}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is given: *media*, one of the offers, and how Content-Type is spelled then."""

    media: str
    content_type: str
    params: tuple[tuple[str, str], ...] = ()

    @property
    def indent(self) -> int:
        """The ``indent`` parameter as a number; 0 when there is none."""
        text = dict(self.params).get("indent", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def parse_accept(header: str) -> list[Entry]:
    """The entries of *header*, those that are none left out."""
    return [entry for text in _split(header, ",") if (entry := _entry(text.strip()))]


def best(entries: Sequence[Entry], offers: Sequence[str]) -> tuple[str, Entry] | None:
    """The first of *offers* that the most specific of *entries* take, with the entry; or None."""
    for rank in (3, 2, 1, 0):
        ranked = [entry for entry in entries if entry.precedence == rank]
        for offer in offers:
            for entry in ranked:
                if entry.matches(offer):
                    return offer, entry
    return None


def choose(header: str, offers: Sequence[str]) -> Choice | None:
    """Which of *offers* a client with this Accept *header* gets; None when it takes none.

    An absent or empty header takes anything.
    """
    entries = [entry for entry in parse_accept(header) if entry.quality > 0]
    if not header.strip():
        return Choice(offers[0], offers[0])
    found = best(entries, offers)
    return None if found is None else Choice(found[0], _spelled(*found), found[1].params)


def _spelled(offer: str, entry: Entry) -> str:
    """*offer* with the parameters of *entry*, as the client sees its own wish come back."""
    if entry.precedence < 2:
        pairs = (f"{name}={value}" for name, value in entry.params)
        text = ";".join((offer, *pairs))
    else:
        _, semicolon, tail = entry.text.partition(";")
        text = offer + semicolon + tail
    return text if _PRINTABLE.match(text) else offer


def _entry(text: str) -> Entry | None:
    bare, *rest = _split(text, ";")
    main, slash, sub = bare.strip().lower().partition("/")
    if not main or not slash or not sub:
        return None
    params = [_param(part) for part in rest if "=" in part]
    return Entry(text, main.strip(), sub.strip(), tuple(params))


def _param(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts of *text* between separators that do not stand in quotes."""
    start, quoted = 0, False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            yield text[start:at]
            start = at + 1
    yield text[start:]
