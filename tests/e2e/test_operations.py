"""Several workers, probes, replicas and limits, as operators meet them."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ServerFactory
from tests.e2e.conftest import AUTHTOKEN, PASSWORD, Pair, gate, prepare
from tests.nodes import Node, tokenhouse
from tests.servers import Memory, Server, wait_until


def test_several_workers_share_one_port_and_one_truth(redis_server: Server | Memory) -> None:
    """Whichever process a connection lands on, it says the same."""
    prepare(redis_server.url, "alice")
    node = Node(redis_server.url, None, "--workers", "2")
    try:
        body = {"username": "alice", "password": PASSWORD}
        fresh = {"connection": "close"}
        tokens = {
            node.http.post(AUTHTOKEN, json=body, headers=fresh).json()["token"] for _ in range(8)
        }
        assert 1 == len(tokens)
        (token,) = tokens
        codes = {gate(node, token, **fresh).status_code for _ in range(8)}
        node.http.delete(AUTHTOKEN, headers={"authorization": f"Token {token}", **fresh})
        after = {gate(node, token, **fresh).status_code for _ in range(8)}
        ended = node.terminate()
    finally:
        node.stop()

    assert ({200}, {401}, 0) == (codes, after, ended)


def test_two_workers_on_the_embedded_store_are_refused() -> None:
    """Each would have a store of its own; the line names the setting."""
    refused = tokenhouse("serve", "--workers", "2", store="memory://")

    assert 2 == refused.returncode
    assert "server.workers" in refused.stderr
    assert 1 == len(refused.stderr.strip().splitlines())


def test_a_shared_store_without_a_secret_is_refused(redis_server: Server | Memory) -> None:
    """The line names the setting and what is allowed."""
    refused = tokenhouse("serve", store=redis_server.url, settings={"TOKENHOUSE_SECRET__KEYS": ""})

    assert 2 == refused.returncode
    assert "secret.keys" in refused.stderr


def test_a_store_that_was_never_set_up_says_what_to_do(redis_server: Server | Memory) -> None:
    """Logins and the gate are 503, /readyz too; the start and doctor name the command."""
    node = Node(redis_server.url)
    try:
        login = node.http.post(AUTHTOKEN, json={"username": "alice", "password": "x"})
        codes = (login.status_code, gate(node, "f" * 40).status_code)
        ready = node.http.get("/readyz")
    finally:
        node.stop()
    doctor = tokenhouse("doctor", store=redis_server.url)

    assert (503, 503, 503) == (*codes, ready.status_code)
    assert "store init" in node.log
    assert (1, True) == (doctor.returncode, "store init" in doctor.stdout)


def test_a_dangerous_redis_is_shouted_about(server_factory: ServerFactory) -> None:
    """An evicting policy and missing persistence, at the start and in doctor."""
    server = server_factory(conf={"maxmemory-policy": "allkeys-lru"})
    prepare(server.url, "alice")
    node = Node(server.url)
    node.stop()
    doctor = tokenhouse("doctor", "--json", store=server.url)
    failed = {row["subject"] for row in json.loads(doctor.stdout) if row["level"] == "fail"}

    assert 1 == doctor.returncode
    assert {"eviction", "persistence"} <= failed
    assert "allkeys-lru" in node.log
    assert "appendonly" in node.log


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_login_says_how_many_replicas_have_it(
    server_factory: ServerFactory, replicas: int
) -> None:
    """wait_replicas asks for one; the answer tells whether it was reached."""
    master = server_factory()
    prepare(master.url, "alice")
    for _ in range(replicas):
        follower = server_factory(replica_of=master)
        wait_until(follower.synced, "the replica follows", 10)
    node = Node(master.url, {"TOKENHOUSE_STORE__WAIT_REPLICAS": "1"})
    try:
        answer = node.http.post(AUTHTOKEN, json={"username": "alice", "password": PASSWORD})
    finally:
        node.stop()

    assert (200, str(replicas)) == (
        answer.status_code,
        answer.headers["x-tokenhouse-replicas"],
    )


def test_a_node_behind_a_trusted_proxy_binds_to_the_client(redis_server: Server | Memory) -> None:
    """The address is read from the right; a proxy that names none cannot log anybody in."""
    prepare(redis_server.url, "alice")
    node = Node(redis_server.url, {"TOKENHOUSE_SERVER__TRUSTED_PROXIES": "127.0.0.0/8"})
    body = {"username": "alice", "password": PASSWORD}
    try:
        nameless = node.http.post(AUTHTOKEN, json=body)
        mine = {"x-forwarded-for": "6.6.6.6, 192.0.2.7"}
        token = node.http.post(AUTHTOKEN, json=body, headers=mine).json()["token"]
        codes = [
            gate(node, token, **{"x-forwarded-for": claim}).status_code
            for claim in (
                "192.0.2.7",
                "1.2.3.4, 192.0.2.7",
                "192.0.2.7, 1.2.3.4",
                "::ffff:c000:207",
            )
        ]
        silent = gate(node, token).status_code
    finally:
        node.stop()

    assert 400 == nameless.status_code
    assert "detail" in nameless.json()
    assert [200, 200, 401, 200] == codes
    assert 401 == silent


def test_a_password_change_is_felt_by_the_other_node_at_once(pair: Pair) -> None:
    """What a node remembers of good passwords is bound to the stored hash."""
    assert 200 == pair.login(pair.a).status_code
    assert 200 == pair.login(pair.b).status_code
    changed = tokenhouse(
        "user", "passwd", "alice", "--password-stdin", store=pair.server.url, stdin="another one"
    )

    assert 0 == changed.returncode, changed.stderr
    assert (400, 400) == (pair.login(pair.a).status_code, pair.login(pair.b).status_code)
