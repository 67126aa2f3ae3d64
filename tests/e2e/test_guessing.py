"""Guessing passwords: bounded, equal for names that do not exist, and no way to lock anyone out."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import ServerFactory
from tests.e2e.conftest import AUTHTOKEN, PASSWORD, Pair, prepare
from tests.nodes import Node
from tests.servers import Memory, Server


def from_address(source: str) -> httpx.Client:
    """A client that comes from another loopback address."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=20)


async def guesses(urls: list[str], name: str = "alice") -> list[httpx.Response]:
    """One wrong password to each URL, all at once."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=20, limits=limits) as http:
        posts = [
            http.post(url + AUTHTOKEN, json={"username": name, "password": f"wrong-{i}"})
            for i, url in enumerate(urls)
        ]
        return await asyncio.gather(*posts)


def test_parallel_guesses_compute_at_most_that_many_hashes(pair: Pair) -> None:
    """Sixty-four at once over two nodes: ten are answered as wrong, the rest must wait."""
    answers = asyncio.run(guesses([pair.a.url, pair.b.url] * 32))

    counted = Counter(answer.status_code for answer in answers)
    assert 10 == counted[400]
    assert 54 == counted[429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert "detail" in refused.json()


def test_the_owner_gets_in_from_elsewhere_while_it_lasts(pair: Pair) -> None:
    """An address that has not guessed is let through with the right password."""
    asyncio.run(guesses([pair.a.url] * 20))
    body = {"username": "alice", "password": PASSWORD}
    same = pair.b.http.post(AUTHTOKEN, json=body)
    with from_address("127.0.0.3") as http:
        elsewhere = http.post(pair.b.url + AUTHTOKEN, json=body)

    assert (429, 200) == (same.status_code, elsewhere.status_code)


def test_every_spelling_of_a_name_shares_one_bucket(pair: Pair) -> None:
    """Case and compatibility forms are no way around the limit."""
    names = ["alice", "ALICE", "Alice", " alice ", "\uff41lice"]
    codes = [
        pair.a.http.post(
            AUTHTOKEN, json={"username": names[i % 5], "password": f"wrong-{i}"}
        ).status_code
        for i in range(11)
    ]

    assert [400] * 10 + [429] == codes


def test_a_name_that_does_not_exist_is_limited_alike(pair: Pair) -> None:
    """The guard tells nobody which names exist."""
    codes = [answer.status_code for answer in asyncio.run(guesses([pair.a.url] * 12, "nobody"))]

    assert Counter({400: 10, 429: 2}) == Counter(codes)


def test_right_logins_never_trip_the_guard(pair: Pair) -> None:
    """Thirty in a row and thirty at once, all of them let in."""
    body = {"username": "alice", "password": PASSWORD}
    row = [pair.a.http.post(AUTHTOKEN, json=body).status_code for _ in range(30)]

    async def crowd() -> list[int]:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            urls = [pair.a.url + AUTHTOKEN, pair.b.url + AUTHTOKEN] * 15
            return [
                a.status_code
                for a in await asyncio.gather(*(http.post(u, json=body) for u in urls))
            ]

    assert {200} == set(row) == set(asyncio.run(crowd()))


def test_zero_attempts_turns_the_guard_off(redis_server: Server | Memory) -> None:
    """For those who limit logins in front."""
    prepare(redis_server.url, "alice")
    node = Node(redis_server.url, {"TOKENHOUSE_LOGIN__ATTEMPTS": "0"})
    try:
        codes = [answer.status_code for answer in asyncio.run(guesses([node.url] * 30))]
    finally:
        node.stop()

    assert {400} == set(codes)


@pytest.fixture
def costly(server_factory: ServerFactory) -> Iterator[Node]:
    """A node with the default cost of a hash and no guard."""
    from tests.nodes import environment

    server = server_factory()
    settings = {
        "TOKENHOUSE_LOGIN__ATTEMPTS": "0",
        "TOKENHOUSE_LOGIN__ARGON2_TIME": "2",
        "TOKENHOUSE_LOGIN__ARGON2_MEMORY": "19MiB",
    }
    assert environment(server.url, settings)
    prepare(server.url)
    from tests.nodes import tokenhouse

    made = tokenhouse(
        "user", "add", "alice", "--password-stdin", store=server.url, stdin="pw", settings=settings
    )
    assert 0 == made.returncode, made.stderr
    node = Node(server.url, settings)
    yield node
    node.stop()


def timed_guess(node: Node, name: str, number: int) -> tuple[float, object]:
    """The seconds that a wrong guess took, and what the guesser can see of its answer."""
    started = time.perf_counter()
    answer = node.http.post(AUTHTOKEN, json={"username": name, "password": f"no-{number}"})
    took_s = time.perf_counter() - started
    stable = {k: v for k, v in answer.headers.items() if k in ("content-type", "allow")}
    return took_s, (answer.status_code, answer.text, tuple(sorted(stable.items())))


def difference(node: Node, seen: set[object]) -> float:
    """By how much the medians of guesses at two names differ; adds the answers to *seen*.

    The names take turns in going first, so that what slows the machine down slows both.
    """
    took: dict[str, list[float]] = {"alice": [], "nobody": []}
    for number in range(200):
        for name in sorted(took, reverse=bool(number % 2)):
            took_s, answer = timed_guess(node, name, number)
            took[name].append(took_s)
            seen.add(answer)
    known, unknown = (statistics.median(samples) for samples in took.values())
    return abs(known - unknown) / known


def test_an_unknown_user_reads_and_costs_the_same_as_a_wrong_password(costly: Node) -> None:
    """Two hundred samples each, interleaved; the medians are within 5 %.

    In the best of five rounds: a busy machine may part them once, a hash left out always does.
    """
    seen: set[object] = set()

    assert any(difference(costly, seen) < 0.05 for _ in range(5))
    assert 1 == len(seen)
