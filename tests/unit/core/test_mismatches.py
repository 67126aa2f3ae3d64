"""Uses from elsewhere are counted one by one, and told now and then."""

from __future__ import annotations

import logging

import pytest

from service.core import mismatches
from service.core.mismatches import Mismatches


def test_what_differed_is_counted_by_policy() -> None:
    """Address and agent each for itself, for every policy."""
    made = Mismatches()
    for policy, bits in (("tower", 1), ("tower", 3), ("netbox", 2), ("tower", 1)):
        made.note(policy, 7, bits)

    expected = {("tower", "address"): 3, ("tower", "agent"): 1, ("netbox", "agent"): 1}
    assert expected == made.counts


def test_a_line_says_whose_token_it_was(caplog: pytest.LogCaptureFixture) -> None:
    """Number, policy and what differed: enough to find out who would be refused."""
    with caplog.at_level(logging.WARNING):
        Mismatches().note("tower", 65_537, 3)

    expected = "token 65537 of policy tower was used from another address and another agent"
    assert [expected] == caplog.messages


def test_a_flood_of_them_is_no_flood_of_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a second at most, and none is lost to the count."""
    now = 100.0
    monkeypatch.setattr(mismatches, "monotonic", lambda: now)
    made = Mismatches()
    with caplog.at_level(logging.WARNING):
        for step in range(30):
            now = 100.0 + step / 10
            made.note("tower", step, 1)

    assert [0, 10, 20] == [record.args[0] for record in caplog.records]  # type: ignore[index]
    assert 30 == made.counts["tower", "address"]
