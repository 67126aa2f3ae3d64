"""``python -m bench``: chooses the suites and sees that everything ends with them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from bench.load import Wrong
from bench.options import parse
from bench.tools import Missing


def main(words: Sequence[str] | None = None) -> int:
    """Zero when every figure was taken; 1 when something needed is missing or answered wrongly."""
    options = parse(sys.argv[1:] if words is None else words)
    signal.signal(signal.SIGTERM, _end)
    try:
        for suite in options.suites:
            import_module(f"bench.suites.{suite}").run(options)
    except (Missing, Wrong) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    return 0


def _end(number: int, _: object) -> NoReturn:
    """Leave as an error would, so that every process of ours is ended on the way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
