"""The two fields of a login are judged in Tower's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.tower.fields import Fields
from tests.unit.dialects.tower.maker import Tower, never_cached

PATH = "/api/v2/authtoken/"
BAD_LOGIN = {"__all__": ["Unable to login with provided credentials."]}
REQUIRED, BLANK = ["This field is required."], ["This field may not be blank."]
NULL, NO_STRING = ["This field may not be null."], ["Not a valid string."]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"username": REQUIRED, "password": REQUIRED}),
        ({"username": "alice"}, {"password": REQUIRED}),
        ({"password": "pw"}, {"username": REQUIRED}),
        ({"username": "", "password": " \n\t"}, {"username": BLANK, "password": BLANK}),
        ({"username": None, "password": None}, {"username": NULL, "password": NULL}),
        ({"username": True, "password": []}, {"username": NO_STRING, "password": NO_STRING}),
        ({"username": {}, "password": "pw"}, {"username": NO_STRING}),
        ({"username": "alice", "password": "wrong"}, BAD_LOGIN),
        ({"username": "Alice", "password": "pw"}, BAD_LOGIN),
        ({"username": "nobody", "password": "pw"}, BAD_LOGIN),
        ({"username": "alice", "password": 12}, BAD_LOGIN),
        ({"username": "a\x00b", "password": "pw"}, BAD_LOGIN),
        ({"username": "alice", "password": "\x00"}, BAD_LOGIN),
        ({"username": "x" * 5000, "password": "x" * 5000}, BAD_LOGIN),
        ({"username": "\ud800", "password": "\ud800"}, BAD_LOGIN),
        ({"username": "alice", "password": "\ud800"}, BAD_LOGIN),
    ],
)
async def test_fields_are_blamed_in_towers_words(
    client: Any, fields: dict[str, Any], errors: dict[str, list[str]]
):
    """Every fault is 400, by field or under ``__all__``, and may not be cached."""
    response = await client.post(
        PATH, content=json.dumps(fields), headers={"Content-Type": "application/json"}
    )

    assert (400, errors) == (response.status_code, response.json())
    assert list(errors) == list(response.json())
    assert never_cached(response)
    assert "pragma" not in response.headers
    assert "auth-token-timeout" not in response.headers


@pytest.mark.parametrize("password", ["12345", "1.10", "1e5", "-0", "9" * 40])
async def test_a_number_is_the_password_as_it_was_typed(house: Tower, client: Any, password: str):
    """Clients that make numbers of digits can log in, however many digits there are."""
    await house.house.users.set_password("bob", password)
    body = f'{{"username": "bob", "password": {password}}}'
    response = await client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert 200 == response.status_code


async def test_a_disabled_user_cannot_log_in(house: Tower, client: Any):
    """The right password of a disabled user reads like a wrong one."""
    await house.house.users.disable("alice")
    response = await client.post(PATH, json={"username": "alice", "password": "pw"})

    assert (400, BAD_LOGIN) == (response.status_code, response.json())


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["username", "password", "x"]), JSON))
def test_every_object_is_two_strings_or_a_fault(data: dict[str, Any]):
    """Whatever is sent, both fields are trimmed strings, or a field says what is wrong."""
    fields = Fields(data)

    for name in ("username", "password"):
        text = getattr(fields, name)
        assert (name in fields.errors) or (text and text == text.strip())
