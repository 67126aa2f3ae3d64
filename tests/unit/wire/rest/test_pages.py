"""Lists come in parts by limit and offset, each with links to those around it."""

from __future__ import annotations

import pytest

from service.wire.rest.pages import MOST, Page

URL = "http://h/api/"


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [
        (None, None, (50, 0)),
        ("2", "4", (2, 4)),
        ("0", None, (MOST, 0)),
        ("99999", None, (MOST, 0)),
        ("-1", "-1", (50, 0)),
        ("x", "x", (50, 0)),
        ("", "", (50, 0)),
        ("9" * 30, "9" * 30, (MOST, 10**30 - 1)),
        ("9" * 5000, "9" * 5000, (50, 0)),
        ("٣", "٣", (50, 0)),
    ],
)
def test_what_is_no_number_is_the_default(
    limit: str | None, offset: str | None, expected: tuple[int, int]
):
    """A limit of nothing is as much as there may be."""
    page = Page.of(limit, offset, 10)

    assert expected == (page.limit, page.offset)


def test_a_part_has_its_rows():
    """Beyond the end there are none."""
    assert [2, 3] == list(Page.of("2", "2", 5).part([0, 1, 2, 3, 4]))
    assert [] == list(Page.of("2", "9", 5).part([0, 1, 2, 3, 4]))


@pytest.mark.parametrize(
    ("limit", "offset", "following", "previous"),
    [
        ("2", None, "?limit=2&offset=2", None),
        ("2", "1", "?limit=2&offset=3", "?limit=2"),
        ("2", "2", "?limit=2&offset=4", "?limit=2"),
        ("2", "4", None, "?limit=2&offset=2"),
        ("2", "100", None, "?limit=2&offset=98"),
        ("2", "1" + "0" * 4299, None, "?limit=2&offset=" + "9" * 4298 + "8"),
        ("5", None, None, None),
        (None, None, None, None),
    ],
)
def test_the_links_lead_on_and_back(
    limit: str | None, offset: str | None, following: str | None, previous: str | None
):
    """An offset of nothing is not said."""
    found = Page.of(limit, offset, 5).envelope([], URL, "")

    assert {
        "count": 5,
        "next": following and URL + following,
        "previous": previous and URL + previous,
        "results": [],
    } == found


def test_the_query_is_kept_sorted_and_encoded():
    """Repeated and empty parameters included."""
    found = Page.of("1", None, 5).envelope([], URL, "q=a%20b%2Fc%2Cd&id=2&id=1&limit=1&brief=")

    assert f"{URL}?brief=&id=2&id=1&limit=1&offset=1&q=a+b%2Fc%2Cd" == found["next"]
