"""The feed of revocations on real nodes, with the consumer of its page, killed now and then."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.config import load
from service.core.tokens import Wish
from service.house import build
from service.model import token_id
from service.store.keys import shard_of
from tests.e2e.conftest import PASSWORD, Pair
from tests.nodes import ROOT, Node, environment, tokenhouse
from tests.servers import Server, wait_until

CONSUMER = re.search(
    r"^```python\n(.*?)^```", (ROOT / "docs/feed.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)
MANY, KILLS = 10_000, 3
PATIENCE_S = 300


def issue(pair: Pair, name: str, *grant: str) -> str:
    """A native token of a new user."""
    words = ("user", "add", name, *grant, "--password-stdin")
    assert 0 == tokenhouse(*words, store=pair.server.url, stdin=PASSWORD).returncode
    return tokenhouse("token", "issue", "--user", name, store=pair.server.url).stdout.strip()


@pytest.fixture
def token(pair: Pair) -> str:
    """The token of a user who may listen."""
    return issue(pair, "gateway", "--grant", "gateway")


class Listener:
    """Reads ``/events`` of one node in a thread; *lines* is what came."""

    def __init__(self, url: str, token: str, last: str = "") -> None:
        self.lines: list[str] = []
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
        target = urlsplit(url)
        self._link = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
        self._link.request("GET", "/events", headers=headers)
        self._answer = self._link.getresponse()
        assert 200 == self._answer.status
        assert "text/event-stream; charset=utf-8" == self._answer.headers["content-type"]
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.wait("data: {}")

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while line := self._answer.readline():
                self.lines.append(line.decode().rstrip("\n"))
        self.ended.set()

    def wait(self, text: str, wait_s: float = 30) -> str:
        """The first line with *text*."""
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            found = [line for line in self.lines if text in line]
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not come: {self.lines[-5:]}")

    def stop(self) -> None:
        """Go."""
        with contextlib.suppress(OSError):
            self._link.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._link.close()


def test_whatever_ends_a_token_is_told_on_every_node(pair: Pair, token: str) -> None:
    """By its number, label and reason; of a user with the mark below which all is dead."""
    for name in ("dora", "emil"):
        issue(pair, name)
    words = ("token", "issue", "--user", "dora", "--label", "ci", "--json")
    made = httpx.Response(200, text=tokenhouse(*words, store=pair.server.url).stdout).json()
    listener = Listener(pair.b.url, token)
    try:
        auth = {"Authorization": f"Bearer {token}"}
        form = {"token": made["token"]}
        assert 200 == pair.a.http.post("/oauth/revoke", data=form, headers=auth).status_code
        number = made["id"]
        data = listener.wait(f'"id":{number},')
        assert (
            f'data: {{"owner":"dora","reason":"revoked","id":{number},"label":"ci","mark":0}}'
            == data
        )
        tokenhouse("token", "revoke", "--user", "dora", store=pair.server.url)
        mark = int(listener.wait('"owner":"dora","reason":"revoked","id":0').split(":")[-1][:-1])
        assert number < token_id(mark + 1, shard_of("dora"))
        tokenhouse("user", "disable", "dora", store=pair.server.url)
        listener.wait('"owner":"dora","reason":"disabled","id":0')
        tokenhouse("user", "delete", "emil", "--yes", store=pair.server.url)
        listener.wait('"owner":"emil","reason":"deleted","id":0')
    finally:
        listener.stop()


def test_who_may_not_listen_is_told_by_the_gates_words(pair: Pair) -> None:
    """401 without a good token, 403 to others, 405 for another method."""
    plain = issue(pair, "plain")
    auth = {"Authorization": f"Bearer {plain}"}
    answers = [
        pair.a.http.get("/events"),
        pair.a.http.get("/events", headers={"Authorization": "Bearer x"}),
        pair.a.http.get("/events", headers=auth),
        pair.a.http.post("/events", headers=auth),
    ]

    assert [401, 401, 403, 405] == [answer.status_code for answer in answers]
    assert answers[0].headers["www-authenticate"].startswith("Bearer ")
    assert {b""} == {answer.content for answer in answers}


@pytest.mark.parametrize("last", ["1-1", "9999999999999-0", "0-0", "no id", "1-", "1-1x"])
def test_who_may_have_missed_something_is_told_to_forget_everything(
    pair: Pair, token: str, last: str
) -> None:
    """And then all that is known."""
    other = issue(pair, "dora")
    assert (
        0 == tokenhouse("token", "revoke", "--stdin", store=pair.server.url, stdin=other).returncode
    )
    listener = Listener(pair.a.url, token, last)
    begun = Listener(pair.a.url, token)
    try:
        assert "event: reset" == listener.wait("event: ")
        listener.wait('"owner":"dora"')
        assert "event: start" == begun.wait("event: ")
        assert not [line for line in begun.lines if "dora" in line]
    finally:
        listener.stop()
        begun.stop()


def test_the_stream_ends_with_the_node(pair: Pair, token: str) -> None:
    """Nobody who listens holds up a stopping node."""
    node = Node(pair.server.url)
    listener = Listener(node.url, token)
    began = time.monotonic()
    node.stop()
    took_s = time.monotonic() - began
    listener.stop()

    assert listener.ended.is_set()
    assert took_s < 8


class Consumer:
    """The program of the page, in a process that can be killed."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        assert CONSUMER is not None
        self._script = folder / "consumer.py"
        self._script.write_text(CONSUMER[1], "utf-8")
        self._out = folder / "seen.txt"
        self._words = [sys.executable, "-u", str(self._script), f"{url}/events", token]
        self._words.append(str(folder / "last"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Go on where it was."""
        with self._out.open("ab") as out:
            self._process = subprocess.Popen(self._words, stdout=out, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """Without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def listen(self) -> None:
        """Until it has seen them all, or nothing new for half a minute."""
        most, since = -1, time.monotonic()
        while most < MANY and time.monotonic() - since < 30:
            if (count := len(self.seen())) > most:
                most, since = count, time.monotonic()
            time.sleep(0.1)

    def seen(self) -> set[int]:
        """The numbers of the tokens that it was told of."""
        text = self._out.read_text() if self._out.exists() else ""
        return {int(line[3:]) for line in text.split("\n")[:-1] if line.startswith("id ")}

    def wait(self, line: str) -> None:
        """Until it has said *line*."""
        wait_until(lambda: self._out.exists() and f"{line}\n" in self._out.read_text(), line)


async def issue_all(url: str) -> list[str]:
    """The texts of very many tokens of a few users."""
    house = build(load(env=environment(url)))
    wishes = [Wish(owner=f"user-{n}", policy=house.policies["oauth"]) for n in range(50)]
    try:
        for wish in wishes:
            await house.users.owners.create(wish.owner, {})
        made: list[str] = []
        while len(made) < MANY:
            some = await asyncio.gather(*map(house.tokens.issue, wishes))
            made += [each.text for each in some]
        return made
    finally:
        await house.aclose()


async def revoke_all(url: str, texts: list[str], pauses: dict[int, threading.Event]) -> None:
    """Revoke every one of *texts* as a node does, and tell at which of *pauses* it is."""
    house = build(load(env=environment(url)))
    try:
        for start in range(0, len(texts), 50):
            part = [house.tokens.revoke(text.encode()) for text in texts[start : start + 50]]
            assert all(await asyncio.gather(*part))
            if start in pauses:
                pauses[start].set()
    finally:
        await house.aclose()


def test_the_consumer_of_the_page_drops_owners_and_everything(
    pair: Pair, token: str, tmp_path: Path
) -> None:
    """Not only single tokens."""
    (tmp_path / "last").write_text("1-1")
    consumer = Consumer(tmp_path, pair.b.url, token)
    consumer.start()
    try:
        consumer.wait("everything")
        issue(pair, "dora")
        tokenhouse("token", "revoke", "--user", "dora", store=pair.server.url)
        consumer.wait("owner dora")
    finally:
        consumer.kill()


def test_a_consumer_that_is_killed_and_started_again_has_seen_them_all(
    pair: Pair, token: str, tmp_path: Path
) -> None:
    """Ten thousand revocations, three deaths: at least once each."""
    assert isinstance(pair.server, Server)
    texts = asyncio.run(issue_all(pair.server.url))
    step = MANY // (KILLS + 1)
    pauses = {step * (n + 1) // 50 * 50: threading.Event() for n in range(KILLS)}
    consumer = Consumer(tmp_path, pair.b.url, token)
    consumer.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "last").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = threading.Thread(
        target=asyncio.run, args=(revoke_all(pair.server.url, texts, pauses),), daemon=True
    )
    worker.start()
    try:
        for pause in pauses.values():
            assert pause.wait(PATIENCE_S)
            consumer.kill()
            time.sleep(0.3)
            consumer.start()
        worker.join(PATIENCE_S)
        consumer.listen()
    finally:
        consumer.kill()
        worker.join(PATIENCE_S)

    assert MANY == len(consumer.seen())
