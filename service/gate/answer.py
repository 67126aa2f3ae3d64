"""From a verdict to status and headers. Pure; an allow is exactly 200 with an empty body."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from service.gate.question import METHOD_HEADERS, Asking, Missing, Mount
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


class Answers:
    """The gate's answers; what does not change from request to request is built once."""

    def __init__(self, asking: Asking, *, reason_header: bool = False) -> None:
        self._vary = {mount: (b"vary", _vary(mount, asking)) for mount in Mount}
        self._reason_header = reason_header

    def allow(self, verdict: Verdict, mount: Mount) -> Answer:
        """200 with every identity header, each of them always."""
        scopes = b"read write" if verdict.write else b"read"
        remaining = b"-" if verdict.remaining_ms < 0 else b"%d" % (verdict.remaining_ms // 1000)
        return 200, (
            _EMPTY,
            _NO_STORE,
            self._vary[mount],
            (b"x-auth-user", quote(verdict.owner, safe="").encode()),
            (b"x-auth-token-id", b"%d" % verdict.token_id),
            (b"x-auth-policy", verdict.policy.encode()),
            (b"x-auth-scopes", scopes),
            (b"x-auth-expires-in", remaining),
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


def _vary(mount: Mount, asking: Asking) -> bytes:
    """Every input of the verdict that a cache in front must key on."""
    names = [b"Authorization", b"X-Auth-Token", b"X-Authentication", b"User-Agent"]
    names.append(asking.ip_header.encode())
    if mount in METHOD_HEADERS:
        names.append(METHOD_HEADERS[mount])
    if asking.cookie:
        names.append(b"Cookie")
    return b", ".join(names)
