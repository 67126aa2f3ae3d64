"""Token texts: how they are derived, found and digested. Verification needs no secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import string
import zlib
from binascii import unhexlify
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from service.model import AGENT_BYTES, DIGEST_BYTES, SHARD_BYTES

NONCE_BYTES = 16
NAME_BYTES = 4

_HEX_DIGITS = b"0123456789abcdef"
_BASE64 = re.compile(rb"0[A-Za-z0-9_-]{43}")


_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NBT = re.compile(rb"nbt_[0-9A-Za-z]{12}\.[0-9A-Za-z]{40}")
_NBT_SHARD = 3
_NBT_SECRET = 40
_NBT_REST = 12 - _NBT_SHARD + _NBT_SECRET
_NATIVE = re.compile(rb"th_[0-9A-Za-z]{51}")
_NATIVE_REST = 42
_CHECKSUM = 6
_CHOSEN_SIZE = 40
"""Of a key that a client may have chosen, and that may begin with anything."""

KEY_LETTERS = r"!-+\--~"
"""What a key may be made of that was made elsewhere, as a regular expression's class: visible ASCII
but the comma, which a header cannot carry in a token."""
_LETTERS = re.compile(f"[{KEY_LETTERS}]*")
LEAST_DIFFERENT = 10
"""How many different characters such a key has at least: fewer are guessed."""


class Form(Enum):
    """How a token's raw bytes are spelled; the value is how many raw bytes there are.

    ``NBT`` is NetBox's ``nbt_<key>.<secret>`` (4.5), ``NATIVE`` our own ``th_`` with a checksum at
    its end; both are in digits of base 62.
    """

    HEX = 20
    BASE64 = 32
    NBT = 48
    NATIVE = 33


class KeyFault(Enum):
    """What is wrong with a key that was made elsewhere."""

    LETTERS = "it holds blanks, commas, or what is not visible ASCII"
    PLAIN = f"it has fewer than {LEAST_DIFFERENT} different characters"


class Garbled(ValueError):
    """A token that says it was made here, and was not: its checksum is wrong."""


def digest_of(text: bytes) -> bytes:
    """What is stored of a token: SHA-256 of its text, cut to 160 bits."""
    return hashlib.sha256(text).digest()[:DIGEST_BYTES]


def place_of(text: bytes) -> tuple[bytes, bytes]:
    """(shard, digest): where the record of the token *text* lives, or its alias. Garbled."""
    digest = hashlib.sha256(text).digest()
    if len(text) == 40 and text.islower():  # nearly always
        try:
            return unhexlify(text)[:SHARD_BYTES], digest[:DIGEST_BYTES]
        except ValueError:
            pass
    return shard_of_text(text), digest[:DIGEST_BYTES]


@lru_cache(maxsize=512)
def agent_digest(agent: bytes) -> bytes:
    """What is stored of a user agent (an absent one equals an empty one)."""
    return hashlib.sha256(agent).digest()[:AGENT_BYTES]


def fault_of_key(key: str) -> KeyFault | None:
    """Why no token can have *key*, which was made elsewhere; its length is its dialect's affair."""
    if not _LETTERS.fullmatch(key):
        return KeyFault.LETTERS
    return KeyFault.PLAIN if len(set(key)) < LEAST_DIFFERENT else None


def shard_of_text(text: bytes) -> bytes:
    """The two bytes that say where a token's record, or its alias, lives.

    The spelling is checked before it is decoded: Python's own parsers take blanks, ``0x`` and
    digits of other scripts. Garbled.
    """
    if len(text) == 40 and not text.translate(None, _HEX_DIGITS):
        return unhexlify(text[:4])
    if len(text) == 44 and _BASE64.fullmatch(text):
        return base64.urlsafe_b64decode(text[1:5])[:SHARD_BYTES]
    if text.startswith(b"nbt_") and _NBT.fullmatch(text):
        number = _number_of(text[4 : 4 + _NBT_SHARD].decode())
        if number < 1 << 16:  # made here; any other was made elsewhere
            return number.to_bytes(SHARD_BYTES, "big")
    if text.startswith(b"th_") and len(text) != _CHOSEN_SIZE:
        return _native_shard(text)
    return hashlib.sha256(text).digest()[:SHARD_BYTES]


def is_garbled(text: bytes) -> bool:
    """Whether *text* says that it was made here, and was not."""
    if not text.startswith(b"th_"):
        return False
    try:
        shard_of_text(text)
    except Garbled:
        return True
    return False


def _native_shard(text: bytes) -> bytes:
    body, end = text[:-_CHECKSUM], text[-_CHECKSUM:].decode("latin-1")
    if not _NATIVE.fullmatch(text) or checksum(body) != end:
        raise Garbled
    number = _number_of(text[3 : 3 + _NBT_SHARD].decode())
    if number >= 1 << 16:
        raise Garbled
    return number.to_bytes(SHARD_BYTES, "big")


def checksum(body: bytes) -> str:
    """The end of a native token that begins with *body*: its CRC-32 in six digits.

    It tells a mistyped or made-up token without asking the store, and a leaked one in a text.
    """
    return _digits(zlib.crc32(body), _CHECKSUM)


def _number_of(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _BASE62.index(digit)
    return number


def _digits(number: int, size: int) -> str:
    """The last *size* digits of *number* to the base of 62."""
    digits = ""
    for _ in range(size):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def spell(raw: bytes, form: Form) -> str:
    """*raw* as the text its holder gets."""
    if form is Form.HEX:
        return raw.hex()
    if form is Form.NATIVE:
        shard = _digits(int.from_bytes(raw[:SHARD_BYTES], "big"), _NBT_SHARD)
        rest = _digits(int.from_bytes(raw[SHARD_BYTES:], "big"), _NATIVE_REST)
        return f"th_{shard}{rest}" + checksum(f"th_{shard}{rest}".encode())
    if form is Form.NBT:
        shard = _digits(int.from_bytes(raw[:SHARD_BYTES], "big"), _NBT_SHARD)
        rest = _digits(int.from_bytes(raw[SHARD_BYTES:], "big"), _NBT_REST)
        return f"nbt_{shard}{rest[:-_NBT_SECRET]}.{rest[-_NBT_SECRET:]}"
    return "0" + base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def hkdf(key: bytes, label: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, one block: 32 bytes for one purpose of *key*."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, label + b"\x01", "sha256")


class Secrets:
    """The service's keys, newest first; the first one makes, all of them recover."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        derived = [(hashlib.sha256(key).digest()[:NAME_BYTES], key) for key in keys]
        self._token_keys = {name: hkdf(key, b"tokenhouse token") for name, key in derived}
        self._wrap_keys = {name: hkdf(key, b"tokenhouse wrap") for name, key in derived}
        self._newest = derived[0][0]

    def make(self, shard: bytes, form: Form) -> tuple[str, bytes]:
        """A new token of *shard*: (its text, the nonce and key name that recover it)."""
        nonce = os.urandom(NONCE_BYTES) + self._newest
        return spell(self._raw(shard, form, nonce), form), nonce

    def recover(self, shard: bytes, form: Form, *, nonce: bytes, digest: bytes) -> str | None:
        """The text that *nonce* was made for; None when its key is missing or it does not fit."""
        nonce = nonce[: NONCE_BYTES + NAME_BYTES]
        if nonce[NONCE_BYTES:] not in self._token_keys:
            return None
        text = spell(self._raw(shard, form, nonce), form)
        return text if hmac.compare_digest(digest_of(text.encode()), digest) else None

    def hide(self, text: bytes) -> tuple[bytes, bytes]:
        """(nonce and key name, hidden text) of a token's *text* that was not made here."""
        nonce = os.urandom(NONCE_BYTES) + self._newest
        return nonce, self._masked(text, nonce)

    def find(self, hidden: bytes, *, nonce: bytes, digest: bytes) -> str | None:
        """The text that was hidden; None when its key is missing or it does not fit."""
        nonce = nonce[: NONCE_BYTES + NAME_BYTES]
        if nonce[NONCE_BYTES:] not in self._wrap_keys:
            return None
        text = self._masked(hidden, nonce)
        return text.decode() if hmac.compare_digest(digest_of(text), digest) else None

    def _masked(self, text: bytes, nonce: bytes) -> bytes:
        stream = _stream(self._wrap_keys[nonce[NONCE_BYTES:]], nonce[:NONCE_BYTES], len(text))
        return bytes(a ^ b for a, b in zip(text, stream, strict=True))

    def _raw(self, shard: bytes, form: Form, nonce: bytes) -> bytes:
        key = self._token_keys[nonce[NONCE_BYTES:]]
        return shard + _stream(key, nonce[:NONCE_BYTES], form.value - SHARD_BYTES)


def _stream(key: bytes, nonce: bytes, size: int) -> bytes:
    """*size* bytes that only *key* can tell; the first 32 are HMAC-SHA256 of *nonce*."""
    blocks = [hmac.digest(key, nonce, "sha256")]
    while 32 * len(blocks) < size:
        blocks.append(hmac.digest(key, nonce + len(blocks).to_bytes(4, "big"), "sha256"))
    return b"".join(blocks)[:size]
