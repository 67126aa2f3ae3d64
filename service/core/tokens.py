"""Tokens: issuing, checking, revoking and listing them under the policies of the config."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from service.core.amending import Amending, Change
from service.core.feed import Announcer, Revocation
from service.core.maker import Maker
from service.core.making import FORMS
from service.core.mismatches import Mismatches
from service.core.secret import Form, Garbled, Secrets, digest_of, place_of
from service.errors import (
    NoSuchToken,
    NoSuchUser,
    StoreDown,
    TokenChanged,
)
from service.model import (
    NO_AGENT,
    Issued,
    Network,
    Policy,
    Token,
    Trace,
    Verdict,
    Word,
    split_id,
)
from service.store.imports import Foreign, Imports
from service.store.keys import index_entry, shard_of
from service.store.records import Place, Records
from service.store.store import TRIES, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of a new token.

    *address* and *agent* are what it is bound to where the policy binds. *lifetime_ms* and
    *end_ms* end it at a fixed time (0: as the policy has it); *conflict* says what to do when a
    live token has this *label*. *password* is the public part of the hash that was checked.
    *networks* says from where alone it may be used (None, and none, are from anywhere); *text* is
    a key chosen by the client.
    """

    owner: str
    policy: Policy
    address: bytes = b""
    agent: bytes = NO_AGENT
    write: bool | None = None
    enabled: bool = True
    lifetime_ms: int = 0
    end_ms: int = 0
    label: str = ""
    description: str = ""
    client: str = ""
    conflict: str = "reject"
    password: bytes = b""
    networks: tuple[Network, ...] | None = None
    text: str = ""
    form: Form | None = None


class Tokens:
    """Every operation on tokens; all of them may raise StoreDown."""

    def __init__(
        self,
        store: Store,
        records: Records,
        secrets: Secrets,
        *,
        announcer: Announcer | None = None,
    ) -> None:
        self.store = store
        self.records = records
        self._secrets = secrets
        self.announcer = announcer
        self.imports = Imports(store)
        self.mismatches = Mismatches()
        self._maker = Maker(store, self.imports, secrets)
        self._policies = {policy.name: policy for policy in store.policies.values()}
        self._amending = Amending(store, records, self.imports)
        self._background: set[asyncio.Task[Any]] = set()

    # -- issue -------------------------------------------------------------------------------

    async def issue(self, wish: Wish) -> Issued:
        """Make a token, or show again the one that the same login or label already has.

        Raises NoSuchUser, UserDisabled, TooManyTokens, LabelTaken, PasswordChanged, KeyTaken.
        """
        return await self._maker.issue(wish)

    def all_or_none(self, wishes: Sequence[Wish]) -> AbstractAsyncContextManager[list[Issued]]:
        """Make a token for each wish, as ``issue`` does, for the block that follows.

        When one is refused (OneRefused), the store gives no verdict, or the block raises, those
        that were made are taken back: at once, or as soon as the store takes it.
        """
        return self._maker.all_or_none(wishes)

    def foreign(
        self, wish: Wish, *, made_ms: int = 0, digest: bytes = b"", place: bytes = b""
    ) -> Foreign:
        """What *wish* wants of ``Imports`` (see ``Maker.foreign``)."""
        return self._maker.foreign(wish, made_ms=made_ms, digest=digest, place=place)

    # -- use ---------------------------------------------------------------------------------

    async def verify(
        self, text: bytes, *, address: bytes, agent: bytes, write: bool, trace: Trace = Trace.WHOLE
    ) -> Verdict:
        """Decide one use of the token *text* (see ``Store.verify``)."""
        place = _place(text)
        if place is None:
            return Verdict(word=Word.UNKNOWN)
        verdict = await self.store.verify(
            *place, address=address, agent=agent, write=write, trace=trace
        )
        if verdict.mismatch and trace is not Trace.NONE:
            self.mismatches.note(verdict.policy, verdict.token_id, verdict.mismatch)
        return verdict

    # -- change ------------------------------------------------------------------------------

    async def amend(self, token: Token, change: Change, *, exact: bool = False) -> None:
        """Make the *change*. NoSuchToken when it is dead by now.

        *exact* is for whoever means the token as he has read it: TokenChanged when it is another.
        """
        await self._amending.amend(token, change, exact=exact)
        if change.takes_away(token):
            await self._announce(token.owner, token.token_id, token.label, reason="changed")

    # -- revoke ------------------------------------------------------------------------------

    async def revoke(self, text: bytes) -> bool:
        """Kill the token *text*; False when there is none or it is dead already."""
        place = _place(text)
        return place is not None and await self._kill(*place) is Word.OK

    async def revoke_id(self, number: int) -> None:
        """Kill the token with public number *number*. NoSuchToken."""
        await self.revoke_token(await self.get(number))

    async def revoke_label(self, owner: str, label: str) -> None:
        """Kill the token of *owner* that bears *label*. NoSuchToken."""
        token = await self.records.by_name(owner, b"label:" + label.encode())
        if token is None:
            raise NoSuchToken(label)
        await self.revoke_token(token)

    async def revoke_token(self, token: Token, *, exact: bool = False) -> None:
        """Kill *token*. *exact* as in ``amend``; else one that is dead already is no matter."""
        _, shard = split_id(token.token_id)
        word = await self._kill(shard, token.digest, token.seen if exact else b"")
        if exact and word is not Word.OK:
            raise TokenChanged(str(token.token_id))

    async def _kill(self, shard: bytes, digest: bytes, seen: bytes = b"") -> Word:
        killed = await self.store.revoke(shard, digest, seen)
        # Of one that is dead already: whoever killed it died.
        if killed.word not in (Word.UNKNOWN, Word.AGAIN):
            await self._announce(killed.owner, killed.token_id, killed.label)
        return killed.word

    async def _announce(
        self, owner: str, number: int, label: str, *, reason: str = "revoked"
    ) -> None:
        await self.tell(Revocation(owner=owner, reason=reason, token_id=number, label=label))

    async def tell(self, revocation: Revocation) -> None:
        """Announce what was revoked, where somebody announces."""
        if self.announcer is not None:
            await self.announcer.tell(revocation)

    async def revoke_owner(self, owner: str) -> None:
        """Kill every token of *owner* with one write; tidying follows behind. NoSuchUser."""
        word, mark = await self.store.revoke_owner(owner)
        if word is Word.UNKNOWN:
            raise NoSuchUser(owner)
        await self.tell(Revocation(owner=owner, reason="revoked", mark=mark))
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

    async def find(self, text: bytes) -> Token | None:
        """The token *text*, whatever has become of it; None when nobody has it."""
        place = _place(text)
        return None if place is None else await self.records.by_digest(*place)

    async def used(self, text: bytes, verdict: Verdict) -> Token | None:
        """The token *text* that *verdict* has just allowed; None when it is gone since."""
        letter = self._policies[verdict.policy].letter
        found = await self.records.at([(verdict.owner, index_entry(digest_of(text), letter))])
        return found[0] if found else None

    async def owner_of(self, text: bytes) -> str | None:
        """Whose the token *text* is, or was while it is still kept."""
        place = _place(text)
        return None if place is None else await self.records.owner_of(*place)

    async def of_owner(self, owner: str) -> list[Token]:
        """All tokens of *owner*, newest first."""
        return await self.records.of_owner(owner)

    async def of_owners(self, names: Sequence[str]) -> list[Token]:
        """All tokens of these owners, in their order, each one's newest first."""
        return await self.records.of_owners(names)

    async def page(
        self, names: Sequence[str], policy: Policy, *, start: int, size: int, newest: bool = False
    ) -> tuple[list[Token], int]:
        """(at most *size* of these owners' tokens under *policy*, how many there are), by number.

        Revoked and evicted ones are left out. Where some would be on the page they are tidied away
        before, as what lives comes behind them; if that fails they still count.
        """
        for _ in range(TRIES):
            places = await self.records.places(names, policy.letter)
            if newest:
                places.reverse()
            wanted = places[start : start + size]
            kept, owners = await self._kept(wanted)
            if not owners or not await self._buried(owners):
                break
        return kept, len(places)

    async def _buried(self, owners: Collection[str]) -> bool:
        """Tidy up after these *owners* now; False when the store cannot be written."""
        try:
            for owner in owners:
                await self.store.bury_all(owner)
        except StoreDown:
            return False
        return True

    async def page_from(
        self, names: Sequence[str], policy: Policy, *, first: int, size: int
    ) -> tuple[list[Token], int | None]:
        """(at most *size* of them from the number *first* on, where to go on, or None at the end).

        Those that ``page`` leaves out are left out here, too.
        """
        places = await self.records.numbered(names, policy.letter, first=first)
        more = places[size - 1][0] + 1 if len(places) > size else None
        kept, owners = await self._kept([place for _, place in places[:size]])
        for owner in owners:
            self.tidy(owner)
        return kept, more

    async def _kept(self, wanted: Sequence[Place]) -> tuple[list[Token], set[str]]:
        """The tokens at these places but those dead for good, and whose these are."""
        found = await self.records.at(wanted)
        kept = [token for token in found if token.state not in (Word.REVOKED, Word.EVICTED)]
        there = {(token.owner, token.digest) for token in kept}
        return kept, {name for name, entry in wanted if (name, entry[:-1]) not in there}

    async def some(
        self, names: Sequence[str], policy: Policy, digests: Collection[bytes]
    ) -> list[Token]:
        """Those of these owners' tokens under *policy* whose digests these are, by number."""
        places = await self.records.places(names, policy.letter)
        return await self.records.at([place for place in places if place[1][:-1] in digests])

    def text_of(self, token: Token) -> str | None:
        """The text of *token* again; None when this node lacks the key it was made with."""
        if token.hidden:
            return self._secrets.find(token.hidden, nonce=token.nonce, digest=token.digest)
        form = Form[token.form] if token.form else FORMS.get(token.policy, Form.HEX)
        shard = shard_of(token.owner)
        return self._secrets.recover(shard, form, nonce=token.nonce, digest=token.digest)

    async def born(self) -> bytes:
        """The store's random id. NotSetUp."""
        return await self.store.check_born()

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
        await self._maker.undo.settle()
        if self.announcer is not None:
            await self.announcer.settle()


def _place(text: bytes) -> tuple[bytes, bytes] | None:
    """``place_of``, but None for what was never made here."""
    try:
        return place_of(text)
    except Garbled:
        return None
