"""Tokens that another product made: what a row of an export wishes, or why it cannot. Pure.

What a row says is never repeated in a reason: a cell in the wrong column may be a key.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from service.core import cells
from service.core.cells import BadRow, Row
from service.core.secret import Form, KeyFault, fault_of_key, shard_of_text
from service.core.tokens import Wish
from service.model import DIGEST_BYTES, SHARD_BYTES, Level, Network, Policy

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

SLACK_MS = 86_400_000
"""How far ahead of the store's the clock of another product may be."""

CLIENT = "tokenhouse token import"

DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
"""SHA-256 in hex."""

_KEY_LENGTH = 40
_NBT = re.compile(r"nbt_[0-9A-Za-z]{12}\.([0-9A-Za-z]{40})")
_FIRST = re.compile(r"[!-~]{4}")
_FIRST_HEX = re.compile(r"[0-9a-f]{4}")
_LISTED = re.compile(r"\{(.*)\}|\[(.*)\]|(.*)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all rows of an import are held to.

    None may live longer than *most_ms* (0: any); none was made after *now_ms* (0: whenever).
    """

    policy: Policy
    most_ms: int = 0
    now_ms: int = 0


def terms_of(policy: Policy, now_ms: int = 0) -> Terms:
    """The terms under *policy*, *now_ms* by the store's clock: a row says itself when it ends."""
    caps = [cap for cap in (policy.max_lifetime_ms, policy.max_age_ms) if cap]
    plain = replace(policy, lifetime_ms=0, max_lifetime_ms=0, max_age_ms=0)
    return Terms(policy=plain, most_ms=min(caps, default=0), now_ms=now_ms)


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


def entry_of(row: Row, terms: Terms) -> Entry:
    """What *row* (of ``COLUMNS``; texts, or what JSON has for them) wishes. BadRow."""
    cells.known(row, COLUMNS)
    key, digest, place = _key(row, terms.policy)
    made_ms, end_ms = _moment(row, "created"), _moment(row, "expires")
    if terms.now_ms and made_ms > terms.now_ms + SLACK_MS:
        raise BadRow("created lies in the future")
    if terms.most_ms and not (made_ms and end_ms and end_ms - made_ms <= terms.most_ms):
        raise BadRow("expires: after created by more than the policy allows (max_lifetime)")
    wish = Wish(
        owner=cells.user_name(row, "owner"),
        policy=terms.policy,
        write=cells.truth(row, "write_enabled"),
        enabled=cells.truth(row, "enabled") is not False,
        end_ms=end_ms,
        description=_description(row, LONGEST[terms.policy.name]),
        client=CLIENT,
        networks=_networks(row),
        text=key,
        form=Form.NBT if key.startswith("nbt_") else None,
    )
    return Entry(wish=wish, digest=digest, place=place, made_ms=made_ms)


def looks_like_a_key(text: str) -> bool:
    """Whether *text*, said to be an owner, may be a key in the wrong column."""
    bare = text.strip()
    return bool("nbt_" in bare or (_is_key(bare) and "@" not in bare))


def _key(row: Row, policy: Policy) -> tuple[str, bytes, bytes]:
    """(text, digest, place); the text is empty when only its digest is known."""
    key, digest = cells.text(row, "key"), cells.text(row, "digest")
    if bool(key) == bool(digest):
        raise BadRow("key or digest: it needs one of them")
    if not key:
        return "", *_digest(digest, cells.text(row, "first4"))
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
    if not DIGEST.fullmatch(digest):
        raise BadRow("digest: it is the SHA-256 of the key's text, 64 hexadecimal digits")
    if not _FIRST.fullmatch(first):
        raise BadRow("first4: a digest needs the first four characters of its key")
    if first == "nbt_":
        raise BadRow("first4: a key of the form nbt_<12>.<40> cannot go by its digest")
    raw = bytes.fromhex(digest)
    # As shard_of_text has it, for keys of 40 characters.
    place = bytes.fromhex(first) if _FIRST_HEX.fullmatch(first) else raw[:SHARD_BYTES]
    return raw[:DIGEST_BYTES], place


def _moment(row: Row, name: str) -> int:
    """Milliseconds since the epoch, 0 where nothing is said; without a zone it is UTC."""
    text = cells.text(row, name)
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


def _description(row: Row, most: int) -> str:
    text = cells.text(row, "description")
    if len(text) > most:
        raise BadRow(f"description: it has more than {most} characters")
    if "\0" in text:
        raise BadRow("description: it has a NUL")
    return text


def _networks(row: Row) -> tuple[Network, ...] | None:
    """None where nothing is said; a text is a list in braces or brackets, or without."""
    value = row.get("allowed_ips")
    entries = value if isinstance(value, list) else _listed(cells.text(row, "allowed_ips"))
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
