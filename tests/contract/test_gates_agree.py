"""Both gates give the same bytes for the same bytes, whatever they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.bearers import AGENT, LOCAL, bearer, connect, fates
from tests.conftest import or_skip
from tests.makers import TOWER, Rig
from tests.nodes import Node
from tests.servers import NEWEST, Server

LAST = b"GET /authz/nginx HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"
DATE = re.compile(rb"\r\ndate: [^\r]+")
SECONDS = re.compile(rb"(?<=\r\nx-auth-expires-in: )[0-9]+|(?<=age=)[0-9]+(?=, must-revalidate)")
KEPT = re.compile(
    rb"(?<=\r\ncache-control: )(?:no-store|(s-maxage|private, max-age)=([0-9]+), must-revalidate)"
    rb"(?=\r\nvary: [^\r]+\r\nx-auth-user: )"
)
"""How long an allow may be kept: no-store, when that is less than a second."""
HINT_S = 2
"""By how much the clock may lag that says whether a use was noted lately."""
FATES = (
    "never ends", "fixed end", "odd name", "read only", "bound here", "bound to home", "revoked",
    "evicted", "marked", "inactive", "ownerless", "expired", "fenced in", "at home only", "moved",
    "no policy", "switched off", "unknown", "word", "long", "garbled",
)  # fmt: skip


@dataclass
class Twins:
    """Two nodes on one store that differ in their gate alone, and the tokens there."""

    fast: Node
    slow: Node
    tokens: dict[str, str]
    trusting: bool

    def ask(self, data: bytes, *, apart: bool = False) -> tuple[bytes, bytes]:
        """What each of them says to *data*; with *apart* the end of it comes later."""
        said = []
        for node in (self.fast, self.slow):
            with connect(node.url) as sock:
                if apart:
                    sock.sendall(data)
                    said.append(read(sock, LAST))
                else:
                    sock.sendall(data + LAST)
                    said.append(read(sock))
        return said[0], said[1]


def read(sock, then: bytes = b"") -> bytes:
    """Everything up to the end; *then* is sent behind the first head that comes back."""
    raw = b""
    try:
        while part := sock.recv(65536):
            raw += part
            if then and b"\r\n\r\n" in raw:
                sock.sendall(then)
                then = b""
    except (ConnectionResetError, BrokenPipeError):
        pass  # it closed, and then came what it did not want to read
    return raw


def same(one: bytes, other: bytes, late_s: int = 20) -> bool:
    """Equal but for the date, and for the seconds that may have passed between the two.

    *late_s*: how much later a busy machine may come to the second one.
    """
    late_s += HINT_S
    kept = zip(KEPT.finditer(one), KEPT.finditer(other), strict=False)
    if all(_nearly(*pair, late_s) for pair in kept):
        one, other = KEPT.sub(b"", one), KEPT.sub(b"", other)
    left, right = SECONDS.findall(one), SECONDS.findall(other)
    cleaned = [SECONDS.sub(b"", DATE.sub(b"", raw)) for raw in (one, other)]
    return (
        cleaned[0] == cleaned[1]
        and len(left) == len(right)
        and all(abs(int(a) - int(b)) <= late_s for a, b in zip(left, right, strict=True))
    )


def _nearly(one: re.Match[bytes], other: re.Match[bytes], late_s: int) -> bool:
    """Whether the last second that an allow may be kept has passed between the two, or none has."""
    seconds = [int(found[2] or 0) for found in (one, other)]
    if one[1] and other[1]:
        return one[1] == other[1] and abs(seconds[0] - seconds[1]) <= late_s
    return max(seconds) <= late_s


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis for this module alone."""
    made = or_skip(lambda: Server(NEWEST))
    yield made
    made.discard()


KEEPING = {
    "TOKENHOUSE_GATE__PREFLIGHT": "true",
    "TOKENHOUSE_GATE__STALENESS": "1h",
    "TOKENHOUSE_LAST_USED__INTERVAL": "40m",  # or its end may come between the two answers
}
EVERYTHING = {
    "TOKENHOUSE_SERVER__TRUSTED_PROXIES": '["127.0.0.0/8"]',
    "TOKENHOUSE_GATE__COOKIE": "true",
    "TOKENHOUSE_GATE__QUERY": "true",
    "TOKENHOUSE_GATE__REASON_HEADER": "true",
    **KEEPING,
}
SETTINGS = {
    "plain": {},
    "keeping": KEEPING,
    "reasons": {"TOKENHOUSE_GATE__REASON_HEADER": "true"},
    "trusting": EVERYTHING,
}


@pytest.fixture(scope="module", params=SETTINGS)
def twins(request: pytest.FixtureRequest, server: Server) -> Iterator[Twins]:
    """The two nodes, with each kind of settings."""
    server.flush()
    mine = SETTINGS[request.param]
    tokens = fates(server.url)
    nodes = [
        Node(server.url, {**mine, "TOKENHOUSE_GATE__LANE": lane}) for lane in ("true", "false")
    ]
    yield Twins(nodes[0], nodes[1], tokens, trusting=request.param == "trusting")
    for node in nodes:
        node.stop()
    said = [line for node in nodes for line in node.lines]
    assert not [line for line in said if "failed" in line or "Traceback" in line]


# -- requests ------------------------------------------------------------------------------------

QUIETLY = b"|no_keepalive"
SPACES = st.sampled_from(["", "", "", " ", "\t", "  "]).map(str.encode)
BYTES = st.binary(max_size=12).map(lambda raw: raw.translate(None, b"\r\n\0"))
METHODS = st.sampled_from(
    [b"GET"] * 8
    + [b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND"]
    + [b"CONNECT", b"BREW", b"get"]
)
MOUNTS = ["/authz/nginx", "/authz/forward", "/authz/ext", "/authz/ext/"]
NEAR = [
    "/authz/nginx/", "/authz/Nginx", "/authz/", "/authz", "/%61uthz/ext/", "//authz/ext/",
    "http://a/authz/ext/", "http://a/authz/nginx", "/authz/ext/../nginx", "/authz/extra", "*",
    "/authz/nginx%3f", "/authz;a/ext", "/livez", "/", "",
]  # fmt: skip
HOSTS = st.sampled_from([b"Host: a\r\n"] * 12 + [b"", b"Host: a\r\nHost: b\r\n", b"host:\r\n"])
VERSIONS = st.sampled_from([b"1.1"] * 8 + [b"1.0", b"1.0", b"1.2", b"2.0", b"0.9"])
CONNECTIONS = [
    "keep-alive", "close", "Close", "keep-alive, close", "upgrade", "x", "", "close, upgrade",
]  # fmt: skip
ADDRESSES = [
    "1.2.3.4", "9.9.9.9", "1.2.3.4, 127.0.0.1", "127.0.0.1", "unknown", "", "1.2.3.4:99",
    "[::1]:99", "::ffff:1.2.3.4", "0127.0.0.1", "9.9.9.9,1.2.3.4", ",", "<script>",
]  # fmt: skip
BODIES = [
    b"\r\n",
    b"Content-Length: 0\r\n\r\n",
    b"Content-Length: 3\r\n\r\nabc",
    b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Auth-Token: hello\r\n\r\n",
    b"Expect: 100-continue\r\n\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    b"X: a\0b\r\n\r\n",
    b" folded: yes\r\n\r\n",
]
BODY = st.sampled_from(BODIES[:1] * 16 + BODIES)


@st.composite
def credential(draw, tokens: st.SearchStrategy[bytes]) -> bytes:
    """A header that may carry a token, spelled in any case, fit to be one or not."""
    names = ["authorization"] * 4 + ["x-auth-token", "x-authentication", "cookie", "x-other"]
    name = draw(st.sampled_from(names)).encode()
    schemes = [b"Token ", b"Bearer ", b"tOKEN ", b"Token", b"Basic ", b"Token  ", b"", b"token="]
    scheme, text = draw(st.sampled_from(schemes)), draw(tokens | BYTES)
    tail = draw(
        st.sampled_from(
            [b""] * 6 + [b" ", b"\t", b",", b", Token x", b"; token=y", b"\xff", QUIETLY, QUIETLY]
        )
    )
    spelled = draw(st.sampled_from([name, name.upper(), name.title()]))
    return spelled + b":" + draw(SPACES) + scheme + text + tail + draw(SPACES) + b"\r\n"


def line(name: str, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A header line."""
    return st.builds(lambda value: name.encode() + b": " + value + b"\r\n", values)


def among(*values: str) -> st.SearchStrategy[bytes]:
    """One of *values* as bytes."""
    return st.sampled_from([value.encode() for value in values])


METHOD_NAMES = among("GET", "HEAD", "POST", "get", "", "GET ", "GET, POST", "BREW", "OPTIONS")
ORIGINS = [b"Origin: http://a", b"Origin: null", b"Origin:", b"Access-Control-Request-Method: PUT"]
OTHERS = st.one_of(
    line("User-Agent", among(AGENT.decode()) | BYTES),
    line("X-Forwarded-For", among(*ADDRESSES) | BYTES),
    line("X-Original-Method", METHOD_NAMES),
    line("X-Forwarded-Method", METHOD_NAMES),
    line("Connection", among(*CONNECTIONS)),
    line("X-Auth-User", BYTES),
    line("Accept", BYTES),
    st.sampled_from(ORIGINS).map(lambda header: header + b"\r\n"),
)
USUAL = st.just(b"User-Agent: " + AGENT + b"\r\n")


@st.composite
def requests(draw, tokens: st.SearchStrategy[bytes]) -> bytes:
    """One request, from quite usual to quite broken."""
    path = draw(st.sampled_from(MOUNTS * 6 + NEAR)).encode()
    if path.endswith(b"/ext/"):
        path += draw(BYTES.map(lambda raw: raw.translate(None, b" \t")))
    query = draw(st.sampled_from([b""] * 6 + [b"?", b"?a=b&token=", b"?token=", b"#", b"??"]))
    if query.endswith(b"="):
        query += draw(tokens | among("%00", "a%20b", "%ff", "&token=x", ""))
        query += draw(st.sampled_from([b"", b"", QUIETLY, b"%7Cno_keepalive"]))
    creds = draw(st.lists(credential(tokens), min_size=0, max_size=2))
    others = draw(st.lists(OTHERS, max_size=4)) + draw(st.lists(USUAL, max_size=1))
    headers = b"".join(draw(st.permutations(creds + others)))
    first = draw(METHODS) + b" " + path + query + b" HTTP/" + draw(VERSIONS) + b"\r\n"
    return first + draw(HOSTS) + headers + draw(BODY)


PLACES = {fate: f"<{at:02}>".encode() for at, fate in enumerate(FATES)}
PLACED = st.sampled_from(sorted(PLACES.values()))


def filled(data: bytes, tokens: dict[str, str]) -> bytes:
    """*data* with the tokens at their places (they are new in each run, and examples are not)."""
    for fate, place in PLACES.items():
        data = data.replace(place, tokens[fate].encode())
    return data


GET = b"GET /authz/ext/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token <00>\r\n\r\n"


@given(data=st.lists(requests(PLACED), min_size=1, max_size=4), apart=st.booleans())
@example(data=[GET], apart=True)
@example(data=[GET, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), GET], apart=False)
@example(data=[GET.replace(b"1.1", b"1.0"), GET], apart=False)
@example(
    data=[GET, b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", GET], apart=False
)
@example(data=[GET, b"nonsense\r\n\r\n"], apart=False)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_the_same_bytes_get_the_same_bytes(twins: Twins, data: list[bytes], apart: bool) -> None:
    """One request or several, whole or broken: the answers differ in their date alone."""
    fast, slow = twins.ask(filled(b"".join(data), twins.tokens), apart=apart and len(data) == 1)

    assert same(slow, fast), f"\nlane:   {fast!r}\nwithout: {slow!r}"


PLAIN = [
    GET,
    b"HEAD /authz/nginx HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nx-auth-token: <04>\r\n\r\n",
    b"POST /authz/forward HTTP/1.1\r\nHost: a:80\r\nX-Forwarded-For: 1.2.3.4\r\n"
    b"X-Forwarded-Method: GET\r\nConnection: keep-alive\r\nAuthorization: bearer <03>\r\n\r\n",
    b"GET /authz/ext/a?b=c HTTP/1.1\r\nhost: a\r\nX-Authentication:<01>\r\nAccept: */*\r\n\r\n",
    b"GET /authz/ext/ HTTP/1.1\r\nHost: a\r\nX-Authentication: <00>|no_keepalive\r\n\r\n",
    b"GET /authz/ext HTTP/1.1\r\nHost:\r\nCookie: a=b; token=<02>\r\nX-Forwarded-For:\r\n\r\n",
    b"OPTIONS /authz/ext/ HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
    b"Access-Control-Request-Method: PUT\r\n\r\n",
    b"GET /authz/nginx HTTP/1.1\r\nHost: a\r\nX-Original-Method: OPTIONS\r\nOrigin: http://a\r\n"
    b"Access-Control-Request-Method: PUT\r\nCookie: a=b\r\n\r\n",
]
"""Requests that come whole and alone, as a lane would like them best."""

ODD = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\t", b" ", b":", b"\x7f", b"\x80", b"\xff",
    b"\x0b", b"#", b"?", b"//", b"%", b",", b"\r\n ", b"\r\n:", b"close", b"\r\nHost: b",
    b"\r\nConnection: close", b"\r\nContent-Length: 0", b"\r\nExpect: 100-continue",
    b"\r\nUpgrade: h2c", b"\r\nauthorization: Token x", b"\r\nTransfer-Encoding: chunked",
    b"\r\nProxy-Connection: close", b"\r\nKeep-Alive: timeout=5", b"\r\nuser-agent: b",
    b"\r\nX_Auth_Token: x", b"HTTP/1.0", b"1.0",
]  # fmt: skip
FLAWS = st.binary(max_size=2) | st.sampled_from(ODD)


@given(st.sampled_from(PLAIN), st.integers(0, 200), st.integers(0, 3), FLAWS)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_flaw_in_a_plain_request_is_seen_by_both(
    twins: Twins, data: bytes, at: int, less: int, flaw: bytes
) -> None:
    """A few bytes more, fewer or other at any place of a request that comes whole and alone."""
    at = at % len(data)
    data = filled(data[:at] + flaw + data[at + less :], twins.tokens)
    ends = data.endswith(b"\r\n\r\n") and b"ontent-" not in data and b"ransfer-" not in data
    fast, slow = twins.ask(data, apart=ends)

    assert same(slow, fast), f"{data!r}\nlane:    {fast!r}\nwithout: {slow!r}"


@pytest.mark.parametrize("size", [16_383, 16_384, 16_385])
@pytest.mark.parametrize("count", [1, 99, 100, 101])
def test_a_head_may_be_as_large_on_both(twins: Twins, size: int, count: int) -> None:
    """The last byte and the last header that are allowed are the same, in one packet."""
    head = filled(GET[:-2] + b"X: y\r\n" * (count - 3), twins.tokens)
    pad = b"X-Pad: %b\r\n\r\n" % (b"x" * (size - len(head) - 11))
    fast, slow = twins.ask(head + pad, apart=True)

    assert same(slow, fast), f"lane:    {fast!r}\nwithout: {slow!r}"
    assert (200 if size <= 16_384 and count <= 100 else 431) == statuses(fast)[0]


USE = (
    b"%b %b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\nUser-Agent: %b\r\n"
    b"X-Forwarded-For: %b\r\nX-Original-Method: %b\r\nX-Forwarded-Method: %b\r\n\r\n"
)


@pytest.mark.parametrize("fate", FATES)
def test_every_fate_is_told_the_same_on_every_mount(twins: Twins, fate: str) -> None:
    """Reads and writes, from home and from elsewhere, by the right and by another agent."""
    text = twins.tokens[fate].encode()
    for mount, method, agent, address in product(
        MOUNTS, (b"GET", b"POST"), (AGENT, b"other"), (b"1.2.3.4", b"9.9.9.9")
    ):
        data = USE % (method, mount.encode(), text, agent, address, method, method)
        fast, slow = twins.ask(data)

        assert same(slow, fast), f"{data!r}\nlane:    {fast!r}\nwithout: {slow!r}"


def statuses(raw: bytes) -> list[int]:
    """The status of each answer in *raw*; the last one is LAST's."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", raw)]


STATUSES = {
    "never ends": 200, "fixed end": 200, "odd name": 200, "read only": 200, "bound here": 200,
    "bound to home": 401, "revoked": 401, "evicted": 401, "marked": 401, "inactive": 401,
    "ownerless": 401, "expired": 401, "fenced in": 403, "at home only": 403, "moved": 200,
    "no policy": 503, "switched off": 401, "unknown": 401, "word": 401, "long": 401, "garbled": 401,
}  # fmt: skip

AT_HOME = {"bound here": 401, "bound to home": 200, "at home only": 200}


@pytest.mark.parametrize("fate", FATES)
def test_the_fates_are_what_they_are_called(twins: Twins, fate: str) -> None:
    """Agreement on the wrong thing would prove nothing."""
    own = twins.tokens[fate].encode() + b"\r\nX-Forwarded-For: 1.2.3.4\r\nUser-Agent: " + AGENT
    expected = {**STATUSES, **(AT_HOME if twins.trusting else {})}[fate]
    for raw in twins.ask(GET.replace(b"<00>", own)):
        assert [expected, 401] == statuses(raw)


def test_a_lowered_limit_is_held_the_same(server: Server) -> None:
    """The step behind ``trim`` is the same one: of four tokens the two newest are left."""
    server.flush()
    lowered = {"TOKENHOUSE_POLICY__TOWER__PER_USER": "2"}
    made: dict[str, list[str]] = {}

    async def work() -> None:
        async with Rig(server.url, replace(TOWER, reuse=False)) as rig:
            for owner in ("anna", "bert"):
                bound = {"policy": rig.policies[0], "prefix": LOCAL}
                made[owner] = [(await bearer(rig, owner, **bound))[0] for _ in range(4)]

    asyncio.run(work())
    said = {}
    for owner, lane in (("anna", "true"), ("bert", "false")):
        node = Node(server.url, {**lowered, "TOKENHOUSE_GATE__LANE": lane})
        try:
            said[owner] = []
            for text in made[owner]:
                with connect(node.url) as sock:
                    sock.sendall(GET.replace(b"<00>", text.encode()) + LAST)
                    said[owner].append(statuses(read(sock))[0])
        finally:
            node.stop()

    assert [401, 401, 200, 200] == said["anna"]
    assert said["anna"] == said["bert"]
