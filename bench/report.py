"""Figures: medians with their spread, ratios round by round, tables, and what machine it was."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

Sample = Mapping[str, Any]
PACKAGES = ("uvicorn", "httptools", "uvloop", "starlette", "redis", "hiredis")


@dataclass(frozen=True)
class Figure:
    """The *middle* of some rounds, and how far they lay apart."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return short(self.middle)
        return f"{short(self.middle)} ({short(self.low)}-{short(self.high)})"


def figure(values: Iterable[float]) -> Figure:
    """The median of *values*, with the least and the greatest of them."""
    kept = list(values)
    return Figure(median(kept), min(kept), max(kept))


def column(samples: Sequence[Sample], name: str) -> Figure:
    """One measure over all rounds."""
    return figure(sample[name] for sample in samples)


def ratio(
    mine: Sequence[Sample], theirs: Sequence[Sample], name: str, by: str = ""
) -> Figure | None:
    """*mine* by *theirs*, each round by its own neighbour; None when one of them was not there.

    *by* is the measure of *theirs*, when it is not the same one.
    """
    pairs = [(a[name], b[by or name]) for a, b in zip(mine, theirs, strict=False) if b[by or name]]
    return figure(a / b for a, b in pairs) if pairs else None


def short(value: float) -> str:
    """*value* with as many digits as anybody can use."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table that can be read as plain text too; the first column is words."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = [
        "| " + " | ".join(_aligned(cell, width, at) for at, (cell, width) in row) + " |"
        for row in (list(enumerate(zip(row, widths, strict=True))) for row in cells)
    ]
    rule = ["-" * width if not at else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _aligned(cell: str, width: int, at: int) -> str:
    return cell.rjust(width) if at else cell.ljust(width)


def machine() -> dict[str, Any]:
    """What a figure cannot be read without."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_at_start": [round(each, 2) for each in os.getloadavg()],
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def say(title: str, facts: Mapping[str, Any]) -> None:
    """The heading of a report, and what its figures stand on."""
    print(f"## {title}\n")
    print(", ".join(f"{name} {value}" for name, value in facts.items()) + "\n", flush=True)


def save(folder: Path | None, suite: str, content: Mapping[str, Any]) -> Path | None:
    """Write ``<suite>.json`` into *folder*; nothing when there is none."""
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{suite}.json"
    path.write_text(json.dumps(content, indent=1, default=vars) + "\n")
    print(f"written: {path}")
    return path
