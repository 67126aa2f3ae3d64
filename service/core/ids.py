"""Numbers of tokens and users as UUIDs and back, for products whose clients insist on them."""

from __future__ import annotations

import hmac
import uuid

_NUMBER_BYTES = 7
_CHECK_BYTES = 8


def to_uuid(number: int, born: bytes) -> uuid.UUID:
    """The UUID (RFC 9562, version 4 by its looks) of the token *number* in the store *born*.

    It tells nobody but this store the number, and how many tokens there are. With ``for_users`` in
    place of *born* it is a user's.
    """
    plain = number.to_bytes(_NUMBER_BYTES, "big")
    check = _stamp(b"check" + plain, born)[:_CHECK_BYTES]
    raw = bytearray(check + _masked(plain, check, born) + b"\0")
    # Version and variant take six bits; what stood there goes to the last byte.
    raw[15] = (raw[6] >> 4) | (raw[8] >> 6 << 4)
    raw[6] = 0x40 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    raw[15] ^= _stamp(bytes(raw[:15]), born)[0] & 0xC0
    return uuid.UUID(bytes=bytes(raw))


def for_users(born: bytes) -> bytes:
    """What stands for the store *born* where numbers of users are meant, and not of tokens."""
    return _stamp(b"users", born)


def from_uuid(value: uuid.UUID, born: bytes) -> int | None:
    """The number that *value* stands for; None when this store never gave it."""
    raw = bytearray(value.bytes)
    if raw[6] >> 4 != 4 or raw[8] >> 6 != 2:
        return None
    raw[6] = (raw[6] & 0x0F) | ((raw[15] & 0x0F) << 4)
    raw[8] = (raw[8] & 0x3F) | ((raw[15] >> 4 & 3) << 6)
    check, hidden = bytes(raw[:_CHECK_BYTES]), bytes(raw[_CHECK_BYTES:15])
    number = int.from_bytes(_masked(hidden, check, born), "big")
    return number if to_uuid(number, born) == value else None


def _masked(plain: bytes, check: bytes, born: bytes) -> bytes:
    mask = _stamp(b"mask" + check, born)
    return bytes(a ^ b for a, b in zip(plain, mask, strict=False))


def _stamp(data: bytes, born: bytes) -> bytes:
    return hmac.digest(born, data, "sha256")
