"""``DELETE /v2/tokens``: revokes all it can of what is named, and then tells what it could not."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from service.core.ids import from_uuid
from service.dialects.puppet import shape, texts, wanted
from service.dialects.puppet.credential import presented
from service.dialects.puppet.people import by_id
from service.dialects.puppet.refusal import Refused, denied, echo, failure, later
from service.dialects.puppet.view import CERTIFIED, Call
from service.dialects.puppet.wanted import Faults, Wanted, is_label
from service.errors import BadName, NoSuchToken, NoSuchUser, StoreDown
from service.model import User
from service.wire.body import BadBody, parse_json
from service.wire.log import shown
from service.wire.reply import Reply

log = logging.getLogger("tokenhouse.puppet")


async def many(call: Call) -> Reply:
    """Everything that query and body name. Refused, when they cannot be understood at all."""
    body = await call.body()
    query = call.request.query_params.multi_items()
    try:
        said = parse_json(body) if body else {}
    except BadBody as error:
        details = {**Faults().details, "error": echo(str(error))}
        raise Refused(400, texts.MALFORMED, texts.NOT_JSON, details=details) from None
    return await Revocation(call).run(Wanted.of(query, said))


async def one(call: Call) -> Reply:
    """``DELETE /v2/tokens/<token>``, which only superusers may. Refused."""
    if not call.me.superuser:
        raise denied()
    return await Revocation(call).run(Wanted.of([], {wanted.TOKENS: [call.argument]}))


@dataclass(slots=True)
class Revocation:
    """One request to revoke, and what came of it."""

    call: Call
    faults: Faults = field(default_factory=Faults)

    async def run(self, named: Wanted) -> Reply:
        """Revoke what can be revoked of *named*."""
        for array, items in named.wrong.items():
            for item in items:
                self.faults.add(array, item)
        steps: dict[str, Callable[[str], Awaitable[None]]] = {
            wanted.TOKENS: self._token,
            wanted.LABELS: self._label,
            wanted.IDS: self._id,
            wanted.USERNAMES: self._username,
        }
        try:
            for parameter, step in steps.items():
                for item in named.items[parameter]:
                    await step(item)
        except StoreDown as error:
            log.warning("a revocation was not finished: %s", error)
            return self._unfinished(error)
        if self.faults.revoked:
            log.info("user %s revoked tokens", shown(self.call.me.name))
        return self._reply()

    def _reply(self) -> Reply:
        faults = self.faults
        if faults.revoked and not faults:
            return Reply(204)
        status, kind = (403, texts.DENIED) if faults.forbidden else (400, texts.MALFORMED)
        return failure(status, kind, faults.msg, details=faults.details)

    def _unfinished(self, error: StoreDown) -> Reply:
        """The database comes before everything else that may be wrong."""
        reply = later(500, texts.DATABASE, wanted.UNFINISHED, retry_after_s=error.retry_after_s)
        return Reply(500, {**reply.body, "details": self.faults.details}, reply.headers)

    # -- one item each; what is revoked already is no fault ------------------------------------

    async def _token(self, text: str) -> None:
        token = presented(text)
        if not token.shaped:
            self.faults.add(wanted.MALFORMED_TOKENS, text)
            return
        await self.call.service.tokens.revoke(token.text.encode())
        self.faults.revoked = True

    async def _label(self, label: str) -> None:
        if not is_label(label):
            self.faults.add(wanted.MALFORMED_LABELS, label)
            return
        if self.call.me != CERTIFIED:
            with suppress(NoSuchToken):
                await self.call.service.tokens.revoke_label(self.call.me.name, label)
        self.faults.revoked = True

    async def _username(self, name: str) -> None:
        users, me = self.call.service.users, self.call.me
        try:
            found: User | None = await users.get(name)
        except BadName:
            self.faults.add(wanted.MALFORMED_USERNAMES, name)
            return
        except NoSuchUser:
            found = CERTIFIED if name.strip() == texts.API_USER else None
        # Who may not revoke somebody's tokens does not learn whether there is somebody.
        if not me.superuser and (found is None or found.user_id != me.user_id):
            self.faults.add(wanted.DENIED_USERNAMES, name)
        elif found is None:
            self.faults.add(wanted.NONEXISTENT_USERNAMES, name)
        else:
            await self._all_of(found)

    async def _id(self, text: str) -> None:
        """The token with this id, or every token of the user with it."""
        name = shape.uuid_of(text)
        if name is None:
            self.faults.add(wanted.MALFORMED_IDS, text)
            return
        tokens, me = self.call.service.tokens, self.call.me
        number = from_uuid(name, await tokens.born())
        if number is not None:
            await self._numbered(number, text)
            return
        user = await by_id(self.call, name)
        if user is None:
            self.faults.add(wanted.MALFORMED_IDS, text)
        elif not me.superuser and user.user_id != me.user_id:
            self.faults.add(wanted.DENIED_IDS, text)
        else:
            await self._all_of(user)

    async def _numbered(self, number: int, text: str) -> None:
        tokens, me = self.call.service.tokens, self.call.me
        try:
            token = await tokens.get(number)
            if not me.superuser and (token.owner != me.name or me == CERTIFIED):
                self.faults.add(wanted.DENIED_IDS, text)
                return
            await tokens.revoke_id(number)
        except NoSuchToken:  # not any more
            pass
        self.faults.revoked = True

    async def _all_of(self, user: User) -> None:
        if user != CERTIFIED:  # who has none
            with suppress(NoSuchUser):  # deleted since, and every token of his with him
                await self.call.service.tokens.revoke_owner(user.name)
        self.faults.revoked = True
