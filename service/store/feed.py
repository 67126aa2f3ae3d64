"""The feed of revocations: one capped stream in Redis, written behind every revocation."""

from __future__ import annotations

from collections.abc import Mapping

from service.store.client import Client
from service.store.keys import Keys

Entry = tuple[str, dict[str, str]]
"""An entry's id (``ms-number``, ascending) and its fields."""

START = "0-0"


class Feed:
    """At most about *keep* entries; 0 keeps none. Every method may raise StoreDown."""

    def __init__(self, client: Client, keys: Keys, keep: int) -> None:
        self.client = client
        self._key = keys.events
        self.keep = keep

    async def add(self, fields: Mapping[str, str]) -> None:
        """Put an entry behind all others."""
        if self.keep:
            pairs = [part for pair in fields.items() for part in pair]
            await self.client.run((b"XADD", self._key, b"MAXLEN", b"~", self.keep, b"*", *pairs))

    async def after(self, last: str, most: int) -> list[Entry]:
        """The oldest entries behind the one with the id *last*, at most *most*."""
        number, _, count = last.partition("-")
        # 6.0 knows no exclusive range, so the next possible id is named.
        begin = f"{number}-{int(count) + 1}"
        step = (b"XRANGE", self._key, begin, b"+", b"COUNT", most)
        found = (await self.client.run(step))[0]
        return [(name.decode(), _fields(parts)) for name, parts in found]

    async def ends(self) -> tuple[str, str]:
        """The ids of the oldest and the newest entry; ``START`` twice when there is none."""
        replies = await self.client.run(
            (b"XRANGE", self._key, b"-", b"+", b"COUNT", 1),
            (b"XREVRANGE", self._key, b"+", b"-", b"COUNT", 1),
        )
        oldest, newest = (reply[0][0].decode() if reply else START for reply in replies)
        return oldest, newest


def _fields(parts: list[bytes]) -> dict[str, str]:
    texts = [part.decode() for part in parts]
    return dict(zip(texts[::2], texts[1::2], strict=True))
