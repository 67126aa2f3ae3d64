"""The main job on two real nodes: log in, be let through, slide, be revoked."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from tests.e2e.conftest import AUTHTOKEN, PASSWORD, Pair, gate, prepare
from tests.nodes import Node, tokenhouse
from tests.servers import Memory, Server

IDLE_MS = 1_800_000
GRAVE_MS = 600_000


def token_keys(server: Server | Memory) -> list[bytes]:
    """Every token record in the store."""
    return list(server.cli("KEYS", "t:{*"))


def age(server: Server | Memory, by_ms: int) -> None:
    """Let every token grow older by lowering its TTL."""
    for key in token_keys(server):
        server.cli("PEXPIRE", key, int(server.cli("PTTL", key)) - by_ms)


def test_a_token_of_one_node_passes_on_the_other_until_it_is_revoked(pair: Pair) -> None:
    """Issued on A, let through by B, revoked on A, refused by B at the very next request."""
    token = pair.token(pair.a)
    allowed = gate(pair.b, token)
    revoked = pair.a.http.delete(AUTHTOKEN, headers={"authorization": f"Token {token}"})
    refused = gate(pair.b, token)

    assert (200, 204, 401) == (allowed.status_code, revoked.status_code, refused.status_code)
    assert "alice" == allowed.headers["x-auth-user"]


def test_one_login_gives_one_token_however_many_ask_at_once(pair: Pair) -> None:
    """Twenty parallel first logins over both nodes share one token."""

    async def logins() -> list[httpx.Response]:
        body = {"username": "alice", "password": PASSWORD}
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            urls = [pair.a.url, pair.b.url] * 10
            return await asyncio.gather(*(http.post(url + AUTHTOKEN, json=body) for url in urls))

    answers = asyncio.run(logins())

    assert Counter({200: 20}) == Counter(answer.status_code for answer in answers)
    assert 1 == len({answer.json()["token"] for answer in answers})
    assert 1 == len(token_keys(pair.server))


def test_a_per_user_limit_leaves_exactly_that_many(redis_server: Server | Memory) -> None:
    """Fifty parallel logins from different agents over two nodes under a limit of 3."""
    prepare(redis_server.url, "alice")
    settings = {"TOKENHOUSE_POLICY__TOWER__PER_USER": "3"}
    nodes = [Node(redis_server.url, settings), Node(redis_server.url, settings)]

    async def work() -> tuple[list[int], list[int]]:
        body = {"username": "alice", "password": PASSWORD}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            posts = [
                http.post(
                    nodes[i % 2].url + AUTHTOKEN, json=body, headers={"user-agent": f"agent/{i}"}
                )
                for i in range(50)
            ]
            answers = await asyncio.gather(*posts)
            uses = [
                http.get(
                    nodes[i % 2].url + "/authz/ext",
                    headers={
                        "user-agent": f"agent/{i}",
                        "authorization": f"Token {answer.json()['token']}",
                    },
                )
                for i, answer in enumerate(answers)
            ]
            return (
                [answer.status_code for answer in answers],
                [answer.status_code for answer in await asyncio.gather(*uses)],
            )

    try:
        logins, uses = asyncio.run(work())
    finally:
        for node in nodes:
            node.stop()

    assert Counter({200: 50}) == Counter(logins)
    assert Counter({401: 47, 200: 3}) == Counter(uses)


def test_a_limit_lowered_at_run_time_holds_at_the_next_use(redis_server: Server | Memory) -> None:
    """Tokens beyond a new limit die at their next use, oldest first, on nodes that know it."""
    prepare(redis_server.url, "alice")
    before = Node(redis_server.url)
    agents = [f"agent/{i}" for i in range(4)]
    body = {"username": "alice", "password": PASSWORD}
    tokens = [
        before.http.post(AUTHTOKEN, json=body, headers={"user-agent": agent}).json()["token"]
        for agent in agents
    ]
    before.stop()
    after = Node(redis_server.url, {"TOKENHOUSE_POLICY__TOWER__PER_USER": "2"})
    try:
        uses = [
            gate(after, token, **{"user-agent": agent}).status_code
            for token, agent in zip(tokens, agents, strict=True)
        ]
    finally:
        after.stop()

    assert [401, 401, 200, 200] == uses


def test_a_used_token_lives_on_and_an_idle_one_dies(pair: Pair) -> None:
    """Used every 1,000 s it slides; idle for 1,800 s it is gone."""
    token = pair.token(pair.a)
    for _ in range(5):
        age(pair.server, 1_000_000)
        assert 200 == gate(pair.b, token).status_code
    age(pair.server, IDLE_MS)

    assert 401 == gate(pair.b, token).status_code


@pytest.mark.parametrize("where", ["address", "agent"])
def test_a_refused_use_does_not_slide(pair: Pair, where: str) -> None:
    """A foreign address or agent leaves the TTL falling."""
    token = pair.token(pair.a)
    age(pair.server, 1_000_000)
    key = token_keys(pair.server)[0]
    before = int(pair.server.cli("PTTL", key))
    source = "127.0.0.2" if where == "address" else "127.0.0.1"
    agent = pair.b.http.headers["user-agent"] if where == "address" else "other/1"
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as http:
        refused = http.get(
            pair.b.url + "/authz/ext",
            headers={"authorization": f"Token {token}", "user-agent": agent},
        )

    assert 401 == refused.status_code
    assert int(pair.server.cli("PTTL", key)) <= before
    assert 200 == gate(pair.b, token).status_code
    assert int(pair.server.cli("PTTL", key)) > IDLE_MS + GRAVE_MS - 10_000


def hash_writes(server: Server | Memory) -> int:
    """How many HSETs the server has run."""
    counted = server.info("commandstats")["cmdstat_hset"]
    return int(dict(part.split("=") for part in str(counted).split(","))["calls"])


def test_last_used_is_written_once_a_minute(pair: Pair) -> None:
    """A thousand uses over two nodes write it once."""
    token = pair.token(pair.a)
    before = hash_writes(pair.server)

    async def uses() -> Counter[int]:
        headers = {
            "authorization": f"Token {token}",
            "user-agent": pair.a.http.headers["user-agent"],
        }
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(trust_env=False, timeout=20, limits=limits) as http:
            urls = [pair.a.url + "/authz/ext", pair.b.url + "/authz/ext"] * 500
            answers = await asyncio.gather(*(http.get(url, headers=headers) for url in urls))
            return Counter(answer.status_code for answer in answers)

    counted = asyncio.run(uses())

    assert Counter({200: 1000}) == counted
    assert before + 1 == hash_writes(pair.server)


def test_a_user_made_again_does_not_inherit_tokens(pair: Pair) -> None:
    """Deleted and made again under the same name, old tokens stay dead."""
    store = pair.server.url
    token = pair.token(pair.a)
    assert 0 == tokenhouse("user", "delete", "alice", "--yes", store=store).returncode
    gone = gate(pair.b, token).status_code
    made = tokenhouse("user", "add", "alice", "--password-stdin", store=store, stdin=PASSWORD)

    assert 0 == made.returncode, made.stderr
    assert (401, 401) == (gone, gate(pair.b, token).status_code)
    assert 200 == gate(pair.b, pair.token(pair.a)).status_code


def test_a_disabled_user_is_refused_everywhere_at_once_and_back_when_enabled(pair: Pair) -> None:
    """Disabling touches no token; enabling makes them work again."""
    store = pair.server.url
    token = pair.token(pair.a)
    tokenhouse("user", "disable", "alice", store=store)
    disabled = (gate(pair.b, token).status_code, pair.login(pair.b).status_code)
    tokenhouse("user", "enable", "alice", store=store)

    assert (401, 400) == disabled
    assert 200 == gate(pair.a, token).status_code


def test_revoking_all_of_a_user_is_felt_at_the_next_request(pair: Pair) -> None:
    """One write by the command line, both nodes refuse; a new login works."""
    token = pair.token(pair.a)
    done = tokenhouse("token", "revoke", "--user", "alice", store=pair.server.url)

    assert 0 == done.returncode, done.stderr
    assert (401, 401) == (gate(pair.a, token).status_code, gate(pair.b, token).status_code)
    assert 200 == gate(pair.a, pair.token(pair.b)).status_code
