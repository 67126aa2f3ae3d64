"""Real clients for tests: each in an environment of its own, behind a forwarder that counts."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".tools" / "clients"
INSTALL_S = 600
COMMAND_S = 60
BESIDES = ("setuptools", "click<9", "requests<3")
"""Our clients import distutils, which after Python 3.11 only setuptools has, and bound nothing."""


class InstallFailed(RuntimeError):
    """An environment could not be made; the message has what the installer said."""


def client(package: str, version: str) -> Path:
    """The folder with the programs of *package*, as it is published, in exactly this *version*.

    Made once per checkout, however many test processes ask at a time. InstallFailed.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = FOLDER / f"{package}-{version}"
    with (FOLDER / f"{package}-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = (f"{package}=={version}", *BESIDES)
        recipe = "\n".join((sys.version, sys.base_prefix, *packages))
        done = folder / "recipe"
        if not done.exists() or done.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, packages)
            done.write_text(recipe)
    return folder / "bin"


def _make(folder: Path, packages: tuple[str, ...]) -> None:
    _run(".ci/venv", sys.executable, str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "install", *packages)


def _run(*words: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if done.returncode:
        raise InstallFailed(f"{' '.join(words)}\n{(done.stdout + done.stderr)[-4000:]}")


@dataclass(frozen=True)
class Program:
    """A client's *path* and the *home* it keeps its files in."""

    path: Path
    home: Path

    def run(
        self, *words: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, without anything of ours in its environment but *settings*."""
        env = {"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8", **(settings or {})}
        return subprocess.run(
            [str(self.path), *words],
            env=env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )


@dataclass(frozen=True)
class Seen:
    """One request that passed the forwarder, the *node* it went to and the *status* it got."""

    method: str
    path: str
    body: bytes
    node: str
    status: int


class Forwarder:
    """One URL before several nodes, which take turns request by request; *seen* has them all.

    To the nodes every request comes from 127.0.0.1, and otherwise as its client sent it.
    """

    def __init__(self, *nodes: str) -> None:
        self.seen: list[Seen] = []
        self._nodes = itertools.cycle(nodes)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def lines(self) -> list[str]:
        """Method and path of each request, in order."""
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    def next_node(self) -> str:
        """Whose turn it is."""
        return next(self._nodes)

    def stop(self) -> None:
        """Let nothing through any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


@contextlib.contextmanager
def forwarding(*nodes: str) -> Iterator[Forwarder]:
    """A forwarder for the URLs of *nodes*, stopped at the end."""
    forwarder = Forwarder(*nodes)
    try:
        yield forwarder
    finally:
        forwarder.stop()


def _handler(forwarder: Forwarder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def forward(self) -> None:
            node = forwarder.next_node()
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            status, headers, content = self.ask(node, body)
            forwarder.seen.append(Seen(self.command, self.path, body, node, status))
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def ask(self, node: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            link = http.client.HTTPConnection(urlsplit(node).netloc, timeout=10)
            with contextlib.closing(link):
                link.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    link.putheader(name, value)
                link.endheaders(body)
                answer = link.getresponse()
                return answer.status, answer.getheaders(), answer.read()

        def log_message(self, *words: object) -> None:
            pass

        do_GET = do_HEAD = do_POST = do_DELETE = do_OPTIONS = do_PUT = do_PATCH = forward

    return Handler
