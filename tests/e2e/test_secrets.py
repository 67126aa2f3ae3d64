"""What is in Redis, in what is said to it and in the logs: no token, no password, no secret."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.e2e.conftest import AUTHTOKEN, prepare
from tests.nodes import SECRET, Node
from tests.servers import Server

PASSWORD = "hunter2-Zaphod-4711"


def everything(server: Server) -> bytes:
    """Every key with its content, as one blob of bytes."""
    readers = {
        b"hash": lambda key: server.cli("HGETALL", key),
        b"zset": lambda key: server.cli("ZRANGE", key, 0, -1, "WITHSCORES"),
        b"string": lambda key: server.cli("GET", key),
        b"stream": lambda key: server.cli("XRANGE", key, "-", "+"),
    }
    found = []
    cursor: object = b"0"
    while True:
        cursor, keys = server.cli("SCAN", cursor, "COUNT", 1000)
        for key in keys:
            found.append(repr((key, readers[server.cli("TYPE", key)](key))).encode())
            found.append(server.cli("DUMP", key) or b"")
        if cursor == b"0":
            return b"\n".join(found)


def spellings(text: str) -> list[bytes]:
    """*text* as it might be found: plain, and as raw bytes where it is hex."""
    found = [text.encode()]
    if len(text) == 40:
        found.append(bytes.fromhex(text))
        found.append(repr(bytes.fromhex(text))[2:-1].encode())
    return found


class Monitor:
    """Every command that a server runs, from now until ``stop``."""

    def __init__(self, server: Server) -> None:
        self._client = server.client()
        self._connection = self._client.__enter__()
        self._connection.send_command("MONITOR")
        assert b"OK" == self._connection.read_response()
        self.said: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            while True:
                self.said.append(bytes(self._connection.read_response()))
        except Exception:
            return

    def stop(self) -> bytes:
        """What was heard."""
        self._client.__exit__(None, None, None)
        self._thread.join(timeout=5)
        return b"\n".join(self.said)


@pytest.fixture
def server(server_factory: ServerFactory) -> Server:
    """A Redis of this test's own that writes itself down."""
    made = server_factory(conf={"appendonly": "yes", "aof-use-rdb-preamble": "no"})
    prepare(made.url)
    return made


def test_no_token_and_no_password_can_be_found_anywhere(server: Server, tmp_path: Path) -> None:
    """Keys, values, the commands of a login, the append-only file, a snapshot and the log."""
    from tests.nodes import tokenhouse

    monitor = Monitor(server)
    made = tokenhouse("user", "add", "alice", "--password-stdin", store=server.url, stdin=PASSWORD)
    assert 0 == made.returncode, made.stderr
    node = Node(server.url, {"TOKENHOUSE_LOG__LEVEL": "debug"})
    try:
        tokens = []
        for agent in ("one/1", "two/2", "three/3"):
            headers = {"user-agent": agent}
            body = {"username": "alice", "password": PASSWORD}
            token = node.http.post(AUTHTOKEN, json=body, headers=headers).json()["token"]
            headers["authorization"] = f"Token {token}"
            assert 200 == node.http.get("/authz/forward", headers=headers).status_code
            assert 200 == node.http.get("/api/v2/me/", headers=headers).status_code
            assert 401 == node.http.get("/authz/ext?token=" + token).status_code
            tokens.append(token)
        wrong = {"username": "alice", "password": PASSWORD + "-wrong"}
        assert 400 == node.http.post(AUTHTOKEN, json=wrong).status_code
        basic = node.http.get("/api/v2/me/", auth=("alice", PASSWORD))
        assert 200 == basic.status_code
        node.http.delete(AUTHTOKEN, headers={"authorization": f"Token {tokens[0]}"})
    finally:
        node.stop()
    said = monitor.stop()
    server.cli("SAVE")
    files = [path for path in Path(server.directory).rglob("*") if path.is_file()]
    haystacks = {
        "monitor": said,
        "store": everything(server),
        "log": node.log.encode() + made.stdout.encode() + made.stderr.encode(),
        **{path.name: path.read_bytes() for path in files},
    }

    assert len(said) > 1000
    assert any(name.endswith(".rdb") for name in haystacks)
    assert any("aof" in name for name in haystacks)
    for name, hay in haystacks.items():
        for needle in (PASSWORD.encode(), SECRET.encode(), *map(str.encode, tokens)):
            assert needle not in hay, name
        for token in tokens:
            assert not [spelling for spelling in spellings(token) if spelling in hay], name
