"""The benchmark as it is called: its options, its candidates, and one real short run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.chart import rows_of
from bench.options import RESULTS, SUITES, parse
from bench.suites.gate import ALL, chosen, nearest
from bench.tools import Missing, wrk

ROOT = Path(__file__).parents[3]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==\S+", re.MULTILINE)


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_help_names_every_suite():
    """Who asks for help learns what there is to measure."""
    done = bench("--help")

    assert 0 == done.returncode
    assert [] == [suite for suite in SUITES if suite not in done.stdout]


def test_the_usual_run_is_long_and_kept():
    """Three rounds at four numbers of connections, written where results are committed."""
    options = parse([])

    assert (("gate",), 3, (1, 16, 64, 256), RESULTS) == (
        options.suites,
        options.rounds,
        options.connections,
        options.out,
    )


def test_a_quick_run_is_short_and_not_kept():
    """A look never replaces a result."""
    options = parse(["--quick", "--only", "floor, gate-asgi"])

    assert (1, 1, (64,), None, ("floor", "gate-asgi")) == (
        options.seconds,
        options.rounds,
        options.connections,
        options.out,
        options.only,
    )


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--seconds", "0"], ["--connections", "x"]])
def test_nonsense_is_refused_with_the_usage(words: list[str], capsys):
    """Nothing is started for an option that cannot be meant."""
    with pytest.raises(SystemExit, match="2"):
        parse(words)

    assert "usage" in capsys.readouterr().err


def test_candidates_are_chosen_by_name_in_the_usual_order():
    """The floor stays first, however they were asked for."""
    assert ["floor", "gate-asgi"] == [each.name for each in chosen(["gate-asgi", "floor"])]
    assert list(ALL) == chosen([])


def test_an_unknown_candidate_is_named():
    """A slip of the pen does not measure everything else."""
    with pytest.raises(Missing, match="flor"):
        chosen(["flor"])


def test_ratios_are_taken_near_the_reference():
    """Whatever numbers of connections there are, the nearest to 64 serves."""
    assert [64, 16] == [nearest((1, 16, 64, 256)), nearest((1, 16))]


def test_the_chart_shows_the_dearest_first():
    """One row for each candidate at the reference, and none for other numbers of connections."""
    content = {
        "reference": 64,
        "candidates": [
            {"name": "a", "kind": "ours", "redis": True},
            {"name": "b", "kind": "peer", "redis": False},
        ],
        "results": [
            {"candidate": name, "connections": n, "rounds": [{"server_us": us, "redis_us": 1.0}]}
            for name, n, us in (("a", 64, 10.0), ("a", 1, 99.0), ("b", 64, 40.0))
        ],
    }

    assert [("b", False), ("a", True)] == [(row.name, bool(row.redis)) for row in rows_of(content)]


@pytest.mark.parametrize("path", sorted((ROOT / "bench").rglob("requirements.txt")), ids=str)
def test_what_the_benchmark_fetches_is_pinned_by_hash(path: Path):
    """Each wheel has its hashes, and no line says where it comes from."""
    text = path.read_text("utf-8")
    entries = re.split(r"\n(?=[a-z])", text)

    assert len(PIN.findall(text)) == len(entries)
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in text


def test_the_node_peer_is_pinned_by_hash():
    """Each package in the lock has its integrity, and none an address."""
    lock = json.loads((ROOT / "bench/peers/fastify-ioredis/package-lock.json").read_text("utf-8"))
    packages = [each for name, each in lock["packages"].items() if name]

    assert [] == [each for each in packages if "integrity" not in each or "resolved" in each]


def test_a_short_run_measures_and_ends(tmp_path):
    """Floor and gate answer every request rightly, and their figures are told and written."""
    try:
        wrk()
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    words = ["--quick", "--only", "floor,gate-asgi", "--seconds", "1", "--rounds", "1"]
    done = bench(*words, "--connections", "16", "--out", str(tmp_path))

    assert 0 == done.returncode, done.stderr
    content = json.loads((tmp_path / "gate.json").read_text())
    assert ["floor", "gate-asgi"] == [each["candidate"] for each in content["results"]]
    assert all(each["median"]["server_us"] > 1 for each in content["results"])
    assert "| gate-asgi " in done.stdout
