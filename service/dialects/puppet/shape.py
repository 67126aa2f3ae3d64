"""Our words in Puppet Enterprise's shapes: moments, ids, users, tokens. Pure."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from service.core.ids import for_users, to_uuid
from service.dialects.puppet import texts
from service.dialects.puppet.view import CERTIFIED
from service.model import Token, User

_UUID = re.compile("-".join(f"[0-9a-f]{{{size}}}" for size in (8, 4, 4, 4, 12)), re.I | re.ASCII)


def moment(ms: int) -> str | None:
    """*ms* since the epoch, to the second; None where there is no such moment."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else None


def exact(ms: int) -> str | None:
    """The same to the millisecond, as logins are told."""
    whole = moment(ms)
    return f"{whole[:-1]}.{ms % 1000:03d}Z" if whole else None


def uuid_of(text: str) -> uuid.UUID | None:
    """The UUID that *text* is; None when it is none."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def sid(user: User, born: bytes) -> str:
    """The id of *user* in the store *born*; two of them have the same everywhere."""
    if user.user_id == CERTIFIED.user_id:
        return texts.API_USER_ID
    if user.name == texts.ADMIN:
        return texts.ADMIN_ID
    return str(to_uuid(user.user_id, for_users(born)))


def user(who: User, born: bytes) -> dict[str, Any]:
    """The members of a user."""
    return {
        "id": sid(who, born),
        "login": who.name,
        "email": who.email,
        "display_name": _full_name(who),
        "role_ids": _roles(who),
        "is_group": False,
        "is_remote": False,
        "is_superuser": who.superuser,
        "is_revoked": not who.active,
        "last_login": exact(who.last_login_ms),
    }


def _full_name(who: User) -> str:
    return f"{who.first_name} {who.last_name}".strip() or who.name


def _roles(who: User) -> list[int]:
    return [texts.ADMINISTRATORS] if who.superuser else []


def subject(token: Token, owner: User, born: bytes) -> dict[str, Any]:
    """Owner and token in one, as whoever checks a token is told."""
    who = user(owner, born)
    return {
        **who,
        "user_id": who["id"],
        "description": token.description or None,
        "client": token.client or None,
        "label": token.label or None,
        "creation": moment(token.created_ms),
        "last_active": moment(token.last_used_ms or token.created_ms),
        "expiration": moment(token.expires_ms),
        "timeout": None,
    }


def item(token: Token, born: bytes) -> dict[str, Any]:
    """A token in a list; its text is in none."""
    return {
        "id": str(to_uuid(token.token_id, born)),
        "creation_date": moment(token.created_ms),
        "expiration_date": moment(token.expires_ms),
        "last_active_date": moment(token.last_used_ms or token.created_ms),
        "client": token.client or None,
        "description": token.description or None,
        "session_timeout": None,
        "label": token.label or None,
    }
