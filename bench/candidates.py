"""Who runs: the floors, ours, and what every candidate has in common."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Load, Wrong, ask, request
from bench.load import write as write_requests
from bench.processes import Cores, Process
from bench.stock import AGENT, PATIENT, Stock, house_key
from bench.tools import ROOT, Missing, Tool
from service.config import knobs
from tests.nodes import environment
from tests.servers import free_port

START_S = 60
SAMPLE = 50
LANE = "gate.lane"
UNKNOWN = "f" * 40


@dataclass(frozen=True)
class Stage:
    """Where candidates run: *folder* is for their files, *stock* for those that use Redis."""

    folder: Path
    stock: Stock
    cores: Cores
    wrk: Tool


@dataclass(frozen=True)
class Program:
    """What to start; ``{port}`` in a word becomes the port."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None


@dataclass(frozen=True)
class Candidate:
    """One who answers "may this request pass?", or only pretends to.

    *header* carries a token, and *more* comes with every request. *denial* is how a bad token is
    refused, None by one who looks at none. *key* finds a token's record in our Redis, and *binds*
    says that the address and the agent count. *admit* puts the tokens where no Redis of ours holds
    them.
    """

    name: str
    what: str
    program: Callable[[Stage], Program]
    kind: str = "peer"
    target: str = "GET /authz/ext/"
    header: Callable[[str], tuple[str, str]] = lambda text: ("Authorization", f"Token {text}")
    denial: int | None = 401
    key: Callable[[str], bytes] | None = None
    binds: bool = False
    more: Sequence[tuple[str, str]] = ()
    admit: Callable[[Stage, int], None] | None = None

    def request(self, port: int, text: str, agent: str = AGENT) -> bytes:
        """The question about the token *text*."""
        headers = [("User-Agent", agent), self.header(text), *self.more]
        return request(self.target, port=port, headers=headers)


class Running:
    """A candidate that has started, and has shown that it does its work."""

    def __init__(self, candidate: Candidate, stage: Stage) -> None:
        self.candidate = candidate
        self.stage = stage
        self.port = free_port()
        program = candidate.program(stage)
        self.process = Process(
            [word.replace("{port}", str(self.port)) for word in program.argv],
            log=stage.folder / f"{candidate.name}.log",
            env={**program.env, "PORT": str(self.port)},
            cwd=program.cwd,
            core=stage.cores.serving,
        )
        try:
            self._wait()
            if candidate.admit:
                candidate.admit(stage, self.port)
            self._prove()
        except BaseException:
            self.process.stop()
            raise

    def load(self) -> Load:
        """wrk, with a request for each token."""
        requests = (self.candidate.request(self.port, text) for text in self.stage.stock.tokens)
        path = write_requests(self.stage.folder / f"{self.candidate.name}.requests", requests)
        return Load(self.stage.wrk, path, self.port, self.stage.cores.loading)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not self.process.running:
                break
            with suppress(OSError):
                ask(self.port, self.candidate.request(self.port, UNKNOWN))
                return
            time.sleep(0.05)
        raise Missing(f"did not start: {self.process.log.strip()[-400:]}")

    def _prove(self) -> None:
        """Wrong, unless it lets through whom it must, no other, and keeps the token alive."""
        candidate, tokens = self.candidate, self.stage.stock.tokens
        for text in tokens[:SAMPLE]:
            self._expect(200, text)
        if candidate.denial:
            self._expect(candidate.denial, UNKNOWN)
        if candidate.binds and candidate.denial:
            self._expect(candidate.denial, tokens[0], "somebody else")
        if candidate.key:
            self._prove_slide(candidate.key(tokens[0]))

    def _expect(self, status: int, text: str, agent: str = AGENT) -> None:
        got = ask(self.port, self.candidate.request(self.port, text, agent))
        if got != status:
            said = self.process.log.strip()[-400:]
            raise Wrong(f"{self.candidate.name} answered {got}, not {status} {said}")

    def _prove_slide(self, key: bytes) -> None:
        with self.stage.stock.link() as link:
            before = int(link.pttl(key))
            link.pexpire(key, before // 2)
            # ours keeps a dead token ten minutes more: half of both is still alive
            self._expect(200, self.stage.stock.tokens[0])
            if int(link.pttl(key)) < before * 0.9:
                raise Wrong(f"{self.candidate.name} did not slide the token's end")


def _floor(protocol: str, app: str = "app") -> Callable[[Stage], Program]:
    def program(_: Stage) -> Program:
        argv = [sys.executable, "-m", "bench.floor", "{port}", protocol, app]
        return Program(argv, {**os.environ, "PYTHONPATH": str(ROOT)}, ROOT)

    return program


def _gate(lane: bool | None) -> Callable[[Stage], Program]:
    def program(stage: Stage) -> Program:
        settings = dict(PATIENT)
        if LANE in knobs():
            settings[knobs()[LANE].env] = "true" if lane else "false"
        elif lane:
            raise Missing("this version has no setting gate.lane")
        argv = [sys.executable, "-m", "service", "serve", "--port", "{port}"]
        return Program(argv, environment(stage.stock.server.url, settings), stage.folder)

    return program


OURS = (
    Candidate("floor", "uvicorn, empty answer", _floor("httptools"), "floor", denial=None),
    Candidate(
        "floor-limited",
        "the same behind our limits",
        _floor("service.protocol:Limited"),
        "floor",
        denial=None,
    ),
    Candidate(
        "floor-wait",
        "uvicorn, nine headers after a wait",
        _floor("httptools", "wait"),
        "floor",
        denial=None,
    ),
    Candidate("gate-asgi", "Tokenhouse, ASGI", _gate(False), "ours", key=house_key, binds=True),
    Candidate("gate-lane", "Tokenhouse, lane", _gate(True), "ours", key=house_key, binds=True),
)
