"""The pieces of a description: small, and whole by themselves."""

from __future__ import annotations

from service.wire import openapi as api


def test_every_answer_before_a_dialect_is_asked_is_always_there() -> None:
    """What the protocol may say is among the answers of every operation, in order of status."""
    made = api.errors(s404="NotFound", s400="Own")

    assert [*made] == sorted({*api.ANYWHERE, "404"})
    assert api.shared("Own") == made["400"]
    assert api.shared("TooLarge") == made["413"]


def test_every_shared_answer_that_is_named_exists() -> None:
    """No status points to an answer that nobody wrote, and no answer to a schema without words."""
    assert {*api.ANYWHERE.values()} <= {*api.RESPONSES}
    for answer in api.RESPONSES.values():
        assert api.ref("Detail") == answer["content"][api.JSON]["schema"]


def test_a_record_needs_what_it_has() -> None:
    """All members are required unless it is said which; an open one may have others."""
    members = {"a": api.TEXT, "b": api.WHOLE}

    assert ["a", "b"] == api.record(members)["required"]
    assert ["a"] == api.record(members, ("a",))["required"]
    assert "required" not in api.record(members, ())
    assert api.record(members)["additionalProperties"] is False
    assert "additionalProperties" not in api.record(members, closed=False)


def test_a_credential_may_be_left_out_where_that_is_said() -> None:
    """Any of several is one way each; the empty one is for who sends none."""
    assert [{"token": []}, {"basic": []}] == api.by("token", "basic")
    assert [{"token": []}, {}] == api.by("token", optional=True)
