"""What the gate says back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.address import Trust
from service.gate.answer import Answer, Answers, lines, quoted
from service.gate.question import EXT, FORWARD, MOUNTS, NGINX, Asking, Missing, Mount
from service.model import Verdict, Word

ASKING = Asking(trust=Trust([]), ip_header="x-real-ip")
ANSWERS = Answers(ASKING)
OK = Verdict(
    word=Word.OK, owner="alice", policy="tower", write=True, token_id=65537, remaining_ms=1800000
)
IDENTITY = {
    b"x-auth-user",
    b"x-auth-token-id",
    b"x-auth-policy",
    b"x-auth-scopes",
    b"x-auth-expires-in",
}
REFUSALS = [
    Word.UNKNOWN,
    Word.MISMATCH,
    Word.REVOKED,
    Word.EVICTED,
    Word.EXPIRED,
    Word.INACTIVE,
    Word.DISABLED,
    Word.NETWORK,
    Word.READ_ONLY,
    *(reason for reason in Missing if reason is not Missing.PREFLIGHT),
]


def headers_of(answer: Answer) -> dict[bytes, bytes]:
    """The headers of *answer*, each of which must be there once."""
    found = dict(answer[1])
    assert len(answer[1]) == len(found)
    return found


def test_an_allow_is_exactly_200_with_an_empty_body_and_all_identity() -> None:
    """Envoy takes any other 2xx for a final answer; nginx drops a connection with a body."""
    status, _ = answer = ANSWERS.allow(OK, FORWARD)
    headers = headers_of(answer)

    assert 200 == status
    assert b"0" == headers[b"content-length"]
    assert b"no-store" == headers[b"cache-control"]
    assert IDENTITY == {name for name in headers if name.startswith(b"x-auth-")}
    assert (b"alice", b"65537", b"tower") == (
        headers[b"x-auth-user"],
        headers[b"x-auth-token-id"],
        headers[b"x-auth-policy"],
    )
    assert (b"read write", b"1800") == (
        headers[b"x-auth-scopes"],
        headers[b"x-auth-expires-in"],
    )


def test_there_is_a_dash_where_there_is_nothing_to_say() -> None:
    """A header that is left out would let a client's own copy through some gateways."""
    verdict = Verdict(word=Word.OK, owner="bob", policy="netbox", remaining_ms=-1)
    headers = headers_of(ANSWERS.allow(verdict, EXT))

    assert b"-" == headers[b"x-auth-expires-in"]
    assert b"read" == headers[b"x-auth-scopes"]


@given(st.text(min_size=1, max_size=60))
def test_any_owner_name_is_a_safe_header_value(name: str) -> None:
    """Names are percent-encoded, so no name can break a header or fake another."""
    if any("\ud800" <= char <= "\udfff" for char in name):
        return
    verdict = Verdict(word=Word.OK, owner=name, policy="tower")
    value = headers_of(ANSWERS.allow(verdict, NGINX))[b"x-auth-user"]

    assert all(0x20 < byte < 0x7F for byte in value)


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("reason", REFUSALS)
def test_a_deny_carries_no_identity_and_is_never_stored(
    reason: Word | Missing, mount: Mount
) -> None:
    """Most gateways copy every header of a deny to the client."""
    status, _ = answer = ANSWERS.deny(reason, mount)
    headers = headers_of(answer)

    assert status in (401, 403)
    assert b"no-store" == headers[b"cache-control"]
    assert b"0" == headers[b"content-length"]
    assert headers[b"www-authenticate"].startswith(b'Bearer realm="tokenhouse"')
    assert not [name for name in headers if name.startswith(b"x-auth-")]


def test_forbidden_is_only_what_another_token_or_place_would_allow() -> None:
    """403 for a read-only token and a foreign network, 401 for everything else."""
    forbidden = [word for word in REFUSALS if ANSWERS.deny(word, EXT)[0] == 403]

    assert [Word.NETWORK, Word.READ_ONLY] == forbidden


def test_no_credential_means_no_error_code() -> None:
    """RFC 6750 §3.1."""
    none = headers_of(ANSWERS.deny(Missing.NONE, EXT))[b"www-authenticate"]
    wrong = headers_of(ANSWERS.deny(Word.UNKNOWN, EXT))[b"www-authenticate"]

    assert b'Bearer realm="tokenhouse"' == none
    assert b'Bearer realm="tokenhouse", error="invalid_token"' == wrong


def test_the_reason_is_told_only_when_asked_for() -> None:
    """Caddy and Traefik hand deny headers to the client, so it is off by default."""
    telling = Answers(ASKING, reason_header=True)

    assert b"expired" == headers_of(telling.deny(Word.EXPIRED, EXT))[b"x-auth-reason"]


def test_vary_names_every_input() -> None:
    """A cache in front that keys on less would give one client another's answer."""
    asking = Asking(trust=Trust([]), ip_header="x-real-ip", cookie=True)
    vary = headers_of(Answers(asking).allow(OK, NGINX))[b"vary"].lower().split(b", ")

    assert {
        b"authorization",
        b"x-auth-token",
        b"x-authentication",
        b"user-agent",
        b"x-real-ip",
        b"x-original-method",
        b"cookie",
    } == set(vary)


def test_unavailable_is_503_with_retry_after() -> None:
    """Trouble is never an allow and never a deny."""
    status, _ = answer = ANSWERS.unavailable()

    assert 503 == status
    assert b"1" == headers_of(answer)[b"retry-after"]
    assert b"www-authenticate" not in headers_of(answer)


# -- keeping ---------------------------------------------------------------------------------------

KEEPING = Answers(ASKING, staleness_s=5)
MINUTE = 60_000


@pytest.mark.parametrize(
    ("remaining_ms", "touch_ms", "seconds"),
    [
        (-1, MINUTE, 5),
        (MINUTE, MINUTE, 5),
        (3_999, MINUTE, 3),
        (MINUTE, 2_000, 2),
        (-1, 2_000, 2),
        (1_000, 4_000, 1),
        (999, MINUTE, 0),
        (MINUTE, 999, 0),
        (0, MINUTE, 0),
        (MINUTE, 0, 0),
        (-1, -2_000, 0),
        (-1, (1 << 48) - 1, 5),
    ],
)
def test_an_allow_is_kept_no_longer_than_it_is_true(
    remaining_ms: int, touch_ms: int, seconds: int
) -> None:
    """The staleness, the token's end and the next note of its use: the first of them counts."""
    verdict = OK._replace(remaining_ms=remaining_ms, touch_ms=touch_ms)
    shared = headers_of(KEEPING.allow(verdict, FORWARD, private=False))[b"cache-control"]
    private = headers_of(KEEPING.allow(verdict, FORWARD, private=True))[b"cache-control"]

    if seconds:
        assert b"s-maxage=%d, must-revalidate" % seconds == shared
        assert b"private, max-age=%d, must-revalidate" % seconds == private
    else:
        assert b"no-store" == shared == private


@pytest.mark.parametrize("reason", [*REFUSALS, Missing.PREFLIGHT])
def test_nothing_but_an_allow_is_ever_kept(reason: Word | Missing) -> None:
    """However long an allow may be."""
    said = KEEPING.deny(reason, EXT) if isinstance(reason, Word) else KEEPING.unasked(reason, EXT)

    assert b"no-store" == headers_of(said)[b"cache-control"]
    assert b"no-store" == headers_of(KEEPING.unavailable())[b"cache-control"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_form_is_the_answer_that_it_stands_for(ends: bool) -> None:
    """Filled in, byte for byte; what may be kept included."""
    verdict = OK._replace(remaining_ms=61_000 if ends else -1, touch_ms=3_000, owner="zo\u00eb %s")
    for answers, kept in ((ANSWERS, ()), (KEEPING, (b"s-maxage=3, must-revalidate",))):
        form = answers.allow_form(NGINX, policy=b"tower", write=True, ends=ends)
        values = (*kept, quoted(verdict.owner.encode()), verdict.token_id, *([61] if ends else []))

        assert lines(answers.allow(verdict, NGINX, private=False)[1]) == form % values


# -- preflights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_preflight_passes_as_nobody(mount: Mount) -> None:
    """Every identity header is there, so that no client's copy gets through, and says nothing."""
    status, _ = answer = Answers(replace(ASKING, preflight=True)).unasked(Missing.PREFLIGHT, mount)
    headers = headers_of(answer)

    assert 200 == status
    assert dict.fromkeys(IDENTITY, b"-") == {name: headers[name] for name in IDENTITY}
    assert b"no-store" == headers[b"cache-control"]
    assert b"www-authenticate" not in headers


def test_no_owner_is_taken_for_nobody() -> None:
    """A user may be called "-"."""
    verdict = OK._replace(owner="-")

    assert b"%2D" == headers_of(ANSWERS.allow(verdict, EXT))[b"x-auth-user"]


def test_only_answers_without_a_token_vary_by_what_makes_a_preflight() -> None:
    """A page's origin does not split what is kept for a token."""
    answers = Answers(replace(ASKING, preflight=True), staleness_s=5)
    vary = [
        headers_of(answer)[b"vary"].endswith(b", Origin, Access-Control-Request-Method")
        for answer in (
            answers.deny(Missing.NONE, EXT),
            answers.unasked(Missing.PREFLIGHT, EXT),
            answers.deny(Word.UNKNOWN, EXT),
            answers.allow(OK, EXT),
        )
    ]

    assert [True, True, False, False] == vary
