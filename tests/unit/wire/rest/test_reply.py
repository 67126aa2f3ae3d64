"""Replies become bytes with the headers that belong to them."""

from __future__ import annotations

from service.wire.reply import Reply
from service.wire.rest.reply import render


def headers(reply: Reply, **common: str) -> dict[str, str]:
    """The headers of *reply* on the wire."""
    found = render(reply, common=common).headers
    return {name.decode(): value.decode() for name, value in found}


def test_json_is_compact_unless_an_indent_is_wanted():
    """UTF-8 either way."""
    assert '{"a":"é","b":[]}'.encode() == render(Reply(200, {"a": "é", "b": []})).body
    assert b'{\n    "a": 1\n}' == render(Reply(200, {"a": 1}), indent=4).body


def test_the_type_is_bare():
    """Whatever was asked for."""
    assert {"content-type": "application/json", "content-length": "2"} == headers(Reply(200, {}))


def test_no_content_has_neither_type_nor_length():
    """And an empty body has a length of nothing."""
    assert {} == headers(Reply(204))
    assert {"content-length": "0"} == headers(Reply(301))


def test_its_own_headers_outrank_the_common_ones():
    """Line ends in them are encoded away."""
    reply = Reply.detail(200, "x", {"Vary": "a\r\nb"})

    assert "a%0D%0Ab" == headers(reply, Vary="c", Allow="GET")["vary"]
    assert "GET" == headers(reply, Vary="c", Allow="GET")["allow"]
