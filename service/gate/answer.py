"""From a verdict to status and headers. Pure; an allow is exactly 200 with an empty body."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from service.gate.question import MOUNTS, Asking, Missing, Mount
from service.model import Verdict, Word

RETRY_AFTER_S = 1

Header = tuple[bytes, bytes]
Answer = tuple[int, Sequence[Header]]

_EMPTY: Header = (b"content-length", b"0")
_NO_STORE: Header = (b"cache-control", b"no-store")
_REALM = b'Bearer realm="tokenhouse"'
_FORBIDDEN = {
    Word.READ_ONLY: b', error="insufficient_scope", scope="read write"',
    Word.NETWORK: b', error="insufficient_scope"',
}
# Stands for the owner's name while a form is made; percent-encoding leaves it as it is.
_OWNER = b"OWNER-GOES-HERE"


class Answers:
    """The gate's answers; what does not change from request to request is built once."""

    def __init__(self, asking: Asking, *, reason_header: bool = False) -> None:
        self._vary = {mount: (b"vary", _vary(mount, asking)) for mount in MOUNTS}
        self._reason_header = reason_header

    def allow(self, verdict: Verdict, mount: Mount) -> Answer:
        """200 with every identity header, each of them always."""
        values = identity(
            verdict.owner.encode(),
            token_id=verdict.token_id,
            policy=verdict.policy.encode(),
            write=verdict.write,
            remaining_ms=verdict.remaining_ms,
        )
        return 200, self._allow(mount, values)

    def allow_form(self, mount: Mount, *, policy: bytes, write: bool, ends: bool) -> bytes:
        """The header lines of ``allow`` as a form for ``%``: owner (``quoted``), id, seconds left.

        The form for a token that never *ends* takes no seconds.
        """
        values = identity(
            _OWNER, token_id=0, policy=policy, write=write, remaining_ms=0 if ends else -1
        )
        made = lines(self._allow(mount, values)).replace(b"%", b"%%").replace(_OWNER, b"%b")
        made = made.replace(b"x-auth-token-id: 0", b"x-auth-token-id: %d")
        return made.replace(b"x-auth-expires-in: 0", b"x-auth-expires-in: %d")

    def _allow(self, mount: Mount, values: tuple[bytes, ...]) -> tuple[Header, ...]:
        return (
            _EMPTY,
            _NO_STORE,
            self._vary[mount],
            (b"x-auth-user", values[0]),
            (b"x-auth-token-id", values[1]),
            (b"x-auth-policy", values[2]),
            (b"x-auth-scopes", values[3]),
            (b"x-auth-expires-in", values[4]),
        )

    def deny(self, reason: Word | Missing, mount: Mount) -> Answer:
        """401, or 403 where another token or place would do; no identity headers."""
        status, error = 401, b', error="invalid_token"'
        if reason is Missing.NONE:
            error = b""  # RFC 6750 §3.1: no error code when no credential was sent
        elif isinstance(reason, Word) and reason in _FORBIDDEN:
            status, error = 403, _FORBIDDEN[reason]
        headers = [_EMPTY, _NO_STORE, self._vary[mount], (b"www-authenticate", _REALM + error)]
        if self._reason_header:
            headers.append((b"x-auth-reason", reason.value.encode()))
        return status, headers

    def unavailable(self, retry_after_s: int = RETRY_AFTER_S) -> Answer:
        """503: nothing was decided."""
        return 503, (_EMPTY, _NO_STORE, (b"retry-after", b"%d" % retry_after_s))


def identity(
    owner: bytes, *, token_id: int, policy: bytes, write: bool, remaining_ms: int
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The values of the identity headers; *owner* as UTF-8, *remaining_ms* -1 for ever."""
    return (
        quoted(owner),
        b"%d" % token_id,
        policy,
        b"read write" if write else b"read",
        b"-" if remaining_ms < 0 else b"%d" % (remaining_ms // 1000),
    )


@lru_cache(maxsize=4096)
def quoted(owner: bytes) -> bytes:
    """*owner* (UTF-8) percent-encoded: no name can break a header or fake another."""
    return quote(owner, safe="").encode("ascii")


def lines(headers: Sequence[Header]) -> bytes:
    """*headers* as they go over the wire, each with its line end."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _vary(mount: Mount, asking: Asking) -> bytes:
    """Every input of the verdict that a cache in front must key on."""
    names = [b"Authorization", b"X-Auth-Token", b"X-Authentication", b"User-Agent"]
    names.append(asking.ip_header.encode())
    if mount.method_header:
        names.append(mount.method_header)
    if asking.cookie:
        names.append(b"Cookie")
    return b", ".join(names)
