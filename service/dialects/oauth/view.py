"""One request, who sends it, and the parameters of its form."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, unquote_to_bytes

from starlette.requests import Request

from service.core.permissions import GATEWAY
from service.dialects.oauth import texts
from service.dialects.oauth.refusal import Turned
from service.errors import NoSuchUser, TokenhouseError
from service.model import User, Word
from service.wire.body import media_type, parse_form, read
from service.wire.caller import Caller
from service.wire.dialect import Service
from service.wire.headers import joined
from service.wire.log import login_failed
from service.wire.reply import Reply

SCHEMES = ("bearer", "token")
AGENT = "user_agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, and from where it comes."""

    service: Service
    request: Request
    caller: Caller


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An endpoint: *handlers* by method."""

    handlers: Mapping[str, Handler]

    @property
    def allow(self) -> str:
        """The methods, as the Allow header has them."""
        return ", ".join(self.handlers)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks; *text* is his own token, when he came with one."""

    user: User
    text: bytes = field(default=b"", repr=False)

    def may_see(self, owner: str) -> bool:
        """Whether he is told of the tokens of *owner*."""
        return self.user.name == owner or self.user.superuser or GATEWAY in self.user.permissions


async def sender_of(call: Call) -> Sender:
    """Who sends *call*, by Basic (RFC 6749 §2.3.1) or by a token of his own (RFC 6750 §2.1).

    Turned; BadCredentials, and whatever else a login may raise.
    """
    scheme, _, rest = joined(call.request.headers, "authorization").strip().partition(" ")
    if scheme.lower() == "basic":
        name, password = _name_password(rest)
        return Sender(await _login(call, name, password))
    if scheme.lower() in SCHEMES:
        return await _by_token(call, rest.strip().encode("latin-1", "replace"))
    raise Turned(401, texts.INVALID_CLIENT, texts.NOT_KNOWN)


def _name_password(text: str) -> tuple[str, str]:
    """What Basic holds, as it stands: clients do not form-encode the halves (RFC 6749 §2.3.1)."""
    try:
        raw = base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Turned(401, texts.INVALID_CLIENT, texts.NOT_KNOWN) from None
    name, _, password = raw.partition(":")
    return name, password


async def _login(call: Call, name: str, password: str) -> User:
    address = call.caller.guard_address
    try:
        return await call.service.logins.check(name, password, address=address)
    except TokenhouseError as error:
        login_failed(name, address, error)
        raise


async def _by_token(call: Call, text: bytes) -> Sender:
    verdict = await call.service.tokens.verify(
        text, address=call.caller.address, agent=call.caller.agent, write=False
    )
    if verdict.word is not Word.OK:
        raise Turned(401, texts.INVALID_TOKEN, texts.BAD_TOKEN)
    try:
        return Sender(await call.service.users.get(verdict.owner), text)
    except NoSuchUser:  # deleted since the verdict
        raise Turned(401, texts.INVALID_TOKEN, texts.BAD_TOKEN) from None


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked about *token* (RFC 7662 §2.1, RFC 7009 §2.1).

    *agent* is in the bytes that the client sent to whoever asks here, which need not be text.
    """

    token: str = field(repr=False)
    client_ip: str
    agent: bytes


async def form_of(request: Request, limit: int) -> Form:
    """What the body asks. Turned; BadBody."""
    if media_type(request.headers.get("content-type", "")) != texts.FORM:
        raise Turned(415, texts.INVALID_REQUEST, texts.NOT_A_FORM)
    body = await read(request, limit)
    pairs = [pair.partition(b"=") for pair in body.split(b"&")]
    names = [unquote_plus(name.decode("latin-1")) for name, _, _ in pairs]
    named = list(zip(names, pairs, strict=True))
    form = parse_form(b"&".join(b"".join(pair) for name, pair in named if name != AGENT))
    if len(names) != len(set(names)):  # RFC 6749 §3.2
        raise Turned(400, texts.INVALID_REQUEST, texts.TWICE)
    if not form.get("token"):
        raise Turned(400, texts.INVALID_REQUEST, texts.NO_TOKEN)
    agent = dict(named).get(AGENT, (b"", b"", b""))[2]
    plain = unquote_to_bytes(agent.replace(b"+", b" "))
    return Form(form["token"], form.get("client_ip", ""), plain)
