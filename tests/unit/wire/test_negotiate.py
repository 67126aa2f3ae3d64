"""A client gets what it asked for most specifically, spelled as it asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire.negotiate import choose, parse_accept

JSON, HTML = "application/json", "text/html"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "media", "content_type"),
    [
        ("", JSON, "application/json"),
        ("*/*", JSON, "application/json"),
        ("application/*", JSON, "application/json"),
        ("application/json, text/html", JSON, "application/json"),
        ("text/html, application/json", JSON, "application/json"),
        ("Application/JSON", JSON, "application/json"),
        ("text/html", HTML, "text/html"),
        ("text/*", HTML, "text/html"),
        (BROWSER, HTML, "text/html"),
        ("application/json; indent=4", JSON, "application/json; indent=4"),
        ("application/json;q=0.5", JSON, "application/json;q=0.5"),
        ("*/*; indent=4", JSON, "application/json;indent=4"),
        ("application/xml, */*;q=0.1", JSON, "application/json;q=0.1"),
        ("text/html;level=1, application/json", HTML, "text/html;level=1"),
        ("application/json;q=0, text/html", HTML, "text/html"),
        ('application/json;x="a,b"', JSON, 'application/json;x="a,b"'),
        ("application/json;x=\u00e9", JSON, "application/json"),
    ],
)
def test_the_most_specific_entry_decides(accept: str, media: str, content_type: str):
    """Among equally specific ones our order decides; parameters come back."""
    choice = choose(accept, [JSON, HTML])

    assert choice is not None
    assert (media, content_type) == (choice.media, choice.content_type)


@pytest.mark.parametrize(
    "accept",
    ["application/xml", "text/plain", "json", "/", ",", "*/*;q=0", "application/json;q=0.000"],
)
def test_who_takes_nothing_of_ours_gets_nothing(accept: str):
    """An Accept that names none of the offers chooses none."""
    assert None is choose(accept, [JSON, HTML])


@pytest.mark.parametrize(
    ("quality", "read"), [("0.5", 0.5), ("1", 1), ("0", 0), ("nan", 1), ("2", 1), ("-1", 1)]
)
def test_a_quality_is_a_number_between_0_and_1(quality: str, read: float):
    """What is no quality counts as 1."""
    assert [read] == [entry.quality for entry in parse_accept(f"a/b;q={quality}")]


@pytest.mark.parametrize(
    ("param", "indent"),
    [("indent=4", 4), ("indent=x", 0), ("indent=-1", 0), ("indent=99999", 0), ("x=1", 0)],
)
def test_an_indent_is_a_small_number(param: str, indent: int):
    """Anything else asks for no indent."""
    choice = choose(f"application/json;{param}", [JSON])

    assert choice is not None
    assert indent == choice.indent


@given(st.text(alphabet=st.sampled_from('abq*/;,="0. \x00\xe9'), max_size=60) | st.text())
def test_no_header_breaks_the_choice(accept: str):
    """Whatever is sent, the answer is one of the offers, or none, and can stand in a header."""
    choice = choose(accept, [JSON, HTML])

    assert choice is None or choice.media in (JSON, HTML)
    assert choice is None or choice.content_type.isprintable()
    assert choice is None or 0 <= choice.indent < 1000
