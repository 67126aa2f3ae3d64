"""What the gate says back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.address import Trust
from service.gate.answer import Answer, Answers
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
