"""Owners: the user record, the state beside it and the directory of names."""

from __future__ import annotations

from collections.abc import Mapping

from service.errors import NoSuchUser, StoreDown, UserExists
from service.model import User, Word
from service.store.client import Call, Client, Command, Part, Reply
from service.store.keys import Keys, shard_of
from service.store.scripts import load_all


class Owners:
    """Users in one Redis. Every method may raise StoreDown."""

    def __init__(self, client: Client, keys: Keys, letters: str) -> None:
        self.client = client
        self.keys = keys
        self._letters = letters
        self._script = load_all()["set_owner"]

    async def get(self, name: str) -> User | None:
        """The user called *name* exactly, None when there is none."""
        return (await self.get_all([name]))[0]

    async def get_all(self, names: list[str]) -> list[User | None]:
        """The users called *names*, in order, in one round trip."""
        steps: list[Command] = []
        for name in names:
            shard = shard_of(name)
            steps.append((b"HGETALL", self.keys.user(shard, name)))
            steps.append((b"HGET", self.keys.owners(shard), name.encode()))
        replies = await self.client.run(*steps) if steps else []
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return [_user(name, *pair) for name, pair in zip(names, pairs, strict=True)]

    async def create(self, name: str, fields: Mapping[str, str]) -> None:
        """Make a user; tokens of an earlier user of that name stay dead. UserExists."""
        known = await self.get(name)
        if known is not None:
            # Again, for the node that died before it came to the directory.
            await self.client.run((b"ZADD", self.keys.users, known.user_id, name))
            raise UserExists(name)
        number = (await self.client.run((b"INCR", self.keys.users_next)))[0]
        word, _ = await self._set(name, "a", "new", {"id": str(number), **fields}, now="created")
        if word is Word.EXISTS:
            raise UserExists(name)
        # After the record: readers tolerate either alone.
        await self.client.run((b"ZADD", self.keys.users, number, name))

    async def change(
        self, name: str, fields: Mapping[str, str], *, state: str = "=", mark: bool = False
    ) -> int:
        """Write *fields*; *state* ``a`` enables, ``d`` disables; *mark* kills all tokens so far.

        Gives the highest counter that is dead. NoSuchUser.
        """
        word, dead = await self._set(name, state, "any", fields, mark=mark)
        if word is Word.UNKNOWN:
            raise NoSuchUser(name)
        return dead

    async def note(self, name: str, field: str) -> None:
        """Write the time into *field* of the record, if the user is there."""
        await self._set(name, "=", "any", {}, now=field)

    async def change_password(self, name: str, old: str, new: str) -> bool:
        """Replace the password hash *old* by *new*; False when another came in between."""
        word, _ = await self._set(name, "=", "=" + old, {"password": new})
        return word is Word.OK

    async def delete(self, name: str) -> None:
        """Remove the user; every token becomes unknown with the same write. NoSuchUser."""
        # From the directory first: whoever makes the user again meanwhile is listed after it.
        await self.client.run((b"ZREM", self.keys.users, name))
        word, _ = await self._set(name, "-", "any", {})
        if word is Word.UNKNOWN:
            raise NoSuchUser(name)

    async def _set(
        self,
        name: str,
        state: str,
        expect: str,
        fields: Mapping[str, str],
        *,
        mark: bool = False,
        now: str = "",
    ) -> tuple[Word, int]:
        shard = shard_of(name)
        keys = [
            self.keys.user(shard, name),
            self.keys.owners(shard),
            self.keys.counter(shard),
            self.keys.names(shard, name),
        ]
        flags: list[Part] = ["1" if mark else "", self._letters, now]
        pairs = [part for pair in fields.items() for part in pair]
        call = Call(self._script, keys, [name, state, expect, *flags, *pairs])
        reply = (await self.client.run(call))[0]
        return Word(reply[0].decode()), reply[1] if len(reply) > 1 else 0

    async def count(self) -> int:
        """How many users the directory has."""
        return int((await self.client.run((b"ZCARD", self.keys.users)))[0])

    async def names(self) -> list[str]:
        """The name of every user, by numeric id."""
        return [
            name.decode()
            for name in (await self.client.run((b"ZRANGE", self.keys.users, 0, -1)))[0]
        ]

    async def page(self, start: int, size: int) -> list[User]:
        """Users by numeric id, from position *start*; a name without a record is left out."""
        step = (b"ZRANGE", self.keys.users, start, start + size - 1)
        names = [name.decode() for name in (await self.client.run(step))[0]]
        return [user for user in await self.get_all(names) if user is not None]

    async def after(self, number: int, size: int) -> tuple[list[User], int]:
        """At most *size* users with higher ids, and the last id looked at; 0 behind the last."""
        step = (b"ZRANGEBYSCORE", self.keys.users, f"({number}", b"+inf", b"WITHSCORES")
        listed = (await self.client.run((*step, b"LIMIT", 0, size)))[0]
        users = await self.get_all([name.decode() for name in listed[::2]])
        last = int(listed[-1]) if len(listed) == 2 * size else 0
        return [user for user in users if user is not None], last

    async def by_id(self, number: int) -> User | None:
        """The user with numeric id *number*."""
        step = (b"ZRANGEBYSCORE", self.keys.users, number, number, b"LIMIT", 0, 1)
        names = (await self.client.run(step))[0]
        return await self.get(names[0].decode()) if names else None


def _user(name: str, record: list[bytes], state: Reply) -> User | None:
    if state is None or not record:
        return None
    text = {
        key.decode(): value.decode() for key, value in zip(record[::2], record[1::2], strict=True)
    }
    try:
        return User(
            name=name,
            user_id=int(text["id"]),
            active=state[:1] == b"a",
            password=text.get("password", ""),
            first_name=text.get("first", ""),
            last_name=text.get("last", ""),
            email=text.get("email", ""),
            superuser=text.get("super") == "1",
            permissions=tuple(text.get("perms", "").split()),
            created_ms=int(text.get("created", "0")),
            last_login_ms=int(text.get("login", "0")),
        )
    except (KeyError, ValueError) as error:
        raise StoreDown("user record") from error
