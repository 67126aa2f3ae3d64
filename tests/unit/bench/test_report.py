"""Medians, spreads, ratios and tables."""

from __future__ import annotations

import json

import pytest

from bench.report import Figure, figure, ratio, save, short, table

MINE = [{"us": 10.0}, {"us": 30.0}, {"us": 20.0}]
THEIRS = [{"us": 20.0}, {"us": 20.0}, {"us": 20.0}]


def test_a_figure_is_the_median_with_its_spread():
    """One slow round moves the spread and not the middle."""
    assert Figure(2.0, 1.0, 90.0) == figure([90.0, 1.0, 2.0])


def test_a_figure_of_one_round_shows_no_spread():
    """Nothing in brackets where there is nothing to say."""
    assert "5.00" == str(figure([5.0]))
    assert "20.0 (10.0-30.0)" == str(figure(each["us"] for each in MINE))


def test_a_ratio_is_taken_round_by_round():
    """Each round is compared with its neighbour in time."""
    assert Figure(1.0, 0.5, 1.5) == ratio(MINE, THEIRS, "us")


def test_there_is_no_ratio_to_somebody_who_was_not_there():
    """No candidate, no ratio; nor one to a zero."""
    assert ratio(MINE, [], "us") is None
    assert ratio(MINE, [{"us": 0.0}], "us") is None


@pytest.mark.parametrize(
    ("value", "text"), [(54321.6, "54,322"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str):
    """Three of them, or whole numbers."""
    assert text == short(value)


def test_a_table_is_markdown_in_columns():
    """Words on the left, numbers on the right."""
    assert table(["name", "µs"], [["a", 1], ["bcdef", 10]]).splitlines() == [
        "| name  | µs |",
        "| ----- | -: |",
        "| a     |  1 |",
        "| bcdef | 10 |",
    ]


def test_results_are_saved_only_where_wanted(tmp_path, capsys):
    """A quick look leaves nothing behind."""
    assert save(None, "gate", {}) is None
    path = save(tmp_path / "new", "gate", {"figure": Figure(1, 1, 2)})

    assert {"figure": {"middle": 1, "low": 1, "high": 2}} == json.loads(path.read_text())
