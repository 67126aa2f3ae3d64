"""Draws the CPU time of a request as SVG. matplotlib is fetched for it, and only for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.report import Figure, column
from bench.tools import ROOT, Missing, site

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
COLOURS = {"floor": "#9aa3ad", "ours": "#1f6feb", "peer": "#d29a5b"}
REDIS = "#c9302c"


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


def bars(content: dict[str, Any]) -> list[tuple[str, str, Figure, Figure]]:
    """For each candidate name, kind and the CPU of server and Redis; the dearest first."""
    rows = {
        each["candidate"]: each["rounds"]
        for each in content["results"]
        if each["connections"] == content["reference"]
    }
    found = [
        (each["name"], each["kind"], column(samples, "server_us"), column(samples, "redis_us"))
        for each in content["candidates"]
        if (samples := rows.get(each["name"]))
    ]
    return sorted(found, key=lambda bar: -bar[2].middle)


def main(results: Path) -> None:
    """Draw."""
    import matplotlib.pyplot as plt

    content = json.loads(results.read_text())
    plt.rcParams.update({"svg.hashsalt": "tokenhouse", "svg.fonttype": "none", "font.size": 10})
    rows = bars(content)
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.4), layout="constrained")
    for at, (_, kind, server, redis) in enumerate(rows):
        spread = [[server.middle - server.low], [server.high - server.middle]]
        axes.barh(at, server.middle, color=COLOURS[kind], xerr=spread, capsize=3)
        axes.plot(redis.middle, at, marker="d", color=REDIS, linestyle="none")
        axes.annotate(
            f"{server.middle:.0f}",
            (server.high, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_xlabel(
        f"CPU µs a request at {content['reference']} connections: "
        "server (bar, least to greatest), Redis (diamond)"
    )
    axes.set_xscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(results.with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
