"""Accept and ``?format=`` choose the form of an answer as REST framework does."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from service.wire.rest.accept import Accepted, accepted, choose
from service.wire.rest.refusal import NotAcceptable, NotFound

JSON, HTML = "application/json", "text/html"


def request(accept: str | None, query: str = "") -> Request:
    """A request with this Accept header, None for none at all."""
    headers = [] if accept is None else [(b"accept", accept.encode())]
    scope: dict[str, Any] = {"type": "http", "query_string": query.encode(), "headers": headers}
    return Request(scope)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/*",
        JSON,
        "application/json;",
        "application/json; unknown=1",
        "application/json; q=0.1, text/html",
        "text/html, application/json; q=0",
        "application/xml, */*",
    ],
)
def test_json_is_given_where_it_may_be(accept: str | None):
    """Qualities are not read, and among equally specific entries JSON comes first."""
    assert Accepted(JSON) == accepted(request(accept))


@pytest.mark.parametrize("accept", [HTML, "text/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_pages_are_given_to_browsers(accept: str):
    """An entry that is more specific outranks ``*/*``."""
    assert Accepted(HTML) == accepted(request(accept))


@pytest.mark.parametrize("accept", ["", "garbage", "application/xml", "image/*", ";"])
def test_nothing_else_is_acceptable(accept: str):
    """A header that was sent empty takes nothing."""
    with pytest.raises(NotAcceptable, match="Could not satisfy the request Accept header"):
        accepted(request(accept))


@pytest.mark.parametrize(
    ("accept", "indent"),
    [
        ("application/json; indent=4", 4),
        ('application/json; indent="4"', 4),
        ("application/json;INDENT=4", 4),
        ("*/*; indent=4", 4),
        ("application/json; indent=+4", 4),
        ("application/json; indent=0", 0),
        ("application/json; indent=-1", 0),
        ("application/json; indent=9", 8),
        ("application/json; indent=99999999999999999999", 8),
        ("application/json; indent=x", 0),
        ("application/json; indent=٤", 0),
        ("application/json; indent=", 0),
    ],
)
def test_an_indent_is_between_nothing_and_eight(accept: str, indent: int):
    """What is no number is none."""
    assert Accepted(JSON, indent) == choose(accept, [JSON, HTML])


def test_a_version_is_handed_on():
    """What it means is the product's business."""
    found = accepted(request("application/json; version=9.9"))

    assert "9.9" == found.version


def test_the_query_narrows_the_choice():
    """``?format=json`` beside a browser's header is not acceptable, nor is what does not exist."""
    assert Accepted(JSON, 4) == accepted(request("*/*; indent=4", "format=json"))
    assert Accepted(HTML) == accepted(request("*/*", "format=api"))
    with pytest.raises(NotAcceptable):
        accepted(request(HTML, "format=json"))
    with pytest.raises(NotFound):
        accepted(request("*/*", "format=xml"))


def test_a_path_may_end_in_a_format():
    """It outranks the query."""
    assert Accepted(JSON) == accepted(request("*/*", "format=api"), "json")
