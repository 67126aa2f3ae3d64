"""Loads one address with wrk, and says how that went; a wrong answer is an error, not a figure."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Process
from bench.tools import Tool

SCRIPT = Path(__file__).parent / "walk.lua"
GRACE_S = 30
ASK_S = 10


class Wrong(RuntimeError):
    """Somebody answered otherwise than he had to: whatever was measured is worthless."""


@dataclass(frozen=True)
class Outcome:
    """What wrk saw. Times in microseconds; *wrong* is compared only where a status was given."""

    requests: int
    duration_us: int
    wrong: int
    refused: int
    broken: int
    late: int
    p50_us: int
    p99_us: int
    p999_us: int
    max_us: int

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / (self.duration_us / 1e6)

    def check(self) -> None:
        """Wrong, unless every single request was answered, in time and as it had to be."""
        odd = self.wrong + self.refused
        if odd or self.broken or self.late or not self.requests:
            raise Wrong(
                f"{odd} of {self.requests} answers were wrong, "
                f"{self.broken} connections broke, {self.late} answers came late"
            )


def parse(printed: str) -> Outcome:
    """What ``walk.lua`` printed, among what wrk itself printed. Wrong when it is not there."""
    for line in printed.splitlines():
        if line.startswith('{"requests":'):
            return Outcome(**json.loads(line))
    raise Wrong(f"wrk said nothing to go by: {printed.strip()[-500:]!r}")


def request(
    target: str, *, port: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """A whole request; *target* is its method and path."""
    lines = [f"{target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def write(path: Path, requests: Iterable[bytes]) -> Path:
    """*requests* as ``walk.lua`` reads them."""
    path.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in requests))
    return path


def ask(port: int, raw: bytes) -> int:
    """The status of the answer to one request. OSError while nobody listens."""
    with socket.create_connection(("127.0.0.1", port), timeout=ASK_S) as link:
        link.sendall(raw)
        with http.client.HTTPResponse(link) as answer:
            answer.begin()
            answer.read()
            return answer.status


@dataclass(frozen=True)
class Load:
    """wrk with one thread on one core, on the requests of one file."""

    wrk: Tool
    requests: Path
    port: int
    core: int | None = None

    def run(self, connections: int, seconds: float, *, right: int | None = None) -> Outcome:
        """Load for *seconds*. With *right* every status is compared, which costs wrk dearly."""
        words = [self.wrk.path, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        words += ["--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{self.port}", "--"]
        words += [str(self.requests)] + ([] if right is None else [str(right)])
        log = self.requests.with_suffix(".wrk")
        env = {**os.environ, **self.wrk.env}
        with Process(words, log=log, env=env, core=self.core) as process:
            try:
                process.wait(seconds + GRACE_S)
            except subprocess.TimeoutExpired as error:
                raise Wrong("wrk came to no end") from error
            outcome = parse(process.log)
        outcome.check()
        return outcome
