"""Users that another product has: what a row of an export says of one, and making many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.core import cells
from service.core.arrivals import IMPORTED, THERE, Fate, refused
from service.core.cells import BadRow, Row
from service.core.permissions import PERMISSIONS
from service.core.users import Users
from service.errors import UserExists

COLUMNS = ("name", "first_name", "last_name", "email", "superuser", "permissions")
"""What a row may say; it must say ``name``."""

LONGEST = 254
"""How many characters the names and the e-mail address may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """One row, read: who is to be there, and the *facts* that ``Users.add`` takes."""

    name: str
    superuser: bool
    facts: dict[str, str]


def newcomer_of(row: Row) -> Newcomer:
    """What *row* (of ``COLUMNS``; texts, or what JSON has for them) says. BadRow."""
    cells.known(row, COLUMNS)
    return Newcomer(
        name=cells.user_name(row, "name"),
        superuser=bool(cells.truth(row, "superuser")),
        facts={
            "first": _short(row, "first_name"),
            "last": _short(row, "last_name"),
            "email": _short(row, "email"),
            "perms": " ".join(sorted(_permissions(row))),
        },
    )


def _short(row: Row, name: str) -> str:
    text = cells.text(row, name)
    if len(text) > LONGEST:
        raise BadRow(f"{name}: it has more than {LONGEST} characters")
    return text


def _permissions(row: Row) -> set[str]:
    """Those in a list, or in a text with blanks between them."""
    value = row.get("permissions")
    named = value if isinstance(value, list) else cells.text(row, "permissions").split()
    if not all(each in PERMISSIONS for each in named):
        raise BadRow(f"permissions: one is none of {', '.join(PERMISSIONS)}")
    return set(named)


@dataclass(slots=True)
class Newcomers:
    """Makes users without a password; who is there already is left as he is.

    *write* False decides by reading alone and changes nothing.
    """

    users: Users
    write: bool = True
    _seen: set[str] = field(default_factory=set)

    async def take(self, entries: Sequence[Newcomer]) -> list[Fate]:
        """What becomes of each, in order. StoreDown: ask again, it does no harm."""
        there = await self.users.some([each.name for each in entries])
        return [await self._take(each, there=each.name in there) for each in entries]

    async def _take(self, entry: Newcomer, *, there: bool) -> Fate:
        if entry.name in self._seen:
            return refused("an earlier row has the same name")
        self._seen.add(entry.name)
        if there:
            return THERE
        if self.write:
            try:
                await self.users.add(entry.name, None, superuser=entry.superuser, **entry.facts)
            except UserExists:  # by somebody else, since the look
                return THERE
        return IMPORTED
