"""Tokens that another product made: what a row of an export wishes, or why it cannot. Pure.

What a row says is never repeated in a reason: a cell in the wrong column may be a key.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from service.core.secret import Form, KeyFault, fault_of_key, shard_of_text
from service.core.tokens import Wish
from service.errors import BadName
from service.model import (
    DIGEST_BYTES,
    SHARD_BYTES,
    Level,
    Network,
    Policy,
    canonical_name,
)

COLUMNS = (
    "key",
    "digest",
    "first4",
    "owner",
    "created",
    "expires",
    "write_enabled",
    "enabled",
    "description",
    "allowed_ips",
)
"""What a row may say; it must say ``owner``, and ``key`` or else ``digest`` and ``first4``."""

LONGEST = {"netbox": 200, "nautobot": 255}
"""How many characters a description may have, by policy; these policies take imports."""

MOST_NETWORKS = 256

CLIENT = "tokenhouse token import"

_KEY_LENGTH = 40
_NBT = re.compile(r"nbt_[0-9A-Za-z]{12}\.([0-9A-Za-z]{40})")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
_FIRST = re.compile(r"[!-~]{4}")
_FIRST_HEX = re.compile(r"[0-9a-f]{4}")
_LISTED = re.compile(r"\{(.*)\}|\[(.*)\]|(.*)", re.DOTALL)
_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "1"), True),
    **dict.fromkeys(("false", "f", "no", "0"), False),
    **dict.fromkeys(("", "null", "none")),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class BadRow(ValueError):
    """A row that cannot be a token; the message says why, without anything the row says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all rows of an import are held to: none may live longer than *most_ms* (0: any)."""

    policy: Policy
    most_ms: int = 0


def terms_of(policy: Policy) -> Terms:
    """The terms under *policy*: a row says itself when it ends, if at all."""
    caps = [cap for cap in (policy.max_lifetime_ms, policy.max_age_ms) if cap]
    plain = replace(policy, lifetime_ms=0, max_lifetime_ms=0, max_age_ms=0)
    return Terms(policy=plain, most_ms=min(caps, default=0))


def binds(policy: Policy) -> bool:
    """Whether *policy* holds tokens to an address or agent, which no imported token has."""
    return Level.ENFORCE in (policy.bind_ip, policy.bind_agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row, read: *made_ms* 0 for now; *place* is the shard that the key names."""

    wish: Wish
    digest: bytes
    place: bytes
    made_ms: int

    @property
    def owner(self) -> str:
        """Whose token it is."""
        return self.wish.owner


def entry_of(row: Mapping[str, object], terms: Terms) -> Entry:
    """What *row* (of ``COLUMNS``; texts, or what JSON has for them) wishes. BadRow."""
    if not row.keys() <= _KNOWN:
        raise BadRow(f"it has a column that is not one of {', '.join(COLUMNS)}")
    text, digest, place = _key(row, terms.policy)
    made_ms, end_ms = _moment(row, "created"), _moment(row, "expires")
    if terms.most_ms and not (made_ms and end_ms and end_ms - made_ms <= terms.most_ms):
        raise BadRow("expires: after created by more than the policy allows (max_lifetime)")
    wish = Wish(
        owner=_owner(row),
        policy=terms.policy,
        write=_truth(row, "write_enabled"),
        enabled=_truth(row, "enabled") is not False,
        end_ms=end_ms,
        description=_description(row, LONGEST[terms.policy.name]),
        client=CLIENT,
        networks=_networks(row),
        text=text,
        form=Form.NBT if text.startswith("nbt_") else None,
    )
    return Entry(wish=wish, digest=digest, place=place, made_ms=made_ms)


_KNOWN = frozenset(COLUMNS)


def looks_like_a_key(text: str) -> bool:
    """Whether *text*, said to be an owner, may be a key in the wrong column."""
    bare = text.strip()
    return bool("nbt_" in bare or (_is_key(bare) and "@" not in bare))


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow(f"{name} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRow(f"{name} is not UTF-8") from None
    return value.strip()


def _key(row: Mapping[str, object], policy: Policy) -> tuple[str, bytes, bytes]:
    """(text, digest, place); the text is empty when only its digest is known."""
    key, digest = _text(row, "key"), _text(row, "digest")
    if bool(key) == bool(digest):
        raise BadRow("key or digest: it needs one of them")
    if not key:
        return "", *_digest(digest, _text(row, "first4"))
    _check_key(key, policy)
    raw = key.encode()
    return key, hashlib.sha256(raw).digest()[:DIGEST_BYTES], shard_of_text(raw)


def _is_key(text: str) -> bool:
    return len(text) == _KEY_LENGTH and fault_of_key(text) is not KeyFault.LETTERS


def _check_key(key: str, policy: Policy) -> None:
    second = _NBT.fullmatch(key) if policy.name == "netbox" else None
    if second is None and not _is_key(key):
        forms = " or the form nbt_<12>.<40>" if policy.name == "netbox" else ""
        raise BadRow(f"key: it has {_KEY_LENGTH} visible ASCII characters (no comma){forms}")
    if fault := fault_of_key(second[1] if second else key):
        raise BadRow(f"key: {fault.value}")


def _digest(digest: str, first: str) -> tuple[bytes, bytes]:
    if not _DIGEST.fullmatch(digest):
        raise BadRow("digest: it is the SHA-256 of the key's text, 64 hexadecimal digits")
    if not _FIRST.fullmatch(first):
        raise BadRow("first4: a digest needs the first four characters of its key")
    if first == "nbt_":
        raise BadRow("first4: a key of the form nbt_<12>.<40> cannot go by its digest")
    raw = bytes.fromhex(digest)
    # As shard_of_text has it, for keys of 40 characters.
    place = bytes.fromhex(first) if _FIRST_HEX.fullmatch(first) else raw[:SHARD_BYTES]
    return raw[:DIGEST_BYTES], place


def _owner(row: Mapping[str, object]) -> str:
    try:
        return canonical_name(_text(row, "owner"))
    except BadName as error:
        raise BadRow(f"owner: {error}") from None


def _moment(row: Mapping[str, object], name: str) -> int:
    """Milliseconds since the epoch, 0 where nothing is said; without a zone it is UTC."""
    text = _text(row, name)
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRow(f"{name} is not a date and time of ISO 8601") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    ms = (aware - _EPOCH) // _MS
    if ms < 1:
        raise BadRow(f"{name} lies before 1970")
    return ms


def _truth(row: Mapping[str, object], name: str) -> bool | None:
    value = row.get(name)
    if isinstance(value, bool):
        return value
    word = _text(row, name).lower()
    if word not in _TRUTHS:
        raise BadRow(f"{name} is neither true nor false")
    return _TRUTHS[word]


def _description(row: Mapping[str, object], most: int) -> str:
    text = _text(row, "description")
    if len(text) > most:
        raise BadRow(f"description: it has more than {most} characters")
    if "\0" in text:
        raise BadRow("description: it has a NUL")
    return text


def _networks(row: Mapping[str, object]) -> tuple[Network, ...] | None:
    """None where nothing is said; a text is a list in braces or brackets, or without."""
    value = row.get("allowed_ips")
    entries = value if isinstance(value, list) else _listed(_text(row, "allowed_ips"))
    if entries is None:
        return None
    if len(entries) > MOST_NETWORKS:
        raise BadRow(f"allowed_ips: there are more than {MOST_NETWORKS}")
    return tuple(_network(at, entry) for at, entry in enumerate(entries, 1))


def _listed(text: str) -> list[str] | None:
    if text.lower() in {"", "null", "none"}:
        return None
    found = _LISTED.fullmatch(text)
    inner = next(part for part in found.groups() if part is not None) if found else ""
    return [part.strip().strip("'\"") for part in inner.split(",")] if inner.strip() else []


def _network(at: int, entry: object) -> Network:
    text = entry.strip() if isinstance(entry, str) else ""
    try:
        if "%" in text:
            raise ValueError("a zone")
        return ipaddress.ip_network(text)
    except ValueError as error:
        bits = " without host bits" if "host bits" in str(error) else ""
        raise BadRow(f"allowed_ips: number {at} is no address and no network{bits}") from None
