"""Logins: from a name and a password to a user, or to a token."""

from __future__ import annotations

from dataclasses import replace

from service.core.guard import Guard
from service.core.making import PasswordChanged
from service.core.passwords import Passwords, public_part
from service.core.tokens import Tokens, Wish
from service.errors import (
    BadCredentials,
    BadName,
    ClientAddressUnknown,
    DisabledLogin,
    NoSuchUser,
    StoreDown,
    UserDisabled,
)
from service.model import Issued, Level, User, canonical_name
from service.store.owners import Owners

TRIES = 3


class Logins:
    """Password logins behind the guard.

    Wrong password and unknown user are one answer, BadCredentials, at one cost. The right password
    of a disabled user is a kind of it, DisabledLogin, which costs and counts like any other.
    Besides them TooManyAttempts, Busy and StoreDown may be raised.
    """

    def __init__(
        self, owners: Owners, tokens: Tokens, *, passwords: Passwords, guard: Guard
    ) -> None:
        self._owners = owners
        self._tokens = tokens
        self._passwords = passwords
        self._guard = guard

    async def check(self, name: str, password: str, *, address: bytes) -> User:
        """The active user whose password this is (HTTP Basic)."""
        async with self._guard.guess(name, address):
            user = await self._compare(name, password)
            if not user.active:
                raise DisabledLogin
            return user

    async def issue(self, wish: Wish, password: str, *, address: bytes) -> Issued:
        """A token for ``wish.owner`` (as he spelled it), whose password this must be.

        *address* is what the guard counts. ClientAddressUnknown when the policy binds to an
        address and none is known.
        """
        if wish.policy.bind_ip is not Level.OFF and not wish.address:
            raise ClientAddressUnknown
        async with self._guard.guess(wish.owner, address):
            for _ in range(TRIES):
                user = await self._compare(wish.owner, password)
                proven = replace(wish, owner=user.name, password=public_part(user.password))
                try:
                    return await self._tokens.issue(proven)
                except PasswordChanged:
                    continue
                except UserDisabled as error:
                    raise DisabledLogin from error
                except NoSuchUser as error:
                    raise BadCredentials from error
            raise StoreDown("moved on")

    async def forgive(self, name: str) -> None:
        """Forget every failed login of *name*."""
        await self._guard.forget(name)

    async def _compare(self, name: str, password: str) -> User:
        try:
            user = await self._owners.get(canonical_name(name))
        except BadName:
            user = None
        if user is None:
            await self._tokens.born()
        stored = user.password if user is not None else ""
        right = await self._passwords.check(name, stored, password)
        if user is None or not right:
            raise BadCredentials
        return await self._renewed(user, password)

    async def _renewed(self, user: User, password: str) -> User:
        """*user*, rehashed when the parameters of the config have changed since."""
        if not self._passwords.outdated(user.password):
            return user
        fresh = await self._passwords.hash(password)
        if await self._owners.change_password(user.name, user.password, fresh):
            return replace(user, password=fresh)
        return user
