"""What wrk printed becomes figures, or an error: never a figure of wrong answers."""

from __future__ import annotations

import pytest

from bench.load import Outcome, Wrong, parse, request, write

PRINTED = """\
Running 1s test @ http://127.0.0.1:1
  1 threads and 16 connections
Requests/sec:  20000.00
{"requests":20000,"duration_us":1000000,"wrong":0,"refused":0,"broken":0,"late":0,\
"p50_us":700,"p99_us":1500,"p999_us":3000,"max_us":9000}
"""


def outcome(**odd: int) -> Outcome:
    """A good outcome, but for *odd*."""
    good = {
        "requests": 100,
        "duration_us": 2_000_000,
        "wrong": 0,
        "refused": 0,
        "broken": 0,
        "late": 0,
        "p50_us": 1,
        "p99_us": 2,
        "p999_us": 3,
        "max_us": 4,
    }
    return Outcome(**(good | odd))


def test_the_line_of_the_script_is_found_among_what_wrk_prints():
    """The JSON line counts and nothing around it."""
    found = parse(PRINTED)

    assert (20_000, 700, 1500, 3000) == (
        found.requests,
        found.p50_us,
        found.p99_us,
        found.p999_us,
    )


def test_without_that_line_there_is_no_figure():
    """A wrk that failed is an error which quotes it."""
    with pytest.raises(Wrong, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_requests_a_second_are_those_of_the_real_time():
    """The time that passed counts, not the time asked for."""
    assert 50.0 == outcome().per_s


def test_a_good_outcome_passes():
    """Nothing odd, no error."""
    outcome().check()


@pytest.mark.parametrize("odd", ["wrong", "refused", "broken", "late"])
def test_one_wrong_answer_spoils_a_measurement(odd: str):
    """A fast wrong answer is worthless."""
    with pytest.raises(Wrong):
        outcome(**{odd: 1}).check()


def test_no_answer_at_all_is_no_figure():
    """Zero requests are not a rate."""
    with pytest.raises(Wrong):
        outcome(requests=0).check()


def test_a_request_is_spelled_whole():
    """Method, path, host, headers, length, body."""
    raw = request("POST /x", port=8, headers=[("User-Agent", "a/1")], body=b"{}")

    assert raw == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:8\r\nUser-Agent: a/1\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_requests_are_written_each_with_its_length(tmp_path):
    """The script reads as many bytes as the line before says."""
    path = write(tmp_path / "requests", [b"one\r\n", b"three"])

    assert b"5\none\r\n5\nthree" == path.read_bytes()
