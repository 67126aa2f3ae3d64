"""What a caller can choose."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITES = ("gate", "gateways", "logins", "memory", "scale", "workers", "redis")
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """How long and how much; *out* is None where nothing is to be written."""

    suites: tuple[str, ...]
    quick: bool
    only: tuple[str, ...]
    seconds: float
    rounds: int
    connections: tuple[int, ...]
    appendonly: bool
    out: Path | None


def parse(words: Sequence[str]) -> Options:
    """The options in *words*; ends with usage when they cannot be understood."""
    given = _parser().parse_args(words)
    quick = given.quick
    return Options(
        suites=SUITES if given.suite == "all" else (given.suite,),
        quick=quick,
        only=given.only,
        seconds=given.seconds or (1 if quick else 5),
        rounds=given.rounds or (1 if quick else 3),
        connections=given.connections or ((64,) if quick else (1, 16, 64, 256)),
        appendonly=given.appendonly,
        out=given.out or (None if quick else RESULTS),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what a request costs. Everything runs on loopback and ends by itself.",
    )
    add = parser.add_argument
    add("suite", nargs="?", default="gate", choices=[*SUITES, "all"], help="default: gate")
    add("--quick", action="store_true", help="about a minute, for a look; writes nothing")
    add("--only", type=_names, default=(), metavar="NAME,…", help="these candidates of the gate")
    add("--seconds", type=_positive, metavar="S", help="one measurement (default 5, quick 1)")
    add("--rounds", type=_count, metavar="N", help="how often each (default 3, quick 1)")
    add("--connections", type=_counts, metavar="N,…", help="default 1,16,64,256; quick 64")
    add("--appendonly", action="store_true", help="Redis writes its append-only file")
    add("--out", type=Path, metavar="DIR", help="where results go (default bench/results)")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _positive(text: str) -> float:
    value = float(text)
    if value < 1:
        raise argparse.ArgumentTypeError("one second or more")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("one or more")
    return value


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(word) for word in text.split(","))
