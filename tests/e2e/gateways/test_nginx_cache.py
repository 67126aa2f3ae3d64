"""Verdicts kept by a real nginx, as the shipped example does it and ``[gate] staleness`` allows."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from tests.bearers import bearers
from tests.e2e.gateways.conftest import Front, World, front_of
from tests.e2e.gateways.test_gateways import PREFLIGHT
from tests.e2e.gateways.world import AGENT
from tests.makers import Rig
from tests.servers import wait_until

STALE_S = 5
BRIEF_S = 2


@pytest.fixture(scope="module")
def keeping(
    new_world: Callable[[dict[str, str]], World], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """nginx before a node that lets verdicts be kept for five seconds."""
    world = new_world({"TOKENHOUSE_GATE__STALENESS": f"{STALE_S}s"})
    made = front_of("nginx", tmp_path_factory.mktemp("keeping"), world)
    yield made
    made.stop()


def asked_of(front: Front, work: Callable[[], object]) -> int:
    """How often *work* makes nginx ask the gate."""
    before = front.world.way.questions
    work()
    return front.world.way.questions - before


def test_the_load_on_the_gate_falls_to_one_question_a_token(keeping: Front) -> None:
    """Twenty tokens, five hundred requests: one question each, and one more when time ran out."""
    texts = bearers(keeping.world.server.url, 20)

    def ask(text: str) -> tuple[str, list[str]]:
        asked = keeping.home.ask(text)
        return texts[text], asked.got("x-auth-user")

    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        said: list[tuple[str, list[str]]] = []
        questions = asked_of(keeping, lambda: said.extend(pool.map(ask, list(texts) * 25)))
    rounds = 1 + int((time.monotonic() - began) / STALE_S)

    assert 500 == len(said)
    assert not [pair for pair in said if [pair[0]] != pair[1]]
    # Several at a time may ask before the first answer is there.
    assert 20 <= questions <= (20 + 4 * 4) * rounds


def test_a_bad_token_never_gets_the_answer_of_another(keeping: Front) -> None:
    """Whatever differs from a request that passed is asked about anew, each time."""
    good, token = keeping.fate("never ends"), keeping.token
    assert 200 == keeping.home.ask(good).status
    assert 200 == keeping.home.ask(token).status
    bad = [good[:-1] + "x", good + "x", good.upper() + "x", "x", "", f"{good},{good}"]
    for text in bad * 3:
        assert 401 == keeping.home.ask(text).status
    for header in ("x-auth-token", "x-authentication"):
        assert 401 == keeping.home.ask(good, headers={header: "other"}).status
        assert 401 == keeping.home.ask("", headers={header: "other"}).status
    assert 200 == keeping.home.ask("", headers={"x-auth-token": good}).status
    assert 401 == keeping.elsewhere.ask(token).status
    assert 401 == keeping.home.ask(token, headers={"user-agent": "other"}).status
    assert 401 == keeping.home.ask(token, headers={"user-agent": f"{AGENT}|x"}).status
    assert 401 == keeping.elsewhere.ask(token, headers={"x-forwarded-for": "127.0.0.2"}).status


def test_a_kept_read_is_no_write(keeping: Front) -> None:
    """The method is part of what is kept, the gateway's own and not the client's."""
    token = keeping.fate("read only")
    assert 200 == keeping.home.ask(token).status
    for method, lie in product(("POST", "DELETE"), ("x-original-method", "x-forwarded-method")):
        assert 403 == keeping.home.ask(token, method=method, headers={lie: "GET"}).status


def test_refusals_preflights_and_outages_are_never_kept(keeping: Front) -> None:
    """Each is asked about anew."""
    revoked = keeping.fate("revoked")

    assert 5 == asked_of(keeping, lambda: [keeping.home.ask(revoked) for _ in range(5)])
    assert 5 == asked_of(
        keeping,
        lambda: [keeping.home.ask(method="OPTIONS", headers=PREFLIGHT) for _ in range(5)],
    )
    fresh = next(iter(bearers(keeping.world.server.url, 1)))
    keeping.world.server.pause()
    try:
        out = [keeping.home.ask(fresh).status]
    finally:
        keeping.world.server.resume()
    wait_until(lambda: keeping.home.ask(fresh).status == 200, "passing again")

    assert [503] == out


def test_a_revoked_token_passes_for_no_longer_than_that(
    new_world: Callable[[dict[str, str]], World], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It does pass while its verdict is kept, and the bound is the staleness, to the second."""
    world = new_world({"TOKENHOUSE_GATE__STALENESS": f"{BRIEF_S}s"})
    front = front_of("nginx", tmp_path_factory.mktemp("brief"), world)
    try:
        # The best of three: a busy machine may hold one of them up, a wrong bound all.
        assert any(passes_on_for(front) <= BRIEF_S + 1 for _ in range(3))
    finally:
        front.stop()


def passes_on_for(front: Front) -> float:
    """The seconds that a new token, used and then revoked, passes on; endless if it never did.

    nginx counts in whole seconds.
    """
    ((text, owner),) = bearers(front.world.server.url, 1).items()
    assert 200 == front.home.ask(text).status
    asyncio.run(revoke(front.world.server.url, owner))
    at, last = time.monotonic(), math.inf

    def refused() -> bool:
        nonlocal last
        began, status = time.monotonic(), front.home.ask(text).status
        assert status in (200, 401)
        if status == 200:
            last = began - at
        return status == 401

    wait_until(refused, "a refusal")
    assert 401 == front.home.ask(text).status
    return last


async def revoke(url: str, owner: str) -> None:
    """Everything that *owner* has."""
    async with Rig(url) as rig:
        await rig.store.revoke_owner(owner)
