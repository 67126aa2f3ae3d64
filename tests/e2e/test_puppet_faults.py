"""Puppet's paths on two nodes: labels at once, revocation, lock-outs, outages, what is logged."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.conftest import ServerFactory
from tests.e2e.conftest import PASSWORD, Pair, come_again, gate, prepare
from tests.e2e.test_secrets import Monitor, everything
from tests.nodes import Node, tokenhouse
from tests.patience import Stopwatch
from tests.servers import Server

BASE = "/rbac-api"
LOGIN = f"{BASE}/v1/auth/token"
CURRENT = f"{BASE}/v1/users/current"
CHECK = f"{BASE}/v2/auth/token/authenticate"
REVOKE = f"{BASE}/v2/tokens"
COMMAND = f"{BASE}/v1/command/users"
PROMISE_S = 1.0
"""How long an outage takes to be told at most, on a machine that others use too."""


def login(node: Node, user: str = "alice", password: str = PASSWORD, **wish: str) -> httpx.Response:
    """POST a name and password to one node."""
    return node.http.post(LOGIN, json={"login": user, "password": password, **wish})


def token_of(node: Node, user: str = "alice", **wish: str) -> str:
    """The token of a login that must succeed."""
    answer = come_again(lambda: login(node, user, **wish))
    assert 200 == answer.status_code, answer.text
    text: str = answer.json()["token"]
    return text


def by(token: str) -> dict[str, str]:
    """The header that carries *token*."""
    return {"X-Authentication": token}


def kind_of(answer: httpx.Response) -> tuple[int, str]:
    """(status, kind) of a refusal."""
    return answer.status_code, answer.json()["kind"].rpartition("/")[2]


def superuser(server: Server) -> None:
    """Make ``root``, who may revoke others."""
    words = ("user", "add", "root", "--superuser", "--password-stdin")
    made = tokenhouse(*words, store=server.url, stdin=PASSWORD)
    assert 0 == made.returncode, made.stderr


async def posts(urls: list[str], body: dict[str, str]) -> list[httpx.Response]:
    """The same login at each URL, all at once."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=20, limits=limits) as http:
        return await asyncio.gather(*(http.post(url + LOGIN, json=body) for url in urls))


def test_fifty_logins_with_one_label_over_two_nodes_are_one_token(pair: Pair) -> None:
    """All are answered with it, and it passes on both nodes."""
    body = {"login": "alice", "password": PASSWORD, "label": "ws"}

    answers = asyncio.run(posts([pair.a.url, pair.b.url] * 25, body))

    assert {200: 50} == Counter(answer.status_code for answer in answers)
    (token,) = {answer.json()["token"] for answer in answers}
    assert [200, 200] == [gate(node, token).status_code for node in (pair.a, pair.b)]
    sid = pair.a.http.get(CURRENT, headers=by(token)).json()["id"]
    listed = pair.b.http.get(f"{BASE}/v1/users/{sid}/tokens", headers=by(token)).json()
    assert 1 == listed["pagination"]["total"]


def test_a_wrong_password_on_an_existing_label_is_401_and_no_token(pair: Pair) -> None:
    """The password is looked at first."""
    token = token_of(pair.a, label="ws")

    wrong = login(pair.b, password="wrong", label="ws")

    assert (401, "user-unauthenticated") == kind_of(wrong)
    assert "token" not in wrong.json()
    assert token not in wrong.text
    assert token == token_of(pair.b, label="ws")


def ways(pair: Pair, token: str, label: str) -> dict[str, dict[str, str]]:
    """How the token can be named, each as a query."""
    who = pair.a.http.get(CURRENT, headers=by(token)).json()
    listed = pair.a.http.get(f"{BASE}/v1/users/{who['id']}/tokens", headers=by(token)).json()
    (number,) = [item["id"] for item in listed["items"] if item["label"] == label]
    return {
        "text": {"revoke_tokens": token},
        "label": {"revoke_tokens_by_labels": label},
        "username": {"revoke_tokens_by_usernames": "alice"},
        "id": {"revoke_tokens_by_ids": number},
        "user id": {"revoke_tokens_by_ids": who["id"]},
    }


@pytest.mark.parametrize("way", ["text", "label", "username", "id", "user id"])
@pytest.mark.parametrize("in_body", [False, True])
def test_what_one_node_revokes_the_other_refuses_at_the_next_call(
    pair: Pair, way: str, in_body: bool
) -> None:
    """Wherever the token is asked for."""
    token = token_of(pair.a, label="ws")
    assert 200 == pair.b.http.get(CURRENT, headers=by(token)).status_code
    query = ways(pair, token, "ws")[way]
    named: dict[str, Any] = {"params": query}
    if in_body:
        named = {"json": {name: [value] for name, value in query.items()}}

    revoked = pair.a.http.request("DELETE", REVOKE, headers=by(token), **named)

    assert (204, b"") == (revoked.status_code, revoked.content)
    assert (401, "token-revoked") == kind_of(pair.b.http.get(CURRENT, headers=by(token)))
    assert (403, "token-revoked") == kind_of(pair.b.http.post(CHECK, json={"token": token}))
    assert 401 == gate(pair.b, token).status_code


def test_a_revoked_user_is_dead_everywhere_and_stays_so_when_reinstated(pair: Pair) -> None:
    """In every dialect, on every node."""
    assert isinstance(pair.server, Server)
    superuser(pair.server)
    root = token_of(pair.a, "root")
    tokens = [pair.token(pair.a), token_of(pair.a)]
    sid = pair.a.http.get(CURRENT, headers=by(tokens[1])).json()["id"]
    body = {"user_id": sid}

    revoked = pair.a.http.post(f"{COMMAND}/revoke", headers=by(root), json=body)

    assert 204 == revoked.status_code
    assert [401, 401] == [gate(pair.b, token).status_code for token in tokens]
    assert (401, "user-revoked") == kind_of(login(pair.b))
    assert 400 == pair.login(pair.b).status_code
    reinstated = pair.b.http.post(f"{COMMAND}/reinstate", headers=by(root), json=body)
    assert 204 == reinstated.status_code
    assert [401, 401] == [gate(pair.a, token).status_code for token in tokens]
    assert 200 == gate(pair.b, token_of(pair.a)).status_code


# -- lock-outs ---------------------------------------------------------------------------------


def test_ten_wrong_passwords_lock_out_and_touch_nothing(pair: Pair) -> None:
    """Over both nodes together; tokens of every dialect live on, and the user is as he was."""
    tokens = [pair.token(pair.a), token_of(pair.a)]
    wrong = [login((pair.a, pair.b)[n % 2], password="wrong") for n in range(10)]

    right = login(pair.b)

    assert {(401, "user-unauthenticated")} == {kind_of(answer) for answer in wrong}
    assert (401, "user-revoked") == kind_of(right)
    assert int(right.headers["retry-after"]) >= 1
    assert [200, 200] == [gate(pair.b, token).status_code for token in tokens]
    me = pair.a.http.get(CURRENT, headers=by(tokens[1])).json()
    assert not me["is_revoked"]


def test_ten_wrong_passwords_revoke_where_it_is_configured(pair: Pair) -> None:
    """Tokens of every dialect are dead, and stay so after reinstatement."""
    tokens = [pair.token(pair.a), token_of(pair.a)]
    strict = Node(pair.server.url, {"TOKENHOUSE_LOGIN__PUPPET_LOCKOUT": "revoke"})
    try:
        for _ in range(10):
            assert (401, "user-unauthenticated") == kind_of(login(strict, password="wrong"))
        locked = login(strict)
        dead = [gate(pair.b, token).status_code for token in tokens]
        made = tokenhouse("user", "reinstate", "alice", store=pair.server.url)
        after = [gate(pair.b, token).status_code for token in tokens]
        # The address that guessed waits; the account does not.
        transport = httpx.HTTPTransport(local_address="127.0.0.3")
        with httpx.Client(transport=transport, timeout=10) as elsewhere:
            body = {"login": "alice", "password": PASSWORD}
            again = elsewhere.post(strict.url + LOGIN, json=body)
    finally:
        strict.stop()

    assert (401, "user-revoked") == kind_of(locked)
    assert 0 == made.returncode, made.stderr
    assert [401, 401] == dead == after
    assert 200 == again.status_code


# -- outages -----------------------------------------------------------------------------------


def requests(token: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Everything that can be asked, with *token*."""
    sent = {"headers": by(token)}
    nobody = f"{BASE}/v1/users/00000000-0000-4000-8000-000000000000"
    passwords = {"current_password": PASSWORD, "password": "123456"}
    return [
        ("POST", LOGIN, {"json": {"login": "alice", "password": PASSWORD}}),
        ("POST", f"{BASE}/v1/tokens", sent),
        ("POST", CHECK, {"json": {"token": token}}),
        ("DELETE", REVOKE, {**sent, "json": {"revoke_tokens": [token]}}),
        ("DELETE", f"{REVOKE}/{token}", sent),
        ("GET", CURRENT, sent),
        ("GET", f"{CURRENT}?token={token}", {}),
        ("GET", f"{CURRENT}?token={token}%7Cno_keepalive", {}),
        ("PUT", f"{CURRENT}/password", {**sent, "json": passwords}),
        ("GET", nobody, sent),
        ("GET", f"{nobody}/tokens", sent),
        ("POST", f"{COMMAND}/revoke", sent),
        ("POST", f"{COMMAND}/reinstate", sent),
    ]


def assert_unavailable(node: Node, token: str) -> None:
    """Everything is 503 with kind server-error and Retry-After, in time."""
    for method, path, request in requests(token):
        with Stopwatch() as watch:
            answer = node.http.request(method, path, **request)

        assert (503, "server-error") == kind_of(answer), (method, path)
        assert int(answer.headers["retry-after"]) >= 1
        assert watch.took_s < PROMISE_S


def test_a_redis_that_is_away_is_a_server_error_and_nobody_is_logged_out(
    server: Server, node: Node
) -> None:
    """Clients retry it; when Redis is back everything is as it was."""
    token = token_of(node)
    server.kill()
    assert_unavailable(node, token)
    server.restart()
    with Stopwatch() as watch:  # a node asks anew once a second at the latest
        while (answer := node.http.get(CURRENT, headers=by(token))).status_code != 200:
            assert (503, "server-error") == kind_of(answer)
            assert watch.took_s < 3

    assert 200 == login(node).status_code


def test_a_redis_that_hangs_is_a_server_error_in_time(server: Server, prompt: Node) -> None:
    """Nobody waits longer than the store may take."""
    token = token_of(prompt)
    server.pause()
    try:
        assert_unavailable(prompt, token)
    finally:
        server.resume()


def test_an_emptied_redis_logs_nobody_out(server: Server, node: Node) -> None:
    """An unknown token is not taken for a revoked one there."""
    token = token_of(node)
    server.cli("FLUSHALL")

    for method, path, request in requests(token)[:6]:
        answer = node.http.request(method, path, **request)
        assert (503, "server-error") == kind_of(answer), (method, path)


def test_a_full_redis_makes_no_token_and_revokes_all_the_same(
    server_factory: ServerFactory,
) -> None:
    """Users too; whoever is in stays in."""
    server = server_factory(conf={"maxmemory-policy": "noeviction"})
    prepare(server.url, "alice")
    superuser(server)
    node = Node(server.url)
    try:
        root, token, other = token_of(node, "root"), token_of(node), token_of(node)
        sid = node.http.get(CURRENT, headers=by(token)).json()["id"]
        server.cli("CONFIG", "SET", "maxmemory", "1mb")
        refused = login(node)
        allowed = node.http.get(CURRENT, headers=by(token)).status_code
        query = {"revoke_tokens": other}
        gone = node.http.request("DELETE", REVOKE, headers=by(token), params=query)
        revoked = node.http.post(f"{COMMAND}/revoke", headers=by(root), json={"user_id": sid})
        dead = [gate(node, each).status_code for each in (token, other)]
    finally:
        node.stop()

    assert (503, "server-error") == kind_of(refused)
    assert (200, 204, 204) == (allowed, gone.status_code, revoked.status_code)
    assert [401, 401] == dead


# -- what is written down ----------------------------------------------------------------------


def test_no_token_and_no_password_is_in_the_log(server: Server) -> None:
    """Not of a URL, not of a body, not of what failed, at any level."""
    secret = "hunter2-Zaphod-4711"
    node = Node(server.url, {"TOKENHOUSE_LOG__LEVEL": "debug"})
    try:
        token = token_of(node, label="ws")
        garbage = "0" + "Zaphod" * 7 + "Z"
        for text in (token, garbage, "notAToken-" + secret):
            node.http.get(CURRENT, params={"token": text})
            node.http.get(CURRENT, params={"token": f"{text}|no_keepalive"})
            node.http.get(f"/puppet{CURRENT}", params={"token": text})
            node.http.get(f"{BASE}/nowhere", params={"token": text})
            node.http.post(CHECK, json={"token": text})
            node.http.request("DELETE", f"{REVOKE}/{text}", headers=by(token))
            node.http.request("DELETE", REVOKE, params={"token": token, "revoke_tokens": text})
        login(node, password=secret)
        login(node, user="alice", password=secret, nonsense="x")
        node.http.post(LOGIN, content=b'{"login":"alice","password":"' + secret.encode())
        node.http.get(CURRENT + "?token=" + token + "x" * 20_000)
        server.kill()
        for method, path, request in requests(token):
            node.http.request(method, path, **request)
    finally:
        node.stop()

    assert "login failed for user alice" in node.log
    assert "no answer to GET of current user" in node.log
    for needle in (token, token[:20], "Zaphod", "4711", PASSWORD, "token="):
        assert needle not in node.log


def test_no_token_is_in_redis_not_even_one_with_a_label(server: Server) -> None:
    """It can be shown again, and stands nowhere: not as text, and not as the bytes it spells."""
    monitor = Monitor(server)
    node = Node(server.url)
    try:
        token = token_of(node, label="ws")
        assert token == token_of(node, label="ws")
        other = node.http.post(f"{BASE}/v1/tokens", headers=by(token)).json()["token"]
        for each in (token, other):
            assert 200 == node.http.post(CHECK, json={"token": each}).status_code
            assert 200 == node.http.get(CURRENT, params={"token": each}).status_code
        named = {"revoke_tokens": [other]}
        assert 204 == node.http.request("DELETE", REVOKE, headers=by(token), json=named).status_code
    finally:
        node.stop()
    hay = everything(server) + monitor.stop()

    assert len(hay) > 1000
    for each in (token, other):
        raw = base64.urlsafe_b64decode(each[1:] + "=")
        for needle in (each.encode(), each[5:].encode(), raw, repr(raw[2:])[2:-1].encode()):
            assert needle not in hay
    assert PASSWORD.encode() not in hay


def test_what_is_no_use_leaves_no_trace(server: Server) -> None:
    """A check, and a use without keep-alive, are not noted in Redis; any other use is."""
    node = Node(server.url)
    try:
        token = token_of(node)
        (key,) = server.cli("KEYS", "t:*")
        quiet = by(f"{token}|no_keepalive")
        asked = [
            node.http.get(CURRENT, headers=quiet).status_code,
            node.http.post(CHECK, json={"token": token}).status_code,
        ]
        untouched = server.cli("HGET", key, "l")
        asked.append(node.http.get(CURRENT, headers=by(token)).status_code)
        noted = server.cli("HGET", key, "l")
    finally:
        node.stop()

    assert [200] * 3 == asked
    assert untouched is None
    assert 6 == len(noted)


def test_what_is_refused_before_anybody_is_asked_is_in_the_envelope(pair: Pair) -> None:
    """A head or a body that is too large, and nothing of it is said back."""
    head = pair.a.http.get(CURRENT + "?token=" + "x" * 20_000)
    body = pair.a.http.post(LOGIN, content=b"x" * 70_000)

    assert (431, "request-header-too-large") == kind_of(head)
    assert (413, "request-too-large") == kind_of(body)
    assert "xxx" not in head.text + body.text
