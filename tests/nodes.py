"""Starts real ``tokenhouse serve`` processes for tests and stops them by their id."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
# The cheapest parameters Argon2 takes: for tests of anything but the cost itself. And a store that
# may take its time: a busy machine is no outage, except where a test is about outages.
CHEAP = {
    "TOKENHOUSE_LOGIN__ARGON2_TIME": "1",
    "TOKENHOUSE_LOGIN__ARGON2_MEMORY": "8KiB",
    "TOKENHOUSE_STORE__TIMEOUT": "3s",
}
PROMPT = {"TOKENHOUSE_STORE__TIMEOUT": "150ms"}
START_S = 60
PATIENCE_S = 20
"""How long a client waits for an answer; on a busy machine the right one may take its time."""


def environment(store: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command of ours sees: the store, a secret, cheap hashes and *settings*."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOKENHOUSE_")}
    mine = {"TOKENHOUSE_STORE__URL": store, **CHEAP, **(settings or {})}
    if not store.startswith("memory:"):
        mine.setdefault("TOKENHOUSE_SECRET__KEYS", SECRET)
    return {**clean, **mine, "PYTHONPATH": str(ROOT)}


def tokenhouse(
    *words: str, store: str, stdin: str = "", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service", *words],
        input=stdin,
        env=environment(store, settings),
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Node:
    """One ``tokenhouse serve`` on a free port; ``url`` once it listens, ``log`` what it said."""

    def __init__(self, store: str, settings: Mapping[str, str] | None = None, *words: str) -> None:
        self.lines: list[str] = []
        self._said: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", "0", *words],
            env=environment(store, settings),
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.url = self._wait_for_url()
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        self._wait_until_alive()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._said.put(line)
        self._said.put(None)

    def _wait_for_url(self) -> str:
        while True:
            line = self._said.get(timeout=START_S)
            if line is None:
                raise RuntimeError("the node ended: " + self.log)
            if line.startswith("listening on "):
                return line.split()[-1]

    def _wait_until_alive(self) -> None:
        # The address is bound before the application is ready; the first answer waits for it.
        assert self.http.get("/livez", timeout=START_S).status_code == 200

    @property
    def log(self) -> str:
        """Everything the node wrote so far."""
        return "".join(self.lines)

    def terminate(self) -> int:
        """Ask the node to end, as an init system does, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def stop(self) -> None:
        """End the node for good."""
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)
        self._listener.join(timeout=10)
        assert self.process.stderr is not None
        self.process.stderr.close()
