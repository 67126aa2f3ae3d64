"""Puppet's ``|no_keepalive`` at both gates: the same verdict, and no trace of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.bearers import AGENT, LOCAL, bearer, fates
from tests.conftest import or_skip
from tests.contract.test_gates_agree import FATES, STATUSES
from tests.makers import MINUTE, TOWER, Made, Rig
from tests.nodes import Node
from tests.servers import NEWEST, Server

SUFFIX = "|no_keepalive"
PLACES = ("X-Authentication", "query")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A Redis for this module alone."""
    made = or_skip(lambda: Server(NEWEST))
    yield made
    made.discard()


@pytest.fixture(scope="module", params=["true", "false"], ids=["lane", "asgi"])
def node(request: pytest.FixtureRequest, server: Server) -> Iterator[Node]:
    """A node with either gate, which takes a token in the query as well."""
    server.flush()
    settings = {"TOKENHOUSE_GATE__LANE": request.param, "TOKENHOUSE_GATE__QUERY": "true"}
    made = Node(server.url, settings)
    yield made
    made.stop()
    assert not [line for line in made.lines if "failed" in line or "Traceback" in line]


def ask(node: Node, text: str, place: str) -> httpx.Response:
    """The gate's answer to *text* at *place*."""
    headers, query = {"User-Agent": AGENT.decode()}, {}
    (query if place == "query" else headers)["token" if place == "query" else place] = text
    return node.http.get("/authz/ext/", params=query, headers=headers)


@pytest.mark.parametrize("place", PLACES)
def test_every_fate_is_told_as_without_it(node: Node, server: Server, place: str) -> None:
    """A refusal is the same refusal, and whoever passes is told the same."""
    tokens = fates(server.url)
    for fate in FATES:
        quiet, usual = (ask(node, tokens[fate] + more, place) for more in (SUFFIX, ""))
        told = {"date", "x-auth-expires-in"}

        assert STATUSES[fate] == quiet.status_code == usual.status_code, fate
        assert [(k, v) for k, v in quiet.headers.items() if k not in told] == [
            (k, v) for k, v in usual.headers.items() if k not in told
        ]


@pytest.mark.parametrize("place", PLACES)
def test_it_leaves_no_trace(node: Node, server: Server, place: str) -> None:
    """The token neither slides nor has a last use; without the suffix it does both."""

    async def work() -> None:
        async with Rig(server.url) as rig:
            text, made = await bearer(rig, place, TOWER, prefix=LOCAL)
            await rig.age(made, 10 * MINUTE)
            before = await rig.ttl(made)

            assert 200 == (await asyncio.to_thread(ask, node, text + SUFFIX, place)).status_code
            assert (None, True) == (await rig.field(made, "l"), await rig.ttl(made) <= before)
            assert 200 == (await asyncio.to_thread(ask, node, text, place)).status_code
            assert await used(rig, made)
            assert await rig.ttl(made) > before

    asyncio.run(work())


async def used(rig: Rig, made: Made) -> bool:
    """Whether a last use is noted."""
    return await rig.field(made, "l") is not None


def test_elsewhere_it_is_part_of_the_token(node: Node, server: Server) -> None:
    """So nobody has that token; and the suffix alone is none."""
    text = fates(server.url)["never ends"]
    for name, value in (
        ("Authorization", f"Bearer {text}{SUFFIX}"),
        ("X-Auth-Token", text + SUFFIX),
        ("X-Authentication", SUFFIX),
    ):
        assert 401 == node.http.get("/authz/ext/", headers={name: value}).status_code
