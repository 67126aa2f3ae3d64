"""Our words in Tower's shapes: moments, users, pages of a list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from service.dialects.tower.refusal import NotFound
from service.model import User

PAGE_SIZE = 25
MAX_PAGE_SIZE = 200


def moment(ms: int) -> str:
    """*ms* since the epoch as Tower writes it: always with a fraction, which tower-cli demands."""
    seconds = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{ms % 1000:03d}Z"


def user(who: User, url: str) -> dict[str, Any]:
    """A user, without anything secret."""
    return {
        "id": who.user_id,
        "type": "user",
        "url": url,
        "related": {},
        "summary_fields": {},
        "created": moment(who.created_ms),
        "username": who.name,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "email": who.email,
        "is_superuser": who.superuser,
        "is_system_auditor": False,
        "ldap_dn": "",
        "external_account": None,
        "auth": [],
    }


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted, and how big the whole of it is."""

    number: int
    size: int
    count: int

    @classmethod
    def of(cls, query: Mapping[str, str], count: int) -> Page:
        """The page that *query* asks for among *count* entries. NotFound when there is none."""
        wanted = _whole(query.get("page_size", "")) or 0
        size = min(wanted, MAX_PAGE_SIZE) if wanted > 0 else PAGE_SIZE
        last = max(1, -(-count // size))
        text = query.get("page", "1")
        number = last if text == "last" else _whole(text)
        if number is None:
            raise NotFound(_invalid(text, "That page number is not an integer"))
        if number < 1:
            raise NotFound(_invalid(text, "That page number is less than 1"))
        if number > last:
            raise NotFound(_invalid(text, "That page contains no results"))
        return cls(number, size, count)

    @property
    def start(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size

    def envelope(
        self, results: Sequence[Any], path: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        """*results* with the links to the pages around them."""
        more = self.start + self.size < self.count
        return {
            "count": self.count,
            "next": _link(path, query, self.number + 1) if more else None,
            "previous": _link(path, query, self.number - 1) if self.number > 1 else None,
            "results": list(results),
        }


def _whole(text: str) -> int | None:
    digits = text.strip().removeprefix("-")
    known = digits.isascii() and digits.isdigit() and len(digits) < 16
    return int(text) if known else None


def _invalid(page: str, why: str) -> str:
    return f'Invalid page "{page[:40]}": {why}.'


def _link(path: str, query: Mapping[str, str], page: int) -> str:
    return f"{path}?{urlencode(sorted({**query, 'page': str(page)}.items()))}"
