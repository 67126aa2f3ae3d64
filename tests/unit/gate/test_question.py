"""What the gate reads out of a gateway's request."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.address import Trust, pack
from service.core.secret import agent_digest
from service.gate.question import (
    EXT,
    FORWARD,
    MOUNTS,
    NGINX,
    Asking,
    Missing,
    Mount,
    Question,
    Questions,
    mount_of,
)
from service.model import Trace

PROXY = pack("10.0.0.1")
STRANGER = pack("203.0.113.9")
TRUST = Trust([ipaddress.ip_network("10.0.0.0/8")])
PLAIN = Asking(trust=TRUST, ip_header="x-forwarded-for")
OPEN = Asking(trust=TRUST, ip_header="x-forwarded-for", cookie=True, query=True)
TOKEN = b"a" * 40


def ask(
    *headers: tuple[bytes, bytes],
    mount: Mount = FORWARD,
    method: bytes = b"GET",
    query: bytes = b"",
    peer: bytes = PROXY,
    asking: Asking = PLAIN,
) -> Question | Missing:
    """What is read out of a request with these headers."""
    questions = Questions(asking)
    return questions.read(
        mount,
        method,
        query,
        headers=headers,
        fields=dict(headers),
        peer=questions.peer(peer),
    )


def token_of(*headers: tuple[bytes, bytes], asking: Asking = PLAIN, query: bytes = b"") -> object:
    """The token read, or why there is none."""
    found = ask(*headers, query=query, asking=asking)
    return found.token if isinstance(found, Question) else found


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        (b"/authz/nginx", NGINX),
        (b"/authz/forward", FORWARD),
        (b"/authz/ext", EXT),
        (b"/authz/ext/", EXT),
        (b"/authz/ext/api/x%2Fy//z/", EXT),
        (b"/authz/nginx/", None),
        (b"/authz/", None),
        (b"/authz/extra", None),
        (b"/authz/forward/x", None),
    ],
)
def test_a_path_belongs_to_one_mount_or_none(path: bytes, mount: Mount | None) -> None:
    """Only /authz/ext has anything below it."""
    assert mount == mount_of(path)


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Token " + TOKEN),
        (b"authorization", b"Bearer " + TOKEN),
        (b"authorization", b"bEaReR " + TOKEN),
        (b"authorization", b"Bearer   " + TOKEN + b"  "),
        (b"x-auth-token", TOKEN),
        (b"x-auth-token", b"Token " + TOKEN),
        (b"x-authentication", TOKEN),
    ],
)
def test_every_header_form_gives_the_token(header: tuple[bytes, bytes]) -> None:
    """Schemes are case-insensitive and blanks around the token do not matter."""
    assert TOKEN == token_of(header)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], Missing.NONE),
        ([(b"authorization", b"Basic " + TOKEN)], Missing.NONE),
        ([(b"authorization", b"")], Missing.NONE),
        ([(b"x-auth-token", b"  ")], Missing.NONE),
        ([(b"authorization", b"Bearer")], Missing.MALFORMED),
        ([(b"authorization", b"Bearer ")], Missing.MALFORMED),
        ([(b"authorization", b"Bearer a b")], Missing.MALFORMED),
        ([(b"authorization", b"Bearer a\tb")], Missing.MALFORMED),
        ([(b"authorization", b"Bearer " + TOKEN + b",Bearer " + TOKEN)], Missing.MALFORMED),
        ([(b"authorization", b"Bearer t\xf6ken")], Missing.MALFORMED),
        ([(b"authorization", b"Bearer " + b"a" * 257)], Missing.MALFORMED),
        ([(b"x-auth-token", b"Token a b")], Missing.MALFORMED),
        ([(b"authorization", b"Token aa"), (b"x-auth-token", b"bb")], Missing.AMBIGUOUS),
        ([(b"authorization", b"Token aa"), (b"authorization", b"Token bb")], Missing.AMBIGUOUS),
        ([(b"cookie", b"token=" + TOKEN)], Missing.NONE),
        ([(b"authorization", b"Token " + TOKEN), (b"x-auth-token", b"a\xff")], Missing.AMBIGUOUS),
    ],
)
def test_what_cannot_be_a_token_is_refused(
    headers: list[tuple[bytes, bytes]], reason: Missing
) -> None:
    """Missing, malformed and contradictory credentials need no store to be refused."""
    assert reason == token_of(*headers)


def test_the_same_token_twice_is_one_token() -> None:
    """A gateway that copies the credential into a second header changes nothing."""
    assert TOKEN == token_of((b"authorization", b"Token " + TOKEN), (b"x-auth-token", TOKEN))


def test_cookie_and_query_need_their_switches() -> None:
    """With the switches on, Tower's quoted cookie and ?token= are read; off, they are not."""
    cookie = (b"cookie", b'a=b; token="' + TOKEN + b'"')

    assert TOKEN == token_of(cookie, asking=OPEN)
    assert TOKEN == token_of(asking=OPEN, query=b"x=1&token=" + TOKEN)
    assert Missing.NONE == token_of(cookie, query=b"token=" + TOKEN)


def test_a_cookie_that_names_two_tokens_names_none() -> None:
    """Nor is it passed over for another credential."""
    two = (b"cookie", b"token=a; token=b")

    assert Missing.MALFORMED == token_of(two, asking=OPEN)
    assert Missing.AMBIGUOUS == token_of(two, (b"x-auth-token", TOKEN), asking=OPEN)


QUIET = TOKEN + b"|no_keepalive"


def test_a_suffix_says_that_it_is_no_use() -> None:
    """As Puppet's tools write it: in its own header and in the query, encoded or not."""
    for found in (
        ask((b"x-authentication", QUIET)),
        ask(asking=OPEN, query=b"token=" + QUIET),
        ask(asking=OPEN, query=b"token=" + TOKEN + b"%7Cno_keepalive"),
        ask((b"x-authentication", QUIET), (b"authorization", b"Token " + TOKEN)),
    ):
        assert isinstance(found, Question)
        assert (TOKEN, Trace.NONE) == (found.token, found.trace)


def test_elsewhere_the_suffix_belongs_to_the_token() -> None:
    """So it is one that nobody has; and nothing but it is no token."""
    for header in ((b"x-auth-token", QUIET), (b"authorization", b"Bearer " + QUIET)):
        found = ask(header)
        assert isinstance(found, Question)
        assert (QUIET, Trace.WHOLE) == (found.token, found.trace)
    assert Missing.MALFORMED == token_of((b"x-authentication", b"|no_keepalive"))
    assert QUIET == token_of((b"x-authentication", QUIET + b"|no_keepalive"))


def test_query_and_header_that_disagree_are_refused() -> None:
    """Never "the first one wins"."""
    found = token_of((b"x-auth-token", TOKEN), asking=OPEN, query=b"token=other")

    assert Missing.AMBIGUOUS == found


@pytest.mark.parametrize(
    ("mount", "method", "header", "peer", "write"),
    [
        (NGINX, b"GET", (b"x-original-method", b"GET"), PROXY, False),
        (NGINX, b"GET", (b"x-original-method", b"POST"), PROXY, True),
        (NGINX, b"GET", (b"x-original-method", b"get"), PROXY, True),
        (NGINX, b"GET", (b"x-original-method", b"GET"), STRANGER, True),
        (NGINX, b"GET", (b"x-forwarded-method", b"GET"), PROXY, True),
        (FORWARD, b"GET", (b"x-forwarded-method", b"HEAD"), PROXY, False),
        (FORWARD, b"GET", (b"x-forwarded-method", b"DELETE"), PROXY, True),
        (FORWARD, b"GET", (b"x-original-method", b"GET"), PROXY, True),
        (EXT, b"GET", (b"x-forwarded-method", b"POST"), PROXY, False),
        (EXT, b"POST", (b"x-forwarded-method", b"GET"), PROXY, True),
        (EXT, b"BREW", (b"x-original-method", b"GET"), PROXY, True),
    ],
)
def test_each_mount_reads_one_method_source(
    mount: Mount, method: bytes, header: tuple[bytes, bytes], peer: bytes, write: bool
) -> None:
    """What is missing, unknown or said by a stranger counts as a write."""
    found = ask((b"x-auth-token", TOKEN), header, mount=mount, method=method, peer=peer)

    assert isinstance(found, Question)
    assert write == found.write


def test_two_method_headers_count_as_a_write() -> None:
    """A client's own copy beside the gateway's does not let a read-only token write."""
    copies = [(b"x-forwarded-method", b"GET"), (b"x-forwarded-method", b"DELETE")]
    found = ask((b"x-auth-token", TOKEN), *copies)

    assert isinstance(found, Question)
    assert found.write


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        (STRANGER, [(b"x-forwarded-for", b"6.6.6.6")], "203.0.113.9"),
        (PROXY, [(b"x-forwarded-for", b"6.6.6.6, 192.0.2.7")], "192.0.2.7"),
        (PROXY, [(b"x-forwarded-for", b"192.0.2.7, 10.1.1.1")], "192.0.2.7"),
        (PROXY, [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"1.1.1.1")], "1.1.1.1"),
        (PROXY, [(b"x_forwarded_for", b"6.6.6.6")], ""),
        (PROXY, [], ""),
        (PROXY, [(b"x-forwarded-for", b"unknown")], ""),
        (PROXY, [(b"x-forwarded-for", b"<script>")], ""),
        (b"", [(b"x-forwarded-for", b"6.6.6.6")], ""),
    ],
)
def test_the_address_counts_only_from_a_trusted_proxy_and_from_the_right(
    peer: bytes, headers: list[tuple[bytes, bytes]], address: str
) -> None:
    """An untrusted peer is itself the client; an unusable claim makes the address unknown."""
    found = ask((b"x-auth-token", TOKEN), *headers, peer=peer)

    assert isinstance(found, Question)
    assert (pack(address) if address else b"") == found.address


@pytest.mark.parametrize("said", [[], [(b"x-forwarded-for", b"unknown")]])
def test_a_trusted_proxy_may_stand_for_a_client_that_it_does_not_name(
    said: list[tuple[bytes, bytes]],
) -> None:
    """Where it is so configured, and never for one that it names; a stranger is who he is."""
    asking = Asking(trust=TRUST, ip_header="x-forwarded-for", fallback=True)
    named = ask((b"x-auth-token", TOKEN), (b"x-forwarded-for", b"192.0.2.7"), asking=asking)
    found = ask((b"x-auth-token", TOKEN), *said, asking=asking)
    stranger = ask((b"x-auth-token", TOKEN), *said, peer=STRANGER, asking=asking)

    assert [pack("192.0.2.7"), PROXY, STRANGER] == [
        each.address for each in (named, found, stranger) if isinstance(each, Question)
    ]


def test_an_absent_agent_equals_an_empty_one() -> None:
    """Tower hashes the empty string for a client that sends no User-Agent."""
    absent = ask((b"x-auth-token", TOKEN))
    empty = ask((b"x-auth-token", TOKEN), (b"user-agent", b""))

    assert absent == empty
    assert isinstance(absent, Question)
    assert agent_digest(b"") == absent.agent


# -- preflights ------------------------------------------------------------------------------------

LETTING = Asking(trust=TRUST, ip_header="x-forwarded-for", cookie=True, query=True, preflight=True)
ORIGIN, WANTED = (b"origin", b"https://a"), (b"access-control-request-method", b"PUT")
ASKS = (ORIGIN, WANTED)
OPTIONS = (b"x-forwarded-method", b"OPTIONS")


def test_a_preflight_is_an_options_with_its_two_headers() -> None:
    """At each mount by its own method source."""
    nginx = (b"x-original-method", b"OPTIONS")

    assert Missing.PREFLIGHT == ask(*ASKS, OPTIONS, asking=LETTING)
    assert Missing.PREFLIGHT == ask(*ASKS, nginx, mount=NGINX, asking=LETTING)
    assert Missing.PREFLIGHT == ask(*ASKS, mount=EXT, method=b"OPTIONS", asking=LETTING)
    assert Missing.PREFLIGHT == ask(
        *ASKS, mount=EXT, method=b"OPTIONS", peer=STRANGER, asking=LETTING
    )


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        ([ORIGIN, OPTIONS], {}),
        ([WANTED, OPTIONS], {}),
        ([(b"origin", b""), WANTED, OPTIONS], {}),
        ([*ASKS], {}),
        ([*ASKS], {"method": b"OPTIONS"}),
        ([*ASKS, (b"x-forwarded-method", b"GET")], {}),
        ([*ASKS, (b"x-forwarded-method", b"options")], {}),
        ([*ASKS, OPTIONS, OPTIONS], {}),
        ([*ASKS, OPTIONS], {"peer": STRANGER}),
        ([*ASKS, OPTIONS], {"mount": NGINX}),
        ([*ASKS, OPTIONS], {"mount": EXT}),
        ([*ASKS, OPTIONS, (b"authorization", b"Basic YTpi")], {}),
        ([*ASKS, OPTIONS, (b"authorization", b"")], {}),
        ([*ASKS, OPTIONS, (b"x-auth-token", b"")], {}),
        ([*ASKS, OPTIONS, (b"cookie", b"a=b")], {}),
        ([*ASKS, OPTIONS], {"asking": OPEN}),
    ],
)
def test_what_is_not_quite_a_preflight_needs_a_token(
    headers: list[tuple[bytes, bytes]], options: dict[str, Any]
) -> None:
    """Another method, one that is not believed, half of it, anything like a credential, or off."""
    assert Missing.NONE == ask(*headers, **{"asking": LETTING, **options})


def test_a_preflight_with_a_token_is_a_use_of_it() -> None:
    """A token is never passed over: it counts, good or bad."""
    asked = ask(*ASKS, OPTIONS, asking=LETTING, query=b"token=abc")

    assert isinstance(asked, Question)
    assert (b"abc", False) == (asked.token, asked.write)


def test_an_address_of_the_peer_s_own_is_private() -> None:
    """No header names it, so no shared cache can tell one client from another."""
    named = (b"x-forwarded-for", b"192.0.2.7")
    asked = [ask((b"x-auth-token", TOKEN), named, peer=peer) for peer in (PROXY, STRANGER)]

    assert [False, True] == [isinstance(each, Question) and each.private for each in asked]


header_names = st.sampled_from(
    [
        b"authorization",
        b"x-auth-token",
        b"x-authentication",
        b"cookie",
        b"user-agent",
        b"x-forwarded-for",
        b"x-forwarded-method",
        b"forwarded",
    ]
)


@given(
    st.lists(st.tuples(header_names, st.binary(max_size=60)), max_size=8),
    st.binary(max_size=40),
    st.sampled_from(MOUNTS),
    st.sampled_from(["x-forwarded-for", "forwarded"]),
)
def test_no_bytes_make_it_fail(
    headers: list[tuple[bytes, bytes]], query: bytes, mount: Mount, ip_header: str
) -> None:
    """Whatever arrives is a question with a clean token, or a reason there is none."""
    asking = Asking(trust=TRUST, ip_header=ip_header, cookie=True, query=True)
    found = ask(*headers, mount=mount, query=query, asking=asking)

    if isinstance(found, Question):
        assert 0 < len(found.token) <= 256
        assert all(0x20 < byte < 0x7F for byte in found.token)
        assert len(found.address) in (0, 16)
    else:
        assert isinstance(found, Missing)
