"""A list of tokens that the store cuts off leaves none of them, whichever API made it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service.store.keys import shard_of
from tests.e2e.conftest import PASSWORD
from tests.nodes import Node
from tests.servers import Server, wait_until

MANY = 1000
PATHS = {"nautobot": "/nautobot/api/users/tokens/", "netbox": "/netbox/api/users/tokens/"}


def first_key(node: Node, api: str) -> str:
    """A token of alice's, made with her password."""
    if api == "nautobot":
        made = node.http.post(PATHS[api], auth=("alice", PASSWORD))
    else:
        login = {"username": "alice", "password": PASSWORD}
        made = node.http.post(f"{PATHS[api]}provision/", json=login)
    assert 201 == made.status_code, made.text
    text: str = made.json()["key"]
    return text


def issued(server: Server) -> int:
    """How many tokens alice was ever given."""
    return int(server.cli("GET", f"c:{{{shard_of('alice').hex()}}}"))


@pytest.mark.parametrize("api", PATHS)
def test_a_list_that_is_cut_off_leaves_nothing(server: Server, node: Node, api: str) -> None:
    """Its answer is 503, and when the store is back, those that were made are dead."""
    bearer = {"authorization": f"Token {first_key(node, api)}"}
    wanted = [{"user": {"username": "alice"}, "description": "cut"}] * MANY
    before = issued(server)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(node.http.post, PATHS[api], json=wanted, headers=bearer)
        while issued(server) == before:
            time.sleep(0.001)
        server.pause()
        try:
            answer: httpx.Response = asked.result()
        finally:
            server.resume()

    def left() -> int:
        page = node.http.get(f"{PATHS[api]}?limit=1&q=cut", headers=bearer)
        return int(page.json()["count"]) if page.status_code == 200 else MANY

    assert (503, True) == (answer.status_code, issued(server) > before)
    wait_until(lambda: not left(), "nothing left of the list")
    again = node.http.post(PATHS[api], json=wanted, headers=bearer)
    assert (201, MANY) == (again.status_code, left())
