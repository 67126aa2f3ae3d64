"""The fields of a token in a request: which there are, what may be in them, what OPTIONS says."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.core.secret import Form, fault_of_key
from service.dialects.netbox import texts
from service.dialects.netbox.view import Call
from service.model import Network, User
from service.wire.rest import metadata
from service.wire.rest.fields import (
    BLANK,
    KEY_FAULTS,
    Reader,
    Wrong,
    moment,
    networks,
    nullable,
    plain_text,
    text,
    truth,
    whole,
)

KEY_SIZE = 40
DESCRIPTION_SIZE = 200
MOST_NETWORKS = 100

_BASE62 = string.ascii_letters + string.digits
_PUBLIC_SIZE = 12
_UNSAID = object()

_key = text(least=KEY_SIZE, most=KEY_SIZE, blank=texts.BLANK_KEY)
_name = text(most=150, blank=BLANK)
_password = text(most=1024, blank=BLANK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request says of a token; None where it says nothing.

    *end_ms* is 0 for a token that never ends. *networks_said* tells networks that are not there
    from none at all. *text* is the key that the client chose.
    """

    end_ms: int | None = None
    write: bool | None = None
    enabled: bool | None = None
    description: str | None = None
    networks: tuple[Network, ...] | None = None
    text: str = ""
    version: int | None = None

    @property
    def form(self) -> Form | None:
        """How the key of a new token is spelled; None for the way of the policy."""
        return Form.NBT if self.version == 2 else None


def wanted(reader: Reader, *, new: bool, making: bool, keyed: bool = True) -> Wanted:
    """The fields that requests of every kind have; what is wrong stays in *reader*.

    *making* is whether the token is new, *keyed* whether its key is looked at.
    """
    name = "token" if new else "key"
    end = reader.take("expires", nullable(moment()), _UNSAID)
    version = reader.take("version", _version, 2 if making else None) if new else None
    made = Wanted(
        end_ms=None if end is _UNSAID else (end or 0),  # type: ignore[arg-type]
        write=reader.take("write_enabled", truth, None),
        description=reader.take("description", text(most=DESCRIPTION_SIZE), None),
        networks=reader.take("allowed_ips", networks(most=MOST_NETWORKS), None, many=True),
        text=reader.take(name, _key, "") if keyed else "",
        version=version,
    )
    return replace(made, enabled=reader.take("enabled", truth, None)) if new else made


def login(reader: Reader) -> tuple[str, str]:
    """Name and password by the newer contract; what is wrong stays in *reader*."""
    name = reader.take("username", _name, "", required=True)
    return name, reader.take("password", _password, "", required=True)


def _version(value: object) -> int:
    found = whole(value)
    if found not in (1, 2):
        raise Wrong(texts.NO_SUCH_VERSION.format(found))
    return found


def chosen_text(call: Call, reader: Reader, want: Wanted, *, owner: User) -> str:
    """The text of a new token of *owner*, whose key the client chose; empty when he did not.

    What is wrong with it stays in *reader*.
    """
    name = "token" if call.new else "key"
    if not want.text or name in reader.errors:
        return ""
    rule, me = call.settings.client_keys, call.me
    mine = rule == "own" and owner.name == me.name
    if not (mine or (rule != "never" and me.superuser)):
        reader.wrong(name, texts.KEY_NOT_CHOSEN)
    elif fault := fault_of_key(want.text):
        reader.wrong(name, KEY_FAULTS[fault])
    elif want.version == 2:
        return _second_version(reader, want.text)
    return want.text


def _second_version(reader: Reader, secret: str) -> str:
    if set(secret) - set(_BASE62):
        reader.wrong("token", texts.KEY_NOT_BASE62)
    public = "".join(secrets.choice(_BASE62) for _ in range(_PUBLIC_SIZE))
    return f"{texts.PREFIX}{public}.{secret}"


@dataclass(frozen=True, slots=True)
class Reference:
    """How a request names a user: by *number*, by *name* or both; by neither when it cannot be."""

    number: int | None = None
    name: str | None = None
    lost: str = ""
    """What is said when there is no such user."""

    def means(self, user: User) -> bool:
        """Whether everything that is said here is true of *user*."""
        if self.number is None and self.name is None:
            return False
        return self.number in (None, user.user_id) and self.name in (None, user.name)


def reference(value: object) -> Reference:
    """The user that *value* names. Wrong."""
    if isinstance(value, dict):
        return _by_attributes(value)
    try:
        number = whole(value)
    except Wrong as wrong:
        if value is None:
            raise
        shown = value if isinstance(value, str) else plain(value)
        raise Wrong(texts.NO_REFERENCE.format(shown)) from wrong
    return Reference(number=number, lost=texts.NO_SUCH_NUMBER.format(number))


def _by_attributes(value: Mapping[str, object]) -> Reference:
    lost = texts.NO_SUCH_OBJECT.format(plain(value))
    try:
        if set(value) <= {"id", "username"}:
            number = whole(value["id"]) if "id" in value else None
            name = plain_text(value["username"]) if "username" in value else None
            return Reference(number, name, lost)
    except Wrong:
        pass
    return Reference(lost=lost)


def plain(value: Any) -> Any:
    """*value* with its numbers as Python shows them, for a text that repeats what was sent."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | bool | None) else Shown(value.text)


class Shown(str):
    """A text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def described(*, new: bool) -> dict[str, Any]:
    """The fields as OPTIONS tells them."""
    both = {
        "id": metadata.field("integer", "ID", read_only=True),
        "url": metadata.field("field", "Url", read_only=True),
        "display": metadata.field("field", "Display", read_only=True),
        "user": metadata.field("nested object", "User", required=True, children=_user_fields()),
        "created": metadata.field("datetime", "Created", read_only=True),
        "expires": metadata.field("datetime", "Expires"),
        "last_used": metadata.field("datetime", "Last used", read_only=True),
        "key": metadata.field("string", "Key", min_length=KEY_SIZE, max_length=KEY_SIZE),
        "write_enabled": metadata.field(
            "boolean", "Write enabled", help_text="Whether the token is good for changes, too"
        ),
        "description": metadata.field("string", "Description", max_length=DESCRIPTION_SIZE),
        "allowed_ips": metadata.field(
            "list",
            "Allowed ips",
            child=metadata.field("field", "Allowed ips", required=True),
        ),
    }
    return {**both, **_newer_fields()} if new else both


def _newer_fields() -> dict[str, Any]:
    return {
        "version": metadata.field("integer", "Version"),
        "key": metadata.field("string", "Key", read_only=True, max_length=_PUBLIC_SIZE),
        "enabled": metadata.field("boolean", "Enabled"),
        "token": metadata.field("string", "Token", min_length=KEY_SIZE, max_length=KEY_SIZE),
    }


def _user_fields() -> dict[str, Any]:
    return {
        "id": metadata.field("integer", "ID", read_only=True),
        "url": metadata.field("field", "Url", read_only=True),
        "display": metadata.field("field", "Display", read_only=True),
        "username": metadata.field(
            "string", "Username", required=True, help_text="At most 150 characters", max_length=150
        ),
    }
