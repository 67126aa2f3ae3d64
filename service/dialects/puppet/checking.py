"""``POST /v2/auth/token/authenticate``: whose token is this, and does it pass."""

from __future__ import annotations

from service.dialects.puppet import shape
from service.dialects.puppet.auth import ask, revoked
from service.dialects.puppet.credential import presented
from service.dialects.puppet.fields import Key, Schema, boolean, conform, string
from service.dialects.puppet.view import Call
from service.errors import NoSuchUser
from service.model import Trace
from service.wire.reply import Reply

NOTED = "update_last_activity?"
"""The question mark belongs to the key."""
SCHEMA: Schema = {
    "token": Key("string", string, needed=True, secret=True),
    NOTED: Key("boolean", boolean),
}


async def post(call: Call) -> Reply:
    """Owner and token in one; unless asked to, the check is no use of the token. Refused."""
    said = conform(await call.data(), SCHEMA)
    token = presented(said["token"])
    noted = said.get(NOTED, False) and token.trace is Trace.WHOLE
    trace = Trace.WHOLE if noted else Trace.NONE
    verdict = await ask(call, token, trace=trace, write=False, unreadable=400)
    tokens = call.service.tokens
    record = await tokens.used(token.text.encode(), verdict)
    if record is None:
        raise revoked(403)
    try:
        owner = await call.service.users.get(verdict.owner)
    except NoSuchUser:
        raise revoked(403) from None
    return Reply(200, shape.subject(record, owner, await tokens.born()))
