"""``deploy/tokenhouse.toml`` is the manual: it is held against the code both ways."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.config import Knob, knobs, load

MANUAL = Path(__file__).parents[2] / "deploy" / "tokenhouse.toml"


def flat(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The dotted keys of *table* with their values."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def comments() -> dict[str, list[str]]:
    """The comment lines right above each key of the manual."""
    found: dict[str, list[str]] = {}
    section, above = "", []
    for line in MANUAL.read_text("utf-8").splitlines():
        if line.startswith("#"):
            above.append(line.lstrip("# "))
            continue
        if heading := re.fullmatch(r"\[([a-z_.]+)\]", line):
            section = heading[1]
        elif key := re.match(r"([a-z0-9_]+) = ", line):
            found[f"{section}.{key[1]}"] = above
        above = []
    return found


VALUES = dict(flat(tomllib.loads(MANUAL.read_text("utf-8"))))
COMMENTS = comments()


def test_the_manual_has_every_setting_and_no_other():
    """What can be set is in the manual, and what is in the manual can be set, in one order."""
    assert list(knobs()) == list(VALUES)
    assert list(knobs()) == list(COMMENTS)


def test_the_manual_changes_nothing():
    """A node started with the manual as its file is a node started without a file."""
    assert load(env={}, path="/dev/null") == load(str(MANUAL), {})


@pytest.mark.parametrize("knob", knobs().values(), ids=lambda knob: knob.key)
def test_a_setting_stands_at_its_default(knob: Knob):
    """The value in the manual is the default, in the same words."""
    assert knob.default == VALUES[knob.key]


@pytest.mark.parametrize("knob", knobs().values(), ids=lambda knob: knob.key)
def test_a_setting_is_explained(knob: Knob):
    """Above it stand what it does, unit, range, default and variable, as the code has them."""
    lines = COMMENTS[knob.key]

    assert knob.description
    assert " ".join(lines).startswith(knob.description)
    assert [
        f"Unit: {knob.kind.unit}",
        f"Range: {knob.kind.range}",
        f"Default: {json.dumps(knob.default)}",
        f"Environment: {knob.env}",
    ] == [line for line in lines if re.match("(Unit|Range|Default|Environment): ", line)]


@pytest.mark.parametrize("key", knobs())
def test_a_setting_says_what_changing_it_does(key: str):
    """After the variable the manual says what happens when the value goes up, down or over."""
    lines = COMMENTS[key]
    (variable,) = [at for at, line in enumerate(lines) if line.startswith("Environment: ")]
    effect = " ".join(lines[variable + 1 :])

    assert (
        ("Up" in effect and "Down" in effect)
        or ("true: " in effect and "false: " in effect)
        or effect.startswith("Effect: ")
    )
