"""Tokens: issuing, checking, revoking and listing them under the policies of the config."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.core.address import prefix
from service.core.secret import Form, Secrets, digest_of, place_of
from service.errors import LabelTaken, NoSuchToken, NoSuchUser, TooManyTokens, UserDisabled
from service.model import (
    NO_AGENT,
    Head,
    Issued,
    Level,
    Life,
    Policy,
    Token,
    Verdict,
    Word,
    split_id,
    token_id,
)
from service.store.keys import shard_of
from service.store.records import Records, pack_texts
from service.store.store import NewToken, Outcome, Store

FORMS = {"p": Form.BASE64}
"""Policies whose tokens are not 40 hex digits."""


class PasswordChanged(Exception):
    """The password or the user changed after the check: check again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of a new token.

    *address* and *agent* are what it is bound to where the policy binds. *lifetime_ms* and
    *end_ms* end it at a fixed time (0: as the policy has it); *conflict* says what to do when a
    live token has this *label*. *password* is the public part of the hash that was checked.
    """

    owner: str
    policy: Policy
    address: bytes = b""
    agent: bytes = NO_AGENT
    write: bool | None = None
    lifetime_ms: int = 0
    end_ms: int = 0
    label: str = ""
    description: str = ""
    client: str = ""
    conflict: str = "reject"
    password: bytes = b""


class Tokens:
    """Every operation on tokens; all of them may raise StoreDown."""

    def __init__(self, store: Store, records: Records, secrets: Secrets) -> None:
        self.store = store
        self.records = records
        self._secrets = secrets
        self._background: set[asyncio.Task[Any]] = set()

    # -- issue -------------------------------------------------------------------------------

    async def issue(self, wish: Wish) -> Issued:
        """Make a token, or show again the one that the same login or label already has.

        Raises NoSuchUser, UserDisabled, TooManyTokens, LabelTaken, PasswordChanged.
        """
        new, text = self._prepare(wish)
        outcome = await self.store.issue(new)
        if outcome.word is Word.REUSED:
            known = self._recover(wish, outcome)
            if known is not None:
                return _issued(wish, outcome, known)
            # Made with a key this node lacks: its holder keeps it, this login gets a new one.
            outcome = await self.store.issue(replace(new, conflict="replace"))
        if outcome.word is Word.ISSUED:
            return _issued(wish, outcome, text)
        raise _refusal(wish, outcome.word)

    def _prepare(self, wish: Wish) -> tuple[NewToken, str]:
        policy, shard = wish.policy, shard_of(wish.owner)
        text, nonce = self._secrets.make(shard, FORMS.get(policy.letter, Form.HEX))
        head = head_of(wish)
        texts = {"label": wish.label, "description": wish.description, "client": wish.client}
        packed = pack_texts(texts)
        new = NewToken(
            owner=wish.owner,
            head=head,
            digest=digest_of(text.encode()),
            policy=policy,
            nonce=nonce,
            password=wish.password,
            name=_name(wish, head),
            conflict=wish.conflict if wish.label else "reuse",
            age_ms=_age_ms(wish),
            end_ms=wish.end_ms,
            fields={b"m": packed} if packed else {},
        )
        return new, text

    def _recover(self, wish: Wish, outcome: Outcome) -> str | None:
        form = FORMS.get(wish.policy.letter, Form.HEX)
        return self._secrets.recover(
            shard_of(wish.owner), form, nonce=outcome.nonce, digest=outcome.digest
        )

    # -- use ---------------------------------------------------------------------------------

    def verify(
        self, text: bytes, *, address: bytes, agent: bytes, write: bool
    ) -> Awaitable[Verdict]:
        """Decide one use of the token *text* (see ``Store.verify``)."""
        shard, digest = place_of(text)
        return self.store.verify(shard, digest, address=address, agent=agent, write=write)

    # -- revoke ------------------------------------------------------------------------------

    async def revoke(self, text: bytes) -> bool:
        """Kill the token *text*; False when there is none or it is dead already."""
        word, _ = await self.store.revoke(*place_of(text))
        return word is Word.OK

    async def revoke_id(self, number: int) -> None:
        """Kill the token with public number *number*. NoSuchToken."""
        token = await self.get(number)
        await self._revoke(token)

    async def revoke_label(self, owner: str, label: str) -> None:
        """Kill the token of *owner* that bears *label*. NoSuchToken."""
        token = await self.records.by_name(owner, b"label:" + label.encode())
        if token is None:
            raise NoSuchToken(label)
        await self._revoke(token)

    async def _revoke(self, token: Token) -> None:
        _, shard = split_id(token.token_id)
        await self.store.revoke(shard, token.digest)

    async def revoke_owner(self, owner: str) -> None:
        """Kill every token of *owner* with one write; tidying follows behind. NoSuchUser."""
        if await self.store.revoke_owner(owner) is Word.UNKNOWN:
            raise NoSuchUser(owner)
        self.tidy(owner)

    def tidy(self, owner: str) -> None:
        """Bury the dead tokens of *owner* in the background."""
        self._later(self.store.bury_all(owner))

    # -- look --------------------------------------------------------------------------------

    async def get(self, number: int) -> Token:
        """The token with public number *number*. NoSuchToken."""
        token = await self.records.by_id(number)
        if token is None:
            raise NoSuchToken(str(number))
        return token

    async def of_owner(self, owner: str) -> list[Token]:
        """All tokens of *owner*, newest first."""
        return await self.records.of_owner(owner)

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # whoever issues next goes on where this one stopped

    async def settle(self) -> None:
        """Wait until nothing is left to do in the background."""
        await asyncio.gather(*self._background, return_exceptions=True)


def head_of(wish: Wish) -> Head:
    """The head of the token that *wish* asks for; counter and end are Redis's to fill in."""
    policy = wish.policy
    bound = policy.bind_ip is not Level.OFF
    return Head(
        policy=policy.letter,
        life=_life(wish),
        write=policy.write if wish.write is None else wish.write,
        grave_s=max(1, policy.grave_ms // 1000),
        prefix=prefix(wish.address, policy.prefix_v4, policy.prefix_v6) if bound else b"",
        agent=NO_AGENT if policy.bind_agent is Level.OFF else wish.agent,
    )


def _life(wish: Wish) -> Life:
    if wish.policy.idle_ms:
        return Life.SLIDING
    return Life.FIXED if _age_ms(wish) or wish.end_ms else Life.NEVER


def _age_ms(wish: Wish) -> int:
    """How long from now the token may live at all; 0 without end."""
    policy = wish.policy
    wanted = wish.lifetime_ms or (0 if wish.end_ms else policy.lifetime_ms)
    ends = [end for end in (wanted, policy.max_lifetime_ms, policy.max_age_ms) if end]
    return min(ends, default=0)


def _name(wish: Wish, head: Head) -> bytes:
    """The owner's name that this token claims: its label, or what a same login shares."""
    if wish.label:
        return b"label:" + wish.label.encode()
    if not wish.policy.reuse:
        return b""
    kind = wish.policy.letter.encode() + (b"w" if head.write else b"r")
    bound = kind + head.prefix + b"\0" + head.agent
    return b"bind:" + hashlib.sha256(bound).digest()[:16]


def _issued(wish: Wish, outcome: Outcome, text: str) -> Issued:
    return Issued(
        text=text,
        token_id=token_id(outcome.counter, shard_of(wish.owner)),
        created_ms=outcome.created_ms,
        expires_ms=outcome.expires_ms,
        reused=outcome.word is Word.REUSED,
        replicas=outcome.replicas,
    )


_REFUSALS: Mapping[Word, type[Exception]] = {
    Word.UNKNOWN: NoSuchUser,
    Word.INACTIVE: UserDisabled,
    Word.CONFLICT: LabelTaken,
    Word.AGAIN: PasswordChanged,
}


def _refusal(wish: Wish, word: Word) -> Exception:
    if word is Word.FULL:
        return TooManyTokens(wish.policy.max_tokens)
    return _REFUSALS[word](wish.owner)
