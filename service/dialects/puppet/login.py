"""From a name and a password to a token, and from one token to another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from service.core.address import unpack
from service.core.making import PasswordChanged
from service.core.tokens import Wish
from service.dialects.puppet import texts
from service.dialects.puppet.auth import refusal_of, revoked
from service.dialects.puppet.fields import conform, logins, wishes
from service.dialects.puppet.refusal import Refused, echo, reply_to
from service.dialects.puppet.view import Call
from service.errors import (
    BadCredentials,
    BadName,
    ClientAddressUnknown,
    LabelTaken,
    NoSuchUser,
    StoreDown,
    TokenhouseError,
    UserDisabled,
)
from service.model import Issued, Level, Policy, Word, canonical_name
from service.wire.body import parse_json
from service.wire.log import login_failed, shown
from service.wire.reply import Reply

log = logging.getLogger("tokenhouse.login")


async def post(call: Call) -> Reply:
    """``POST /v1/auth/token``: a token for whoever knows the password."""
    policy = call.service.policies[texts.POLICY]
    wanted = conform(await call.data(), logins(policy))
    name = wanted["login"]
    if name.strip() == texts.API_USER:
        raise Refused(401, texts.API_LOGIN, texts.API_CANNOT)
    address = call.caller.guard_address
    try:
        issued = await call.service.logins.issue(
            wish_of(call, name, wanted), wanted["password"], address=address
        )
    except LabelTaken:
        raise taken(wanted.get("label", "")) from None
    except TokenhouseError as error:
        await failed(call, name, error)
        return reply_to(error, name)
    await _note(call, canonical_name(name))
    log.info("user %s logged in from %s", shown(name), unpack(address))
    return made(issued)


async def another(call: Call) -> Reply:
    """``POST /v1/tokens``: one more token for who has one."""
    policy = call.service.policies[texts.POLICY]
    body = await call.body()
    wanted = conform(parse_json(body) if body else {}, wishes(policy))
    if policy.bind_ip is not Level.OFF and not call.caller.address:
        raise ClientAddressUnknown
    try:
        issued = await call.service.tokens.issue(wish_of(call, call.me.name, wanted))
    except LabelTaken:
        raise taken(wanted.get("label", "")) from None
    except UserDisabled:
        raise refusal_of(Word.INACTIVE, 401) from None
    except (NoSuchUser, PasswordChanged):
        raise revoked(401) from None
    log.info("user %s made a token", shown(call.me.name))
    return made(issued)


def wish_of(call: Call, owner: str, wanted: Mapping[str, Any]) -> Wish:
    """What *wanted*, as ``conform`` has it, asks of a new token of *owner*."""
    service = call.service
    policy = service.policies[texts.POLICY]
    length = wanted.get("lifetime")
    again = service.config.policy.puppet.label_conflict == "return"
    return Wish(
        owner=owner,
        policy=_endless(policy) if length == 0 else policy,
        address=call.caller.address,
        agent=call.caller.agent,
        lifetime_ms=length or 0,
        label=wanted.get("label", ""),
        description=wanted.get("description", ""),
        client=wanted.get("client", ""),
        conflict="reuse" if again else "reject",
    )


def _endless(policy: Policy) -> Policy:
    """*policy* without the life that a token has for whom nobody names one."""
    return replace(policy, lifetime_ms=0)


def made(issued: Issued) -> Reply:
    """The answer with a token in it, and nothing else: scripts read it with awk."""
    replicas = issued.replicas
    headers = {"X-Tokenhouse-Replicas": str(replicas)} if replicas is not None else {}
    return Reply(200, {"token": issued.text}, headers)


def taken(label: str) -> Refused:
    """The refusal of a label that a live token has already."""
    details = {"conflicts": {"label": echo(label)}}
    msg = texts.LABEL_TAKEN.format(echo(label))
    return Refused(409, texts.CONFLICT, msg, details=details)


async def failed(call: Call, name: str, error: TokenhouseError) -> None:
    """Write down that *name* could not log in; lock him out when that is how it is configured."""
    login_failed(name, call.caller.guard_address, error)
    revoking = call.service.config.login.puppet_lockout == "revoke"
    if isinstance(error, BadCredentials) and error.used_up and revoking:
        with suppress(NoSuchUser, BadName):
            await call.service.users.revoke(name)
            log.warning("user %s revoked after too many failed logins", shown(name))


async def _note(call: Call, name: str) -> None:
    with suppress(StoreDown):  # the token is made: to withhold it would be worse
        await call.service.users.note_login(name)
