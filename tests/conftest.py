"""Fixtures every test may use: real servers of each kind, and a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster import Cluster
from tests.patience import PatientLoop
from tests.servers import NEWEST, Memory, MissingServer, Pool, Server, kinds

T = TypeVar("T")
ServerFactory = Callable[..., Server]

FETCHING, FETCH_S = {"e2e", "bench"}, 900
"""The folders whose tests may have to fetch something, and the seconds that they have."""

# An example may take as long as a busy machine makes it; the limit of the whole test holds.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The first to want a real client or gateway waits until it is there."""
    if config.getoption("timeout") is None:
        for item in items:
            if FETCHING & set(item.path.parts):
                item.add_marker(pytest.mark.timeout(FETCH_S))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], PatientLoop]]:
    """Async tests measure the time that the code had, not what a busy machine took away."""
    return {"patient": PatientLoop}


def or_skip(make: Callable[[], T]) -> T:
    """What *make* makes; without the server it needs: an error in CI, a skip on a laptop."""
    try:
        return make()
    except MissingServer as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def server_pool() -> Iterator[Pool]:
    """The servers this test process shares; prefer the fixtures below."""
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture
def redis_server(server_pool: Pool) -> Server | Memory:
    """The newest Redis, running and empty."""
    return or_skip(lambda: server_pool.get(NEWEST))


@pytest.fixture(params=kinds())
def any_server(request: pytest.FixtureRequest, server_pool: Pool) -> Server | Memory:
    """Each kind of server in turn, running and empty; ``memory://`` among them."""
    return or_skip(lambda: server_pool.get(request.param))


@pytest.fixture(params=kinds()[1:])
def real_server(request: pytest.FixtureRequest, server_pool: Pool) -> Server | Memory:
    """Each kind of real server in turn, running and empty."""
    return or_skip(lambda: server_pool.get(request.param))


@pytest.fixture
def server_factory() -> Iterator[ServerFactory]:
    """Call it like ``Server`` for a server of this test's own; it is gone when the test ends."""
    made: list[Server] = []

    def make(*args: object, **kwargs: object) -> Server:
        server = or_skip(lambda: Server(*args, **kwargs))  # type: ignore[arg-type]
        made.append(server)
        return server

    yield make
    for server in reversed(made):
        server.discard()


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """The cluster this test process shares; prefer ``cluster``."""
    started = or_skip(Cluster)
    yield started
    started.discard()


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """Three empty masters that own all slots, none of them on the move."""
    shared_cluster.reset()
    return shared_cluster
