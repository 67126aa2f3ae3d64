"""OPTIONS tells what a resource is, and its fields to whoever may use them."""

from __future__ import annotations

from service.wire.rest.metadata import described, field


def test_a_resource_is_described():
    """Without anything to do there are no actions."""
    plain = {
        "name": "Token",
        "description": "",
        "renders": ["application/json", "text/html"],
        "parses": ["application/json"],
    }
    actions = {"POST": {"key": field("string", "Key", max_length=40)}}

    assert plain == described("Token", "", parses=("application/json",))
    assert plain == described("Token", "", parses=("application/json",), actions={})
    assert {**plain, "actions": actions} == described(
        "Token", "", parses=("application/json",), actions=actions
    )


def test_a_field_has_its_members_in_order():
    """Facts beyond the four that every field has come last."""
    found = field("string", "Key", required=True, min_length=1, help_text="h")

    assert [
        ("type", "string"),
        ("required", True),
        ("read_only", False),
        ("label", "Key"),
        ("min_length", 1),
        ("help_text", "h"),
    ] == list(found.items())
