"""Users by their ids, and who may look at whom or change him."""

from __future__ import annotations

import uuid

from service.core.ids import for_users, from_uuid
from service.dialects.puppet import shape, texts
from service.dialects.puppet.refusal import Refused, denied
from service.dialects.puppet.view import CERTIFIED, Call
from service.errors import NoSuchUser
from service.model import User


async def by_id(call: Call, name: uuid.UUID) -> User | None:
    """The user whose id is *name*; None when nobody's is."""
    if str(name) == texts.API_USER_ID:
        return CERTIFIED
    users = call.service.users
    if str(name) == texts.ADMIN_ID:
        try:
            return await users.get(texts.ADMIN)
        except NoSuchUser:
            return None
    number = from_uuid(name, for_users(await call.service.tokens.born()))
    return await users.by_id(number) if number is not None else None


async def named(call: Call, text: str) -> User:
    """The user whose id is *text*, for who may know of him: himself, and superusers. Refused."""
    name = shape.uuid_of(text)
    if name is None:
        raise Refused(400, texts.INVALID_UUID, texts.BAD_UUID)
    found = await by_id(call, name)
    if not call.me.superuser and (found is None or found.user_id != call.me.user_id):
        raise denied()
    if found is None:
        raise nobody()
    return found


def nobody() -> Refused:
    """The refusal for an id that is nobody's."""
    return Refused(404, texts.NOT_FOUND, texts.NO_SUCH_USER)
