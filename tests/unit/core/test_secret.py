"""Token texts: where they belong, how they are made and made again."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.secret import (
    Form,
    Garbled,
    Secrets,
    agent_digest,
    checksum,
    digest_of,
    hkdf,
    place_of,
    shard_of_text,
    spell,
)

OLD, NEW = b"o" * 32, b"n" * 32
SHARD = b"\xab\xcd"


@given(
    st.one_of(
        st.binary(max_size=80), st.binary(min_size=40, max_size=44), st.text().map(str.encode)
    )
)
def test_any_bytes_have_a_shard(text: bytes):
    """Whatever a client sends, it has a shard of two bytes, the same each time."""
    assert 2 == len(shard_of_text(text))
    assert shard_of_text(text) == shard_of_text(text)


@given(st.binary(min_size=20, max_size=20))
def test_a_hex_token_names_its_shard(raw: bytes):
    """The first four of forty lower-case hex digits are the shard."""
    assert raw[:2] == shard_of_text(raw.hex().encode())


@given(st.binary(min_size=32, max_size=32))
def test_a_base64_token_names_its_shard(raw: bytes):
    """The first two bytes of the base64url form are the shard."""
    text = spell(raw, Form.BASE64)

    assert (44, "0") == (len(text), text[0])
    assert raw[:2] == shard_of_text(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a" * 39,
        b"a" * 41,
        b"A" * 40,
        b"abcg" + b"a" * 36,
        b"0x" + b"a" * 38,
        b"0X" + b"a" * 38,
        b"a_b_" + b"a" * 36,
        b" abc" + b"a" * 36,
        b"abcd" + b"a" * 35 + b"\n",
        b"\nabcd" + b"a" * 35,
        b"+abc" + b"a" * 36,
        b"-abc" + b"a" * 36,
        "١٢٣٤".encode() + b"a" * 32,
        "１２".encode() + b"a" * 34,
        b"\0" * 40,
        b"\xff" * 40,
        b"0" + b"a" * 42,
        b"0" + b"a" * 42 + b"=",
        b"0" + b"a" * 42 + b"\n",
        b"0" + b"a" * 42 + b"+",
        b"1" + b"a" * 43,
        b"0a b" + b"a" * 40,
    ],
)
def test_odd_spellings_are_not_decoded(text: bytes):
    """What is not exactly one of our spellings is placed by its SHA-256."""
    assert hashlib.sha256(text).digest()[:2] == shard_of_text(text)


@pytest.mark.parametrize("form", list(Form))
def test_a_made_token_lies_in_its_shard_and_can_be_made_again(form: Form):
    """Text and nonce belong together: the nonce gives the text back."""
    secrets = Secrets([NEW])
    text, nonce = secrets.make(SHARD, form)
    digest = digest_of(text.encode())

    assert SHARD == shard_of_text(text.encode())
    assert text == secrets.recover(SHARD, form, nonce=nonce, digest=digest)
    assert text == secrets.recover(SHARD, form, nonce=nonce + b"123456", digest=digest)


NATIVE = spell(SHARD + bytes(range(31)), Form.NATIVE)


def test_a_native_token_tells_that_it_was_made_here():
    """By its first characters, and by a checksum that no other text has."""
    assert re.fullmatch(r"th_[0-9A-Za-z]{51}", NATIVE)
    assert checksum(NATIVE[:-6].encode()) == NATIVE[-6:]
    assert "000000" == checksum(b"") != checksum(b"a")


@pytest.mark.parametrize(
    "text",
    [
        "th_",
        "th_" + "A" * 51,
        NATIVE[:-1],
        NATIVE + "0",
        NATIVE[:-1] + ("0" if NATIVE[-1] != "0" else "1"),
        NATIVE[:3] + NATIVE[3:].swapcase(),
        NATIVE + "\n",
        # A shard that there is not, with the checksum that it would have.
        "th_zzz" + NATIVE[6:-6] + checksum(f"th_zzz{NATIVE[6:-6]}".encode()),
    ],
)
def test_a_garbled_native_token_has_no_place(text: str):
    """So nobody asks the store for it."""
    with pytest.raises(Garbled):
        place_of(text.encode())


def test_a_key_of_forty_characters_may_begin_with_anything():
    """Somebody may have chosen it."""
    text = b"th_" + b"k" * 37

    assert hashlib.sha256(text).digest()[:2] == place_of(text)[0]


def test_no_two_tokens_are_the_same():
    """A thousand tokens of one shard are a thousand texts and nonces."""
    made = [Secrets([NEW]).make(SHARD, Form.HEX) for _ in range(1_000)]

    assert 1_000 == len({text for text, _ in made}) == len({nonce for _, nonce in made})


def test_keys_are_appended_then_moved_then_dropped():
    """A rotation in three steps keeps every token recoverable until its key is gone."""
    steps = [Secrets([OLD]), Secrets([OLD, NEW]), Secrets([NEW, OLD])]
    for maker in steps:
        text, nonce = maker.make(SHARD, Form.HEX)
        digest = digest_of(text.encode())
        for other in steps[1:]:
            assert text == other.recover(SHARD, Form.HEX, nonce=nonce, digest=digest)

    text, nonce = steps[0].make(SHARD, Form.HEX)
    digest = digest_of(text.encode())
    assert Secrets([NEW]).recover(SHARD, Form.HEX, nonce=nonce, digest=digest) is None


def test_the_front_key_makes():
    """What is made carries the name of the first key."""
    _, nonce = Secrets([NEW, OLD]).make(SHARD, Form.HEX)

    assert hashlib.sha256(NEW).digest()[:4] == nonce[16:]


@pytest.mark.parametrize(
    ("shard", "form", "spoil"),
    [
        (b"\0\0", Form.HEX, lambda nonce: nonce),
        (SHARD, Form.BASE64, lambda nonce: nonce),
        (SHARD, Form.HEX, lambda nonce: b"x" + nonce[1:]),
        (SHARD, Form.HEX, lambda nonce: nonce[:16] + b"abcd"),
        (SHARD, Form.HEX, lambda _: b""),
        (SHARD, Form.HEX, lambda nonce: nonce[:10]),
    ],
)
def test_a_derivation_that_does_not_fit_is_not_shown(shard: bytes, form: Form, spoil):
    """Another shard, form, nonce or key name gives nothing, never a wrong text."""
    secrets = Secrets([NEW, OLD])
    text, nonce = secrets.make(SHARD, Form.HEX)

    found = secrets.recover(shard, form, nonce=spoil(nonce), digest=digest_of(text.encode()))

    assert found is None


def test_two_services_make_different_tokens_of_one_nonce():
    """Without the key a nonce is worth nothing."""
    text, nonce = Secrets([NEW]).make(SHARD, Form.HEX)
    forged = nonce[:16] + hashlib.sha256(OLD).digest()[:4]

    digest = digest_of(text.encode())
    assert Secrets([OLD]).recover(SHARD, Form.HEX, nonce=forged, digest=digest) is None


def test_hkdf_is_rfc_5869():
    """The derivation agrees with RFC 5869, test case 3 (no salt; here 32 bytes, no info)."""
    assert "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" == (
        hkdf(b"\x0b" * 22, b"").hex()
    )


def test_each_purpose_has_its_own_key():
    """Keys for two labels, and the key itself, are all different."""
    assert 3 == len({hkdf(NEW, b"a"), hkdf(NEW, b"b"), NEW})


def test_digests_are_cut_sha256():
    """What is kept of a token are 20 bytes, of an agent 16; no agent is as an empty one."""
    assert hashlib.sha256(b"x").digest()[:20] == digest_of(b"x")
    assert hashlib.sha256(b"").digest()[:16] == agent_digest(b"")
    assert bytes(16) != agent_digest(b"")
    assert hmac.compare_digest(agent_digest(b"a"), agent_digest(b"a"))
