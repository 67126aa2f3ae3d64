"""Stands in for curl where there is none: only the options that the documentation uses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    """One request; prints the body and what ``-w`` asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-o")
    parser.add_argument("-w", default="")
    parser.add_argument("-X", default=None)
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", default=None)
    parser.add_argument("url")
    given = parser.parse_args()
    headers = {"user-agent": "curl/0", **dict(line.split(": ", 1) for line in given.H)}
    method = given.X or ("GET" if given.d is None else "POST")
    answer = httpx.request(method, given.url, headers=headers, content=given.d, trust_env=False)
    if given.o:
        Path(given.o).write_bytes(answer.content)
    else:
        sys.stdout.write(answer.text)
    format_ = given.w.replace("%{http_code}", str(answer.status_code))
    sys.stdout.write(format_.replace("\\n", "\n"))


if __name__ == "__main__":
    main()
