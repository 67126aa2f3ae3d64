"""Moments and pages look as tower-cli reads them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.tower.refusal import NotFound
from service.dialects.tower.shape import Page, moment


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1378417595729, "2013-09-05T21:46:35.729Z"),
        (1378417595999, "2013-09-05T21:46:35.999Z"),
    ],
)
def test_a_moment_has_three_digits_of_fraction(ms: int, text: str):
    """Cut, not rounded, and there even when they are zero."""
    assert text == moment(ms)


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_tower_cli_can_read_every_moment(ms: int):
    """Its parser wants a fraction and a literal Z."""
    read = datetime.strptime(moment(ms), "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - as it does

    assert ms % 1000 == read.microsecond // 1000


@given(st.dictionaries(st.sampled_from(["page", "page_size"]), st.text()), st.integers(0, 500))
def test_every_query_is_a_page_of_the_list_or_404(query: dict[str, str], count: int):
    """No query asks for entries that are not there."""
    try:
        page = Page.of(query, count)
    except NotFound:
        return

    assert page.start <= count
    assert 1 <= page.size <= 200
