"""Draws the CPU time of a request as SVG. matplotlib is fetched for it, and only for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import Figure, column
from bench.tools import ROOT, Missing, site

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
COLOURS = {"floor": "#9aa3ad", "ours": "#1f6feb", "peer": "#b5651d"}


def draw(results: Path) -> None:
    """Make ``gate.svg`` beside *results* in a process that has matplotlib; say so when none has."""
    try:
        wheels = site("matplotlib", REQUIREMENTS)
    except Missing as error:
        print(f"no chart: {error}", file=sys.stderr)
        return
    env = {**os.environ, "PYTHONPATH": f"{wheels}:{ROOT}", "MPLBACKEND": "svg"}
    subprocess.run([sys.executable, "-m", "bench.chart", str(results)], env=env, check=True)
    print(f"written: {results.with_suffix('.svg')}")


@dataclass(frozen=True)
class Row:
    """One candidate in the chart; *redis* is None for who uses none of ours."""

    name: str
    kind: str
    server: Figure
    redis: Figure | None


def rows_of(content: dict[str, Any]) -> list[Row]:
    """A row for each candidate at the reference; the cheapest comes last, which is on top."""
    measured = {
        each["candidate"]: each["rounds"]
        for each in content["results"]
        if each["connections"] == content["reference"]
    }
    rows = [
        Row(
            each["name"],
            each["kind"],
            column(samples, "server_us"),
            column(samples, "redis_us") if each["redis"] else None,
        )
        for each in content["candidates"]
        if (samples := measured.get(each["name"]))
    ]
    return sorted(rows, key=lambda row: -row.server.middle)


def main(results: Path) -> None:
    """Draw points, not bars: the axis is logarithmic and has no zero to start from."""
    import matplotlib.pyplot as plt

    content = json.loads(results.read_text())
    plt.rcParams.update({"svg.hashsalt": "tokenhouse", "font.size": 10})
    rows = rows_of(content)
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(rows) + 1.4), layout="constrained")
    for at, row in enumerate(rows):
        _draw_row(axes, at, row)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="x", which="both", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_xlabel("CPU µs a request: server (point, least to greatest), Redis (hollow diamond)")
    axes.set_title(f"One question at {content['reference']} connections", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(results.with_suffix(".svg"), metadata={"Date": None})


def _draw_row(axes: Any, at: int, row: Row) -> None:
    server, colour = row.server, COLOURS[row.kind]
    spread = [[server.middle - server.low], [server.high - server.middle]]
    axes.errorbar(server.middle, at, xerr=spread, fmt="o", color=colour, capsize=3, markersize=8)
    axes.annotate(
        f"{server.middle:.0f}",
        (server.high, at),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
    )
    if row.redis:
        axes.plot(row.redis.middle, at, marker="D", color=colour, fillstyle="none", markersize=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
