"""Our words in NetBox's shapes: tokens, users, as one contract or the other has them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.dialects.netbox import texts
from service.model import Token, User
from service.wire.rest import times

TAIL = 6
MASK = "*" * 34
HIDDEN = "*" * TAIL

BRIEF = ("id", "url", "display", "key", "write_enabled")
NEW_BRIEF = (
    "id",
    "url",
    "display",
    "version",
    "key",
    "description",
    "enabled",
    "write_enabled",
)

Link = Callable[..., str]
"""From parts of a path below ``/api/`` to a URL."""


@dataclass(frozen=True, slots=True)
class Row:
    """A token with its user; *text* gives the key again, None when it cannot be had."""

    token: Token
    user: User
    text: Callable[[Token], str | None] = field(repr=False)

    @property
    def key(self) -> str | None:
        """The token's text."""
        return self.text(self.token)

    @property
    def version(self) -> int:
        """2 for ``nbt_<key>.<secret>``, 1 for everything else."""
        if self.token.form:
            return 2 if self.token.form == "NBT" else 1
        return 2 if self.token.hidden and texts.NBT.fullmatch(self.key or "") else 1

    @property
    def public(self) -> str | None:
        """The part of a version 2 token that everybody may see."""
        found = texts.NBT.fullmatch(self.key or "") if self.version == 2 else None
        return found[1] if found else None


def token(row: Row, link: Link, *, masked: bool, key: str | None = None) -> dict[str, Any]:
    """A token by the older contract.

    *masked* is whether keys are shown only once; *key* is that of a token just made.
    """
    text, it = key or row.key, row.token
    body = {
        "id": it.token_id,
        "url": link("users", "tokens", str(it.token_id)),
        "display": display(row, text, masked=masked),
        "user": nested_user(row.user, link),
        "created": times.shown(it.created_ms),
        "expires": _moment(it.expires_ms),
        "last_used": _moment(it.last_used_ms),
        "key": text,
        "write_enabled": it.write,
        "description": it.description,
        "allowed_ips": networks(it),
    }
    if masked and key is None:
        del body["key"]
    return body


def newer_token(row: Row, link: Link) -> dict[str, Any]:
    """A token by the newer contract; nothing in it is secret."""
    it = row.token
    return {
        "id": it.token_id,
        "url": link("users", "tokens", str(it.token_id)),
        "display_url": link("users", "tokens", str(it.token_id)),
        "display": row.public or HIDDEN if row.version == 2 else display(row, row.key, masked=True),
        "version": row.version,
        "user": nested_user(row.user, link),
        "key": row.public,
        "created": times.shown(it.created_ms),
        "expires": _moment(it.expires_ms),
        "last_used": _moment(it.last_used_ms),
        "enabled": it.enabled,
        "write_enabled": it.write,
        "description": it.description,
        "allowed_ips": networks(it) or [],
    }


def secret_of(text: str) -> str:
    """What the newer contract calls ``token``: all of version 1, the secret of version 2."""
    found = texts.NBT.fullmatch(text)
    return found[2] if found else text


def display(row: Row, key: str | None, *, masked: bool) -> str:
    """What people tell a token by: the end of its key, and its user unless keys are masked."""
    tail = key[-TAIL:] if key else HIDDEN
    return MASK + tail if masked else f"{tail} ({row.user.name})"


def networks(it: Token) -> list[str] | None:
    """From where it may be used; None where nobody ever said."""
    return None if it.networks is None else [str(network) for network in it.networks]


def nested_user(who: User, link: Link) -> dict[str, Any]:
    """A user inside of something else."""
    full = full_name(who)
    return {
        "id": who.user_id,
        "url": link("users", "users", str(who.user_id)),
        "display": f"{who.name} ({full})" if full else who.name,
        "username": who.name,
    }


def user(who: User, link: Link, *, new: bool) -> dict[str, Any]:
    """A user, without anything secret."""
    nested = nested_user(who, link)
    page = {"display_url": nested["url"]} if new else {}
    staff = {} if new else {"is_staff": who.superuser}
    return {
        "id": who.user_id,
        "url": nested["url"],
        **page,
        **nested,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "email": who.email,
        **staff,
        "is_active": who.active,
        "date_joined": times.shown(who.created_ms),
        **({"last_login": None, "groups": [], "permissions": []} if new else {"groups": []}),
    }


def full_name(who: User) -> str:
    """First and last name, as far as there are any."""
    return f"{who.first_name} {who.last_name}".strip()


def chosen(body: Mapping[str, Any], fields: str, omit: str) -> dict[str, Any]:
    """The members of *body* that ``?fields=`` names, without those that ``?omit=`` does."""
    wanted = set(fields.split(",")) if fields else set(body)
    return {name: body[name] for name in body if name in wanted - set(omit.split(","))}


def _moment(ms: int) -> str | None:
    return times.shown(ms) if ms else None
