"""The policies: their defaults, what clashes, and how the core gets them."""

from __future__ import annotations

import pytest

from service.config import LETTERS, Config, load
from service.errors import ConfigError
from service.model import Level, Policy

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def policy(name: str, **knobs: object) -> Policy:
    """The policy *name* with some knobs set."""
    given = {f"policy.{name}.{knob}": value for knob, value in knobs.items()}
    return load(env={}, overrides=given).policies()[name]


def fault(**given: object) -> str:
    """What is said about a Tower or NetBox policy with *given* (``tower_idle=…``)."""
    overrides = {f"policy.{name.replace('_', '.', 1)}": value for name, value in given.items()}
    with pytest.raises(ConfigError) as caught:
        load(env={}, overrides=overrides)
    return str(caught.value)


def test_tower_tokens_live_while_they_are_used():
    """Tower's tokens slide by half an hour, are bound, and a repeated login gets the same one."""
    expected = Policy(
        name="tower",
        letter="t",
        idle_ms=30 * MINUTE,
        bind_ip=Level.ENFORCE,
        bind_agent=Level.ENFORCE,
        reuse=True,
        grave_ms=10 * MINUTE,
    )

    assert expected == Config().policies()["tower"]


@pytest.mark.parametrize(("name", "letter"), [("netbox", "n"), ("nautobot", "a")])
def test_netbox_and_nautobot_tokens_last(name: str, letter: str):
    """Their tokens neither slide nor end by themselves, and are bound to nothing."""
    assert Policy(name=name, letter=letter, grave_ms=30 * DAY) == Config().policies()[name]


def test_puppet_tokens_live_an_hour_or_as_long_as_asked():
    """Puppet's tokens have a default life and a longest one."""
    expected = Policy(
        name="puppet",
        letter="p",
        lifetime_ms=HOUR,
        max_lifetime_ms=3650 * DAY,
        grave_ms=HOUR,
    )

    assert expected == Config().policies()["puppet"]


def test_no_two_policies_share_a_letter():
    """Every policy has a letter of its own in a token's head."""
    assert set(LETTERS) == set(Config().policies())
    assert len(LETTERS) == len(set(LETTERS.values()))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("strict", (Level.ENFORCE, 16, 16)),
        ("subnet", (Level.ENFORCE, 15, 8)),
        ("log", (Level.LOG, 16, 16)),
        ("off", (Level.OFF, 16, 16)),
    ],
)
def test_an_address_level_is_how_strict_and_how_wide(level: str, expected: tuple[Level, int, int]):
    """A subnet is enforced like an address, only that fewer bytes of it are kept."""
    found = policy("netbox", bind_ip=level)

    assert expected == (found.bind_ip, found.prefix_v4, found.prefix_v6)


@pytest.mark.parametrize(
    ("level", "expected"), [("strict", Level.ENFORCE), ("log", Level.LOG), ("off", Level.OFF)]
)
def test_an_agent_level_is_how_strict(level: str, expected: Level):
    """An agent has no subnet."""
    assert expected == policy("tower", bind_agent=level).bind_agent


def test_every_knob_reaches_the_core():
    """No knob of a policy is read and then forgotten."""
    found = policy(
        "puppet",
        idle="1h",
        slide_step="1m",
        max_age="2d",
        lifetime="3d",
        max_lifetime="4d",
        per_user=5,
        max_tokens=6,
        bind_ip="log",
        bind_agent="strict",
        reuse=True,
        grave="7s",
    )

    assert found == Policy(
        name="puppet",
        letter="p",
        idle_ms=HOUR,
        slide_step_ms=MINUTE,
        max_age_ms=2 * DAY,
        lifetime_ms=3 * DAY,
        max_lifetime_ms=4 * DAY,
        per_user=5,
        max_tokens=6,
        bind_ip=Level.LOG,
        bind_agent=Level.ENFORCE,
        reuse=True,
        grave_ms=7000,
    )


def test_a_tower_token_always_slides():
    """Tower without an idle time would hand out tokens that never end."""
    assert 'policy.tower.idle: "0" is not a duration' in fault(tower_idle="0")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"tower_slide_step": "30m"},
            'policy.tower.slide_step: "30m" is not less than idle ("30m") (from command line)',
        ),
        (
            {"netbox_slide_step": "1s"},
            'policy.netbox.slide_step: "1s" is not less than idle ("0") (from command line)',
        ),
        (
            {"tower_max_age": "29m"},
            'policy.tower.max_age: "29m" is less than idle ("30m") (from command line)',
        ),
        (
            {"puppet_max_lifetime": "30m"},
            'policy.puppet.lifetime: "1h" is more than max_lifetime ("30m") (from default)',
        ),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(given: dict[str, str], expected: str):
    """Each length is fine alone; the error has both."""
    assert expected == fault(**given)


def test_all_contradictions_of_a_policy_are_said_at_once():
    """One line for each, so that a file is mended in one go."""
    lines = fault(tower_slide_step="1h", tower_max_age="1m").splitlines()

    assert ["policy.tower.slide_step", "policy.tower.max_age"] == [
        line.partition(":")[0] for line in lines
    ]


@pytest.mark.parametrize("value", [-2, 1001])
def test_a_limit_per_user_is_none_or_up_to_a_thousand(value: int):
    """Zero is taken, as Tower takes it: nobody's token lives."""
    assert "policy.tower.per_user" in fault(tower_per_user=value)
