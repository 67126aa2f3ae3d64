"""Numbers as UUIDs: one for one, and nothing else is ever taken for one."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from service.core.ids import for_users, from_uuid, to_uuid

BORN = b"0e469184565da413"
NUMBERS = st.integers(1, (1 << 56) - 1)


@given(NUMBERS, st.binary(min_size=1, max_size=32))
def test_a_number_comes_back(number: int, born: bytes) -> None:
    """Through a UUID that looks random (version 4)."""
    value = to_uuid(number, born)

    assert number == from_uuid(value, born)
    assert (4, uuid.RFC_4122) == (value.version, value.variant)


@given(NUMBERS, st.integers(0, 127))
def test_a_uuid_with_a_changed_bit_is_nobody_s(number: int, bit: int) -> None:
    """Nobody finds tokens by trying neighbours."""
    value = to_uuid(number, BORN)

    assert from_uuid(uuid.UUID(int=value.int ^ (1 << bit)), BORN) is None


@given(st.uuids(version=4))
def test_a_foreign_uuid_is_no_number(value: uuid.UUID) -> None:
    """Random ones of other makers."""
    assert from_uuid(value, BORN) is None


@given(NUMBERS, NUMBERS)
def test_another_store_knows_nothing_of_it(one: int, other: int) -> None:
    """The same number is another UUID there, and neighbours share nothing."""
    assert from_uuid(to_uuid(one, BORN), b"another") is None
    assert (to_uuid(one, BORN) == to_uuid(other, BORN)) == (one == other)


@given(NUMBERS)
def test_a_user_is_not_taken_for_a_token(number: int) -> None:
    """The same number is another UUID, and neither is read as the other."""
    users = for_users(BORN)
    user, token = to_uuid(number, users), to_uuid(number, BORN)

    assert number == from_uuid(user, users)
    assert from_uuid(user, BORN) is None is from_uuid(token, users)
