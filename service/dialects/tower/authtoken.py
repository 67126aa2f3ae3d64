"""The token endpoint: log in by POST, log out by DELETE. Answers whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from email.utils import formatdate

from service.core.address import unpack
from service.core.tokens import Wish
from service.dialects.tower import texts
from service.dialects.tower.credential import revocable
from service.dialects.tower.fields import FACTS, Fields
from service.dialects.tower.refusal import reply_to
from service.dialects.tower.reply import JSON
from service.dialects.tower.shape import moment
from service.dialects.tower.view import Call, View, describe
from service.errors import Refusal, TokenhouseError
from service.model import Issued
from service.wire.body import BadBody, media_type, parse_form, parse_json, read
from service.wire.dialect import Service
from service.wire.headers import joined
from service.wire.log import login_failed, shown
from service.wire.reply import Reply

log = logging.getLogger("tokenhouse.login")

FORM = "application/x-www-form-urlencoded"

DESCRIPTION = """\
POST a `username` and a `password` to get a token for the requests that follow, as JSON
(`application/json`):

    {"username": "user", "password": "my pass"}

or as a form (`application/x-www-form-urlencoded`):

    username=user&password=my%20pass

When they are right, the answer has the `token` and the time it `expires`:

    {"token": "8f17825cf08a7efea124f2638f3896f6637f8745", "expires": "2013-09-05T21:46:35.729Z"}

Otherwise its status is 4xx and its body says why. Send the token in a header from then on:

    Authorization: Token 8f17825cf08a7efea124f2638f3896f6637f8745

The token is good only from the address and with the user agent that asked for it. Each request
that uses it starts its time anew (1800 seconds, unless configured otherwise); without a request
for so long it expires. DELETE this resource with the token in that header to end it at once.
"""


async def post(call: Call) -> Reply:
    """Log in: the token of this user, address and agent, made anew or prolonged."""
    body = await read(call.request, call.service.config.server.max_body)
    fields = Fields(parsed(joined(call.request.headers, "content-type"), body))
    if fields.errors:
        return Reply(400, fields.errors, never_cached())
    return await _login(call, fields)


def parsed(content_type: str, body: bytes) -> Mapping[str, object]:
    """The fields of *body*. BadBody, with Tower's text."""
    if not body:
        return {}
    kind = media_type(content_type)
    if kind not in {JSON, FORM}:
        raise BadBody(415, texts.unsupported(content_type))
    frame = texts.BAD_JSON if kind == JSON else texts.BAD_FORM
    try:
        data = parse_json(body) if kind == JSON else parse_form(body)
    except BadBody as error:
        raise BadBody(error.status, frame.format(error)) from error
    if not isinstance(data, dict):
        raise BadBody(400, texts.NOT_AN_OBJECT)
    return data


async def _login(call: Call, fields: Fields) -> Reply:
    caller, service = call.caller, call.service
    wish = Wish(
        owner=fields.username,
        policy=service.policies[texts.POLICY],
        address=caller.address,
        agent=caller.agent,
    )
    try:
        issued = await service.logins.issue(wish, fields.password, address=caller.guard_address)
    except TokenhouseError as error:
        login_failed(fields.username, caller.guard_address, error)
        reply = reply_to(error)
        # What the fields can be blamed for is answered like any other fault of theirs.
        blamed = isinstance(error, Refusal) and texts.NON_FIELD in reply.body
        return Reply(reply.status, reply.body, never_cached()) if blamed else reply
    log.info("user %s logged in from %s", shown(fields.username), unpack(caller.guard_address))
    return _welcome(issued, service)


def _welcome(issued: Issued, service: Service) -> Reply:
    headers = {
        **never_cached(),
        "Pragma": "no-cache",
        "Auth-Token-Timeout": timeout_of(service),
    }
    if issued.replicas is not None:
        headers["X-Tokenhouse-Replicas"] = str(issued.replicas)
    return Reply(200, {"token": issued.text, "expires": moment(issued.expires_ms)}, headers)


async def delete(call: Call) -> Reply:
    """Log out. Whoever has a token may end it; nobody learns whether there was one."""
    text = revocable(joined(call.request.headers, "authorization"))
    if text is not None:
        await call.service.tokens.revoke(text)
    return Reply(204)


def timeout_of(service: Service) -> str:
    """How many seconds a token lives without being used."""
    return str(service.policies[texts.POLICY].idle_ms // 1000)


def never_cached() -> dict[str, str]:
    """Headers of an answer that is only good at this instant."""
    now = formatdate(usegmt=True)
    return {
        "Cache-Control": "no-cache, no-store, must-revalidate, max-age=0",
        "Expires": now,
        "Last-Modified": now,
    }


AUTHTOKEN = View(
    name="Auth Token",
    description=DESCRIPTION,
    handlers={"POST": post, "DELETE": delete, "OPTIONS": describe},
    parses=(JSON, FORM),
    facts=FACTS,
)
