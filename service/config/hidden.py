"""Values that must not be seen: service secrets, and store addresses with a password in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from service.config.kinds import Kind, entries, quote

MASK = "********"
MIN_KEY_BYTES = 32
SCHEMES = ("memory", "redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One service secret: *value* for the code, *shown* for people."""

    value: bytes = field(repr=False)
    shown: str = MASK


@dataclass(frozen=True)
class SecretKeys(Kind):
    """A list of service secrets, written out or referred to."""

    unit = "a list of texts"
    range = "each 32 bytes or more, or file:/path, or env:NAME"

    def parse(self, raw: object) -> tuple[SecretKey, ...]:
        listed = entries(raw)
        if listed is None:
            raise ValueError(f"the value is not a list of keys, {self.range}")
        return tuple(_key(entry, number) for number, entry in enumerate(listed, start=1))

    def show(self, value: Iterable[SecretKey]) -> list[str]:
        return [key.shown for key in value]


@dataclass(frozen=True)
class StoreUrl(Kind):
    """The address of the store; only its scheme is ever repeated in an error."""

    unit = "a URL"
    range = "memory:// | redis://host:6379/0 | rediss://host:6379/0 | unix:///path"

    def parse(self, raw: object) -> str:
        scheme, _, rest = raw.partition("://") if isinstance(raw, str) else ("", "", "")
        if not isinstance(raw, str) or scheme not in SCHEMES:
            named = f'the scheme "{scheme}"' if re.fullmatch("[a-z+]{1,20}", scheme) else "the URL"
            offered = ", ".join(f"{name}://" for name in SCHEMES)
            raise ValueError(f"{named} is not one this release knows: {offered}")
        if not _reachable(scheme, rest, raw):
            raise ValueError(f"the {scheme}:// URL is not of the form {self.range}")
        return raw

    def show(self, value: str) -> str:
        value = re.sub(r"://.*@", f"://{MASK}@", value)
        return re.sub(r"(?i)(password=)[^&#]*", rf"\g<1>{MASK}", value)


def resolve(raw: object, env: Mapping[str, str]) -> object:
    """*raw* keys with each ``env:NAME`` that is set replaced by the secret it names."""
    listed = entries(raw)
    return raw if listed is None else [_from_env(entry, env) for entry in listed]


def _from_env(entry: object, env: Mapping[str, str]) -> object:
    if not isinstance(entry, str) or not entry.startswith("env:"):
        return entry
    text = env.get(entry.removeprefix("env:"))
    return entry if text is None else SecretKey(text.encode(errors="surrogateescape"), entry)


def _key(entry: object, number: int) -> SecretKey:
    key = _read(entry, number)
    if len(key.value) < MIN_KEY_BYTES:
        raise ValueError(
            f"entry {number} has {len(key.value)} bytes; "
            f"{MIN_KEY_BYTES} or more are needed (openssl rand -hex 32)"
        )
    return key


def _read(entry: object, number: int) -> SecretKey:
    if isinstance(entry, SecretKey):
        return entry
    if not isinstance(entry, str):
        raise ValueError(f"entry {number} is not a text in quotes")
    if entry.startswith("env:"):
        raise ValueError(f"entry {number}: {quote(entry)} names a variable that is not set")
    if entry.startswith("file:"):
        return _from_file(entry, number)
    return SecretKey(entry.encode(errors="surrogateescape"))


def _from_file(entry: str, number: int) -> SecretKey:
    try:
        content = Path(entry.removeprefix("file:")).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ValueError(f"entry {number}: {quote(entry)} cannot be read: {reason}") from None
    # Editors and echo end a file with a line feed that nobody means to be part of the key.
    return SecretKey(content.rstrip(b"\r\n"), entry)


def _reachable(scheme: str, rest: str, url: str) -> bool:
    """Whether *url* says where the store is. redis-py would fall back to defaults silently."""
    if scheme == "memory":
        return rest == ""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return _is_socket(parts) if scheme == "unix" else _is_server(parts)
    except ValueError:
        return False


def _is_socket(parts: SplitResult) -> bool:
    return not parts.hostname and len(parts.path) > 1


def _is_server(parts: SplitResult) -> bool:
    database = parts.path.removeprefix("/")
    return bool(parts.hostname) and parts.port != 0 and re.fullmatch("[0-9]*", database) is not None
