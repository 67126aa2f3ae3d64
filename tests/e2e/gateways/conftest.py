"""The real gateways before one node, and those who come through them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.tools import Missing
from tests.bearers import fates
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, prepare
from tests.e2e.gateways.gateways import PLANS, Gateway
from tests.e2e.gateways.world import ELSEWHERE, HOME, Application, Client, Way
from tests.nodes import Node
from tests.servers import NEWEST, Server

SETTINGS = {
    "TOKENHOUSE_SERVER__TRUSTED_PROXIES": '["127.0.0.1/32"]',
    "TOKENHOUSE_GATE__PREFLIGHT": "true",
    "TOKENHOUSE_STORE__TIMEOUT": "500ms",
    "TOKENHOUSE_LOGIN__ATTEMPTS": "3",
}


@dataclass
class World:
    """A node on a Redis of its own with tokens of every fate, and an application."""

    server: Server
    node: Node
    way: Way
    application: Application
    fates: dict[str, str]

    def stop(self) -> None:
        """End it all."""
        self.way.stop()
        self.application.stop()
        self.node.stop()
        self.server.discard()


def build(settings: dict[str, str]) -> World:
    """A world whose node has *settings*."""
    server = or_skip(lambda: Server(NEWEST))
    tokens = fates(server.url)
    prepare(server.url, "kate", "guessed", init=False)
    node = Node(server.url, settings)
    return World(server, node, Way(node.url), Application(), tokens)


def started(name: str, folder: Path, world: World) -> Gateway:
    """The gateway *name* in front of *world*; a failed test when it cannot be had here."""
    try:
        return Gateway(name, folder, gate=world.way.port, application=world.application.port)
    except Missing as missing:
        pytest.fail(f"these tests need {name}, and it cannot be fetched: {missing}")


@dataclass
class Front:
    """One gateway, and a client at home and one elsewhere."""

    gateway: Gateway
    world: World
    home: Client
    elsewhere: Client

    @functools.cached_property
    def token(self) -> str:
        """A token that kate got at home, through the gateway: bound to address and agent."""
        return self.home.login("kate", PASSWORD)

    def fate(self, name: str) -> str:
        """A token of this fate (``tests/bearers.py``)."""
        return self.world.fates[name]

    def stop(self) -> None:
        """End the gateway and its clients."""
        self.home.http.close()
        self.elsewhere.http.close()
        self.gateway.stop()


def front_of(name: str, folder: Path, world: World) -> Front:
    """The gateway *name* with its two clients."""
    gateway = started(name, folder, world)
    return Front(gateway, world, Client(gateway.url, HOME), Client(gateway.url, ELSEWHERE))


@pytest.fixture(scope="module")
def new_world() -> Iterator[Callable[[dict[str, str]], World]]:
    """Call it with settings for a world that ends with the module."""
    made: list[World] = []

    def make(settings: dict[str, str]) -> World:
        made.append(build({**SETTINGS, **settings}))
        return made[-1]

    yield make
    for world in made:
        world.stop()


@pytest.fixture(scope="module")
def world(new_world: Callable[[dict[str, str]], World]) -> World:
    """The world that all gateways of a module share."""
    return new_world({})


@pytest.fixture(scope="module", params=PLANS)
def front(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Each gateway in turn, with its shipped example."""
    made = front_of(request.param, tmp_path_factory.mktemp(request.param), world)
    yield made
    made.stop()
