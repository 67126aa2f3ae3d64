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
# And this for how long the answer may be kept.
_KEPT = b"KEPT-GOES-HERE"
_DASH = b"-"


class Answers:
    """The gate's answers; what does not change from request to request is built once."""

    def __init__(
        self, asking: Asking, *, reason_header: bool = False, staleness_s: int = 0
    ) -> None:
        self._vary = {mount: (b"vary", _vary(mount, asking)) for mount in MOUNTS}
        self._vary_unasked = {mount: (b"vary", _vary_unasked(mount, asking)) for mount in MOUNTS}
        self._reason_header = reason_header
        self._staleness_ms = staleness_s * 1000
        self._kept = {private: _kept(staleness_s, private) for private in (False, True)}

    def keep(self, remaining_ms: int, touch_ms: int, *, private: bool) -> bytes:
        """For how long an allow may be kept, as ``Cache-Control`` has it.

        Not beyond the token's end, nor beyond the use that its last use would be noted at.
        """
        most = max(0, min(self._staleness_ms, touch_ms))
        if 0 <= remaining_ms < most:
            most = remaining_ms
        return self._kept[private][most // 1000]

    @property
    def keeps(self) -> bool:
        """Whether an allow may be kept at all."""
        return self._staleness_ms > 0

    def allow(self, verdict: Verdict, mount: Mount, *, private: bool = True) -> Answer:
        """200 with every identity header, each of them always; *private* as the question has it."""
        values = identity(
            verdict.owner.encode(),
            token_id=verdict.token_id,
            policy=verdict.policy.encode(),
            write=verdict.write,
            remaining_ms=verdict.remaining_ms,
        )
        kept = self.keep(verdict.remaining_ms, verdict.touch_ms, private=private)
        return 200, self._allow(mount, values, kept)

    def allow_form(self, mount: Mount, *, policy: bytes, write: bool, ends: bool) -> bytes:
        """The header lines of ``allow`` as a form for ``%``: owner (``quoted``), id, seconds left.

        The form for a token that never *ends* takes no seconds. While an allow may be kept, what
        ``keep`` says comes first.
        """
        values = identity(
            _OWNER, token_id=0, policy=policy, write=write, remaining_ms=0 if ends else -1
        )
        made = lines(self._allow(mount, values, _KEPT if self.keeps else _NO_STORE[1]))
        made = made.replace(b"%", b"%%").replace(_OWNER, b"%b").replace(_KEPT, b"%b")
        made = made.replace(b"x-auth-token-id: 0", b"x-auth-token-id: %d")
        return made.replace(b"x-auth-expires-in: 0", b"x-auth-expires-in: %d")

    def _allow(self, mount: Mount, values: tuple[bytes, ...], kept: bytes) -> tuple[Header, ...]:
        return (
            _EMPTY,
            (b"cache-control", kept),
            self._vary[mount],
            (b"x-auth-user", values[0]),
            (b"x-auth-token-id", values[1]),
            (b"x-auth-policy", values[2]),
            (b"x-auth-scopes", values[3]),
            (b"x-auth-expires-in", values[4]),
        )

    def unasked(self, reason: Missing, mount: Mount) -> Answer:
        """A refusal; or 200 for a preflight, with the identity of nobody.

        An identity header that is left out would let a client's own copy through some gateways.
        """
        if reason is not Missing.PREFLIGHT:
            return self.deny(reason, mount)
        _, _, _, *names = self._allow(mount, (_DASH,) * 5, _NO_STORE[1])
        return 200, (_EMPTY, _NO_STORE, self._vary_unasked[mount], *names)

    def deny(self, reason: Word | Missing, mount: Mount) -> Answer:
        """401, or 403 where another token or place would do; no identity headers."""
        status, error = 401, b', error="invalid_token"'
        if reason is Missing.NONE:
            error = b""  # RFC 6750 §3.1: no error code when no credential was sent
        elif isinstance(reason, Word) and reason in _FORBIDDEN:
            status, error = 403, _FORBIDDEN[reason]
        vary = self._vary_unasked if reason is Missing.NONE else self._vary
        headers = [_EMPTY, _NO_STORE, vary[mount], (b"www-authenticate", _REALM + error)]
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
    """*owner* (UTF-8) percent-encoded: no name can break a header or fake another, or nobody."""
    return b"%2D" if owner == _DASH else quote(owner, safe="").encode("ascii")


def lines(headers: Sequence[Header]) -> bytes:
    """*headers* as they go over the wire, each with its line end."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _kept(most_s: int, private: bool) -> list[bytes]:
    """``Cache-Control`` for each number of seconds up to *most_s* that an allow may be kept.

    RFC 9111 §3.5: with ``s-maxage`` a shared cache may keep the answer to a credential.
    """
    form = b"private, max-age=%d, must-revalidate" if private else b"s-maxage=%d, must-revalidate"
    return [_NO_STORE[1], *(form % seconds for seconds in range(1, most_s + 1))]


def _vary(mount: Mount, asking: Asking) -> bytes:
    """Every input of the verdict about a token, which a cache in front must key on."""
    names = [b"Authorization", b"X-Auth-Token", b"X-Authentication", b"User-Agent"]
    names.append(asking.ip_header.encode())
    if mount.method_header:
        names.append(mount.method_header)
    if asking.cookie:
        names.append(b"Cookie")
    return b", ".join(names)


def _vary_unasked(mount: Mount, asking: Asking) -> bytes:
    """Every input of an answer without a token: whether it is a preflight counts there alone."""
    more = [b"Origin", b"Access-Control-Request-Method"] if asking.preflight else []
    return b", ".join([_vary(mount, asking), *more])
