"""Users: making, changing and deleting them. Names are canonical before they get here or below."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from service.core.feed import Revocation
from service.core.passwords import MAX_PASSWORD, Passwords
from service.core.tokens import Tokens
from service.errors import NoSuchUser, Refusal
from service.model import User, canonical_name
from service.store.owners import Owners

PAGE = 200


class BadPassword(Refusal, ValueError):
    """A new password that cannot be set: empty, or longer than is ever compared."""


class Users:
    """Every operation on users; all of them may raise StoreDown."""

    def __init__(self, owners: Owners, tokens: Tokens, passwords: Passwords) -> None:
        self.owners = owners
        self._tokens = tokens
        self._passwords = passwords

    async def add(
        self, name: str, password: str | None, *, superuser: bool = False, **facts: str
    ) -> User:
        """Make a user; BadName, UserExists, BadPassword.

        Without a *password* nobody can log in as that user. *facts* are ``first``, ``last``,
        ``email`` and ``perms`` (permissions, blanks between).
        """
        name = canonical_name(name)
        stored = "" if password is None else await self._stored(password)
        fields = {"password": stored, "super": "1" if superuser else "0", **facts}
        await self.owners.create(name, fields)
        return await self.get(name)

    async def get(self, name: str) -> User:
        """The user called *name*. NoSuchUser."""
        user = await self.owners.get(canonical_name(name))
        if user is None:
            raise NoSuchUser(name)
        return user

    async def all(self) -> list[User]:
        """Every user, by numeric id."""
        found: list[User] = []
        total = await self.owners.count()
        for start in range(0, total, PAGE):
            found += await self.owners.page(start, PAGE)
        return found

    async def pages(self) -> AsyncIterator[list[User]]:
        """Every user by numeric id, some at a time; whoever is there all the while is met once."""
        last = 0
        while True:
            found, last = await self.owners.after(last, PAGE)
            yield found
            if not last:
                return

    async def names(self) -> list[str]:
        """The name of every user, by numeric id."""
        return await self.owners.names()

    async def some(self, names: Iterable[str]) -> dict[str, User]:
        """Those of the users called *names* (canonical ones) who are there, in one round trip."""
        found = await self.owners.get_all(list(names))
        return {user.name: user for user in found if user is not None}

    async def count(self) -> int:
        """How many users there are."""
        return await self.owners.count()

    async def page(self, start: int, size: int) -> list[User]:
        """At most *size* users by numeric id, from the position *start*."""
        return await self.owners.page(start, size)

    async def by_id(self, number: int) -> User | None:
        """The user with numeric id *number*, None when there is none."""
        return await self.owners.by_id(number)

    async def set_password(self, name: str, password: str) -> None:
        """Give *name* a new password; tokens live on (Tower 3.2). NoSuchUser, BadPassword."""
        stored = await self._stored(password)
        await self._change(name, {"password": stored})

    async def replace_password(self, user: User, password: str) -> bool:
        """Give *user* a new password; False when he has another than *user* had, or is gone."""
        stored = await self._stored(password)
        return await self.owners.change_password(user.name, user.password, stored)

    async def note_login(self, name: str) -> None:
        """Write down that *name* has logged in now."""
        await self.owners.note(name, "login")

    async def grant(self, name: str, permissions: Iterable[str], *, revoke: bool = False) -> User:
        """Give (or take) *permissions*; of two changes at once the later one wins. NoSuchUser."""
        user = await self.get(name)
        wanted = set(user.permissions)
        wanted = wanted.difference(permissions) if revoke else wanted.union(permissions)
        await self._change(user.name, {"perms": " ".join(sorted(wanted))})
        return await self.get(user.name)

    async def disable(self, name: str) -> None:
        """Refuse logins and tokens of *name* until enabled again. NoSuchUser."""
        name = canonical_name(name)
        await self.owners.change(name, {}, state="d")
        await self._tokens.tell(Revocation(owner=name, reason="disabled"))

    async def enable(self, name: str) -> None:
        """The opposite of ``disable``: unexpired tokens work again. NoSuchUser."""
        await self._change(name, {}, state="a")

    async def revoke(self, name: str) -> None:
        """Disable *name* and kill every token of his, with one write. NoSuchUser."""
        name = canonical_name(name)
        mark = await self.owners.change(name, {}, state="d", mark=True)
        await self._tokens.tell(Revocation(owner=name, reason="revoked", mark=mark))
        self._tokens.tidy(name)

    async def delete(self, name: str) -> None:
        """Remove *name* and make every token of his unknown. NoSuchUser."""
        name = canonical_name(name)
        await self.owners.delete(name)
        await self._tokens.tell(Revocation(owner=name, reason="deleted"))
        self._tokens.tidy(name)

    async def _change(self, name: str, fields: Mapping[str, str], *, state: str = "=") -> None:
        await self.owners.change(canonical_name(name), fields, state=state)

    async def _stored(self, password: str) -> str:
        try:
            size = len(password.encode())
        except UnicodeEncodeError as error:
            raise BadPassword("a password is text") from error
        if not 0 < size <= MAX_PASSWORD:
            raise BadPassword(f"a password has 1 to {MAX_PASSWORD} bytes")
        return await self._passwords.hash(password)
