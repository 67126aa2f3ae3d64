"""From a gateway's request to what verify needs to know. Pure, over raw header bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from service.core.address import Trust, claims_of, client_address
from service.core.secret import agent_digest, is_garbled
from service.model import Trace

MAX_TOKEN = 256
READS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))

PREFLIGHT = frozenset((b"origin", b"access-control-request-method"))
"""What every preflight of a browser has."""

Header = tuple[bytes, bytes]

SCHEMES = frozenset((b"token", b"bearer"))
NO_KEEPALIVE = b"|no_keepalive"
"""Behind a token where Puppet's tools put it: this is no use of it."""
QUERY = b"?token"
_QUIETLY = frozenset((b"x-authentication", QUERY))

# Visible ASCII but the comma, which joins two headers into one.
FIT = bytes(set(range(0x21, 0x7F)) - {0x2C})


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """One of the gate's paths; *method_header* is the one place it reads the client's method from.

    None: the method of the request itself. Compared and hashed by identity, as the hot path does.
    """

    path: str
    method_header: bytes | None


NGINX = Mount("/authz/nginx", b"x-original-method")
FORWARD = Mount("/authz/forward", b"x-forwarded-method")
EXT = Mount("/authz/ext", None)
MOUNTS = (NGINX, FORWARD, EXT)

_BY_PATH = {mount.path.encode(): mount for mount in MOUNTS}


class Missing(StrEnum):
    """Why there is no question to ask; no store is needed to answer."""

    NONE = "missing"
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"
    PREFLIGHT = "preflight"
    """A browser asks what it may send: it has no credential yet, and is let pass."""


class Question(NamedTuple):
    """One use of one token: *address* 16 bytes or empty, *agent* a digest.

    *private* when the address is the peer's own: then no header names it, and no shared cache can
    tell one client's answer from another's. *trace* is what the use leaves behind when it passes.
    """

    token: bytes
    address: bytes
    agent: bytes
    write: bool
    private: bool
    trace: Trace = Trace.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How this house reads requests: built once from the config."""

    trust: Trust
    ip_header: str
    fallback: bool = False
    """Whether a trusted proxy that names no client stands for him."""
    cookie: bool = False
    query: bool = False
    preflight: bool = False


def mount_of(path: bytes) -> Mount | None:
    """Which gate path *path* is (raw, without the query); None when it is none."""
    mount = _BY_PATH.get(path)
    return EXT if mount is None and path.startswith(b"/authz/ext/") else mount


def may_be_token(text: bytes) -> bool:
    """Whether anything that is written like *text* can be a token."""
    return 0 < len(text) <= MAX_TOKEN and not text.translate(None, FIT) and not is_garbled(text)


class Questions:
    """Reads requests as *asking* has it."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self._readers = dict(_CREDENTIALS)
        if asking.cookie:
            self._readers[b"cookie"] = _from_cookie
        self._others = frozenset(self._readers) - {b"authorization"}
        self._ip_header = asking.ip_header.encode()
        self.credentials = frozenset(self._readers)
        """Names of the headers that may hold a secret."""
        methods = {mount.method_header for mount in MOUNTS if mount.method_header}
        self.wanted = self.credentials | methods | {self._ip_header, b"user-agent"}
        if asking.preflight:
            self.wanted |= PREFLIGHT
        """Names of all headers that ``read`` looks at."""
        self.peer = lru_cache(maxsize=4096)(self._peer)
        """What is to be known of the peer at an address: (address, whether it is trusted)."""

    def _peer(self, address: bytes) -> tuple[bytes, bool]:
        return address, address in self.asking.trust

    def read(
        self,
        mount: Mount,
        method: bytes,
        query: bytes,
        *,
        headers: Sequence[Header],
        fields: Mapping[bytes, bytes],
        peer: tuple[bytes, bool],
    ) -> Question | Missing:
        """The question that a request puts, or why it puts none.

        *headers* have lower-case names and *fields* is the dict of them; *peer* is what the method
        of that name said.
        """
        address, trusted = peer
        if (
            len(fields) == len(headers)
            and self._others.isdisjoint(fields)
            and not self.asking.query
        ):
            # Nearly every request: a credential can stand in one place only.
            value = fields.get(b"authorization")
            token, trace = None if value is None else _authorization(value), Trace.WHOLE
        else:
            tokens, trace = self._tokens(headers, query)
            if len(tokens) > 1:
                return Missing.AMBIGUOUS
            token = tokens.pop() if tokens else None
        if mount is not EXT:
            method = _method(mount, headers) if trusted else b""
        if token is None:
            asks = method == b"OPTIONS" and self.asking.preflight and self._is_preflight(fields)
            return Missing.PREFLIGHT if asks else Missing.NONE
        if not may_be_token(token):
            return Missing.MALFORMED
        if trusted:
            address = self.client(headers, peer)
        agent = agent_digest(fields.get(b"user-agent", b""))
        return Question(token, address, agent, method not in READS, not trusted, trace)

    def client(self, headers: Iterable[Header], peer: tuple[bytes, bool]) -> bytes:
        """The client's address, 16 bytes, or empty; the arguments as in ``read``."""
        address, trusted = peer
        if not trusted:
            return address
        name, asking = self._ip_header, self.asking
        values = [value.decode("latin-1") for header, value in headers if header == name]
        found = client_address(address, claims_of(asking.ip_header, values), asking.trust)
        return found or (address if asking.fallback else b"")

    def _tokens(self, headers: Iterable[Header], query: bytes) -> tuple[set[bytes], Trace]:
        """Every different credential of a request, fit to be a token or not, and what is left."""
        readers = self._readers
        found = [(name, readers[name](value)) for name, value in headers if name in readers]
        if self.asking.query:
            found += [(QUERY, text) for text in _from_query(query)]
        texts, trace = set(), Trace.WHOLE
        for place, text in found:
            if text is None:
                continue
            if place in _QUIETLY and text.endswith(NO_KEEPALIVE):
                text, trace = text[: -len(NO_KEEPALIVE)], Trace.NONE
            texts.add(text)
        return texts, trace

    def _is_preflight(self, fields: Mapping[bytes, bytes]) -> bool:
        """Whether an OPTIONS is a browser's question (Fetch §3.2.2), which has no credentials."""
        asks = all(fields.get(name) for name in PREFLIGHT)
        return asks and self.credentials.isdisjoint(fields)


def _method(mount: Mount, headers: Iterable[Header]) -> bytes:
    """The client's method as the gateway tells it; empty (so a write) when that is not clear."""
    methods = [value for name, value in headers if name == mount.method_header]
    return methods[0] if len(methods) == 1 else b""


def _authorization(value: bytes) -> bytes | None:
    """The credential of ``Authorization: Token|Bearer``; other schemes are not ours."""
    scheme, _, rest = value.partition(b" ")
    return rest.strip(b" \t") if scheme.lower() in SCHEMES else None


def _bare(value: bytes) -> bytes | None:
    """A header that is the token; empty is absent."""
    return value.strip(b" \t") or None


def _tower(value: bytes) -> bytes | None:
    """``X-Auth-Token``: the token, or Tower's ``Token <key>``."""
    text = value.strip(b" \t")
    scheme, _, rest = text.partition(b" ")
    return rest.strip(b" \t") if scheme.lower() == b"token" and rest else text or None


_CREDENTIALS: dict[bytes, Callable[[bytes], bytes | None]] = {
    b"authorization": _authorization,
    b"x-auth-token": _tower,
    b"x-authentication": _bare,
}


def _from_cookie(value: bytes) -> bytes | None:
    """The cookie ``token``, without the quotes a page puts around it; no token when there are two.

    Never None for a cookie of that name: what is there and unfit must be refused, not passed over.
    """
    pairs = (part.strip().partition(b"=") for part in value.split(b";"))
    texts = {text.strip(b'"') for name, _, text in pairs if name == b"token" and text}
    if not texts:
        return None
    return texts.pop() if len(texts) == 1 else b""


def _from_query(query: bytes) -> list[bytes]:
    pairs = parse_qsl(query.decode("latin-1"))
    return [text.encode("latin-1", "replace") for name, text in pairs if name == "token"]
