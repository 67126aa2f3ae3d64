"""A log line is one line, and a failure in it has no data of the request."""

from __future__ import annotations

import logging

import pytest

from service.core.address import pack
from service.errors import BadCredentials, TokenhouseError, TooManyAttempts
from service.wire.log import login_failed, shown, trace


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("alice", "alice"),
        ("a\r\nlogin ok\x1b[2J", "a\\r\\nlogin ok\\x1b[2J"),
        ("é\u2028\ud800", "\\xe9\\u2028\\ud800"),
        ("a" * 1000, "a" * 150),
    ],
)
def test_client_text_cannot_forge_a_line(text: str, line: str):
    """Control characters and letters outside ASCII are escaped, and long text is cut."""
    assert line == shown(text)


@pytest.mark.parametrize(
    ("error", "why"),
    [(BadCredentials(), ""), (TooManyAttempts(5), " (TooManyAttempts)")],
)
def test_a_failed_login_is_told_in_one_way(
    error: TokenhouseError, why: str, caplog: pytest.LogCaptureFixture
):
    """Who it was to be, from where, and why unless the password was wrong."""
    login_failed("a\nb", pack("192.0.2.1"), error)

    line = f"login failed for user a\\nb from 192.0.2.1{why}"
    assert [("tokenhouse.login", logging.WARNING, line)] == caplog.record_tuples


def test_a_trace_has_kinds_and_places_but_no_messages():
    """What an exception says may be a password; what it is and where it was is not."""
    try:
        try:
            {}["hunter2"]
        except KeyError as error:
            raise ValueError("hunter2") from error
    except ValueError as error:
        text = trace(error)

    assert text.startswith("ValueError from KeyError\n")
    assert "test_log.py" in text
    assert "in test_a_trace" in text
    assert "hunter2" not in text.replace('{}["hunter2"]', "").replace('("hunter2")', "")
