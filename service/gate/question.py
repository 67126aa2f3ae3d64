"""From a gateway's request to what verify needs to know. Pure, over raw header bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from service.core.address import Trust, claims_of, client_address
from service.core.secret import agent_digest

MAX_TOKEN = 256
READS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))

Headers = Iterable[tuple[bytes, bytes]]

_SCHEMES = frozenset((b"token", b"bearer"))
_VISIBLE = frozenset(range(0x21, 0x7F)) - {0x2C}  # a comma joins two headers into one


class Mount(StrEnum):
    """The gate's paths: each reads the client's method from one place only."""

    NGINX = "/authz/nginx"
    FORWARD = "/authz/forward"
    EXT = "/authz/ext"


METHOD_HEADERS = {Mount.NGINX: b"x-original-method", Mount.FORWARD: b"x-forwarded-method"}


class Missing(StrEnum):
    """Why there is no question to ask; no store is needed to refuse it."""

    NONE = "missing"
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Question:
    """One use of one token: *address* 16 bytes or empty, *agent* a digest."""

    token: bytes
    address: bytes
    agent: bytes
    write: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How this house reads requests: built once from the config."""

    trust: Trust
    ip_header: str
    cookie: bool = False
    query: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as any server has it: *peer* 16 bytes, *headers* with lower-case names."""

    mount: Mount
    method: bytes
    query: bytes
    headers: Headers
    peer: bytes


def mount_of(path: bytes) -> Mount | None:
    """Which gate path *path* is (raw, without the query); None when it is none."""
    if path == b"/authz/nginx":
        return Mount.NGINX
    if path == b"/authz/forward":
        return Mount.FORWARD
    if path == b"/authz/ext" or path.startswith(b"/authz/ext/"):
        return Mount.EXT
    return None


def read(ask: Ask, asking: Asking) -> Question | Missing:
    """The question that *ask* puts, or why it puts none."""
    tokens: set[bytes] = set()
    claims: list[str] = []
    methods: list[bytes] = []
    agent = b""
    ip_header = asking.ip_header.encode()
    method_header = METHOD_HEADERS.get(ask.mount)
    for name, value in ask.headers:
        if name == b"user-agent":
            agent = value
        elif name in _CREDENTIALS:
            tokens.update(_CREDENTIALS[name](value))
        if name == ip_header:
            claims.append(value.decode("latin-1"))
        elif name == method_header:
            methods.append(value)
        elif name == b"cookie" and asking.cookie:
            tokens.update(_from_cookie(value))
    if asking.query:
        tokens.update(_from_query(ask.query))
    token = _only(tokens)
    if isinstance(token, Missing):
        return token
    address = client_address(ask.peer, claims_of(asking.ip_header, claims), asking.trust)
    return Question(token, address, agent_digest(agent), _writes(ask, methods, asking.trust))


def _only(tokens: set[bytes]) -> bytes | Missing:
    if not tokens:
        return Missing.NONE
    if len(tokens) > 1:
        return Missing.AMBIGUOUS
    token = next(iter(tokens))
    if not 0 < len(token) <= MAX_TOKEN or not _VISIBLE.issuperset(token):
        return Missing.MALFORMED
    return token


def _writes(ask: Ask, methods: list[bytes], trust: Trust) -> bool:
    """Whether the client's request may change something; what is not known counts as a write."""
    if ask.mount is Mount.EXT:
        return ask.method not in READS
    return len(methods) != 1 or methods[0] not in READS or ask.peer not in trust


def _authorization(value: bytes) -> list[bytes]:
    """The credential of ``Authorization: Token|Bearer``; other schemes are not ours."""
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    return [rest.strip(b" \t")] if scheme.lower() in _SCHEMES else []


def _bare(value: bytes) -> list[bytes]:
    """A header that is the token; empty is absent."""
    text = value.strip(b" \t")
    return [text] if text else []


def _tower(value: bytes) -> list[bytes]:
    """``X-Auth-Token``: the token, or Tower's ``Token <key>``."""
    text = value.strip(b" \t")
    scheme, _, rest = text.partition(b" ")
    return [rest.strip(b" \t")] if scheme.lower() == b"token" and rest else _bare(text)


_CREDENTIALS = {
    b"authorization": _authorization,
    b"x-auth-token": _tower,
    b"x-authentication": _bare,
}


def _from_cookie(value: bytes) -> list[bytes]:
    pairs = (part.strip().partition(b"=") for part in value.split(b";"))
    return [text.strip(b'"') for name, _, text in pairs if name == b"token" and text]


def _from_query(query: bytes) -> list[bytes]:
    pairs = parse_qsl(query.decode("latin-1"), max_num_fields=None)
    return [text.encode("latin-1", "replace") for name, text in pairs if name == "token"]
