"""Parts of a list: limit and offset, and the links to the parts around one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

DEFAULT, MOST = 50, 1000
_DIGITS = 15
_MOST_DIGITS = 4300
"""CPython, and so the product, reads no longer number."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted, and how big the whole of it is."""

    limit: int
    offset: int
    count: int

    @classmethod
    def of(
        cls, limit: str | None, offset: str | None, count: int, *, default: int = DEFAULT
    ) -> Page:
        """The part that the parameters *limit* and *offset* ask for among *count* entries.

        A limit of 0 is as much as there may be; one that is none is *default*. An offset that is
        none is 0. Never raises.
        """
        wanted = _number(limit, _MOST_DIGITS)
        size = default if wanted is None else min(wanted or MOST, MOST)
        return cls(size, _number(offset, _MOST_DIGITS) or 0, count)

    def part(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of this page among all of them."""
        return rows[self.offset : self.offset + self.limit]

    def envelope(self, results: Sequence[Any], url: str, query: str) -> dict[str, Any]:
        """*results* with the links to the pages around them; *url* is that of the list."""
        more = self.offset + self.limit < self.count
        back = max(0, self.offset - self.limit)
        return {
            "count": self.count,
            "next": self._link(url, query, self.offset + self.limit) if more else None,
            "previous": self._link(url, query, back) if self.offset else None,
            "results": list(results),
        }

    def _link(self, url: str, query: str, offset: int) -> str:
        """*url* with the sorted *query*, at *offset*; 0 is not said."""
        pairs = parse_qs(query, keep_blank_values=True)
        pairs["limit"] = [str(self.limit)]
        pairs["offset"] = [str(offset)]
        if not offset:
            del pairs["offset"]
        return f"{url}?{urlencode(sorted(pairs.items()), doseq=True)}"


def number(text: str | None) -> int | None:
    """*text* as a number that is not negative; None when it is none."""
    return _number(text, _DIGITS)


def _number(text: str | None, most: int) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= most else None
