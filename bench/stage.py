"""Sets the stage that suites share: a folder, a filled Redis, wrk; and clears it away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import stock
from bench.candidates import Stage
from bench.options import Options
from bench.processes import Cores, cores
from bench.tools import wrk
from tests.servers import Server


@contextmanager
def redis(options: Options, *, core: int | None = None) -> Iterator[Server]:
    """An empty Redis of our own, gone afterwards."""
    server = stock.start(appendonly=options.appendonly, core=core)
    try:
        yield server
    finally:
        server.discard()


@contextmanager
def filled(options: Options, *, layout: Cores | None = None) -> Iterator[Stage]:
    """A Redis with ten thousand tokens, beside the load generator."""
    tool, layout = wrk(), layout or cores()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        redis(options, core=layout.loading) as server,
    ):
        yield Stage(Path(folder), stock.fill(server), layout, tool)
