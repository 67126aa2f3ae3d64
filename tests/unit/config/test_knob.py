"""What every table of the config has in common."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError

from service.config.hidden import SecretKey, SecretKeys
from service.config.kinds import Duration
from service.config.knob import Clash, Section, knob, retuned


class Nap(Section):
    """A section with a knob and a secret."""

    length: Annotated[int, Duration("1s", "1h")] = knob("5m", "How long it takes.")
    keys: Annotated[tuple[SecretKey, ...], SecretKeys()] = knob([], "Who may wake us.")


class LongNap(Nap):
    """The same with another default."""

    length: Annotated[int, Duration("1s", "1h")] = retuned(Nap, "length", "1h")


def test_a_default_is_written_as_in_the_file():
    """A default goes through the same reading as a value from the file."""
    assert 300_000 == Nap().length


def test_a_retuned_knob_keeps_its_description():
    """Only the default differs."""
    assert 3_600_000 == LongNap().length
    assert "How long it takes." == LongNap.model_fields["length"].description


def test_a_section_is_frozen():
    """Nobody changes a setting while the service runs."""
    with pytest.raises(ValidationError, match="frozen"):
        Nap().length = 1


def test_a_section_never_shows_a_secret():
    """Neither repr nor str nor a dump has the key in it."""
    nap = Nap(keys=["x" * 32])

    assert "Nap(length='5m', keys=['********'])" == repr(nap)
    assert "x" * 32 not in f"{nap} {nap.model_dump()} {nap.model_dump_json()}"


def test_a_refused_section_never_shows_a_secret():
    """Also the library's own error does not repeat what was given."""
    with pytest.raises(ValidationError) as caught:
        Nap(keys=["hunter2"])

    assert "hunter2" not in str(caught.value)


def test_a_dump_reads_back():
    """A dump has the words of the file, so that it can be read again."""
    assert Nap() == Nap(**Nap().model_dump())


def test_a_clash_says_all_that_is_wrong():
    """As text it has every fault, for whoever makes a section without ``load``."""
    assert "too short; too long" == str(Clash((("a", "too short"), ("b", "too long"))))
