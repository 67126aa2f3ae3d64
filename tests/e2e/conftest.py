"""Two nodes on one Redis, with a user, for each test that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from service.config import load
from service.house import build
from tests.conftest import ServerFactory, or_skip
from tests.nodes import PROMPT, Node, environment
from tests.servers import NEWEST, Memory, Pool, Server, wait_until

PASSWORD = "correct horse battery"
AUTHTOKEN = "/api/v2/authtoken/"
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


def prepare(store: str, *users: str, init: bool = True) -> None:
    """Set the store up and add *users*, all with PASSWORD."""

    async def work() -> None:
        house = build(load(env=environment(store)))
        if init:
            await house.setup.init()
        for name in users:
            await house.users.add(name, PASSWORD)
        await house.aclose()

    asyncio.run(work())


@dataclass
class Pair:
    """Two nodes, *a* and *b*, on one *server*."""

    a: Node
    b: Node
    server: Server | Memory

    def login(self, node: Node, user: str = "alice", **options: object) -> httpx.Response:
        """POST a name and password to one node."""
        body = {"username": user, "password": PASSWORD}
        return node.http.post(AUTHTOKEN, json=body, **options)  # type: ignore[arg-type]

    def token(self, node: Node, user: str = "alice", **options: object) -> str:
        """The token of a login that must succeed."""
        answer = self.login(node, user, **options)
        assert 200 == answer.status_code, answer.text
        text: str = answer.json()["token"]
        return text


def gate(node: Node, token: str, **headers: str) -> httpx.Response:
    """Ask one node's gate about a request with *token*."""
    return node.http.get("/authz/ext/", headers={"authorization": f"Token {token}", **headers})


@pytest.fixture(scope="session")
def shared_pair(server_pool: Pool) -> Iterator[Pair]:
    """The nodes that this test process shares; prefer ``pair``."""
    server = or_skip(lambda: server_pool.get(NEWEST))
    nodes = [Node(server.url), Node(server.url)]
    yield Pair(nodes[0], nodes[1], server)
    for node in nodes:
        node.stop()


@pytest.fixture
def pair(shared_pair: Pair, redis_server: Server | Memory) -> Pair:
    """Two nodes on an empty Redis that was set up and has the user alice."""
    assert redis_server.url == shared_pair.server.url
    prepare(redis_server.url, "alice")
    return shared_pair


@pytest.fixture
def server(server_factory: ServerFactory) -> Server:
    """A Redis of this test's own, with the user alice, that survives a restart with its data."""
    made = server_factory(conf=DURABLE)
    prepare(made.url, "alice")
    return made


@pytest.fixture
def node(server: Server) -> Iterator[Node]:
    """A node on it."""
    started = Node(server.url)
    yield started
    started.stop()


@pytest.fixture
def prompt(server: Server) -> Iterator[Node]:
    """A node on it that waits for it no longer than it does by default; see ``come_again``."""
    started = Node(server.url, PROMPT)
    yield started
    started.stop()


def come_again(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer that is not 503, as clients do who are told to come again.

    A prompt node takes a machine that is busy for a moment for an outage, and says so.
    """
    told: list[httpx.Response] = []

    def answered() -> bool:
        told.append(ask())
        return told[-1].status_code != 503

    wait_until(answered, "an answer")
    return told[-1]
