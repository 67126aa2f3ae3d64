"""Nautobot's pynautobot, unmodified, against real nodes that take turns request by request."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Forwarder, Program, client, forwarding
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, gate, prepare
from tests.nodes import Node
from tests.servers import NEWEST, Memory, Pool, Server

VERSION = "3.2.0"
SETTINGS = {
    "TOKENHOUSE_DIALECTS__ENABLED": "tower,nautobot",
    "TOKENHOUSE_DIALECTS__USERS_TOKENS": "nautobot",
}
LIST = "/api/users/tokens/"
BEGINNING = """
import json, sys
import pynautobot
given = json.loads(sys.argv[1])

def open_by_password(user="alice", password=given["password"]):
    opened = pynautobot.api(given["url"])
    opened.http_session.auth = (user, password)
    return opened

def refused(call):
    try:
        call()
    except pynautobot.RequestError as error:
        return [error.req.status_code, str(error)]

key = given.get("key")
api = pynautobot.api(given["url"], token=key) if key else open_by_password()
tokens = api.users.tokens
"""
END = "\nprint(json.dumps(answer))\n"


@dataclass(frozen=True)
class Pynautobot:
    """The client with a home of its own, before the nodes behind *front*."""

    program: Program
    front: Forwarder

    def run(self, script: str, url: str = "", **given: Any) -> Any:
        """What *script* leaves in ``answer``."""
        words = json.dumps({"url": url or self.front.url, "password": PASSWORD, **given})
        text = BEGINNING + textwrap.dedent(script) + END
        done = self.program.run("-c", text, words)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def key(self) -> str:
        """The key of a new token of alice's, had by her password."""
        key: str = self.run("answer = tokens.create().key")
        return key


@pytest.fixture(scope="session")
def nautobots(server_pool: Pool) -> Iterator[list[Node]]:
    """Two nodes that speak Nautobot, on the newest Redis."""
    server = or_skip(lambda: server_pool.get(NEWEST))
    nodes = [Node(server.url, SETTINGS) for _ in range(2)]
    yield nodes
    for node in nodes:
        node.stop()


@pytest.fixture
def pynautobot(
    nautobots: list[Node], redis_server: Server | Memory, tmp_path: Path
) -> Iterator[Pynautobot]:
    """The newest pynautobot before two nodes on an empty store with the users alice and bob."""
    prepare(redis_server.url, "alice", "bob")
    program = Program(client("pynautobot", VERSION) / "python", tmp_path)
    with forwarding(*(node.url for node in nautobots)) as front:
        yield Pynautobot(program, front)


@pytest.fixture
def key(pynautobot: Pynautobot) -> str:
    """A token of alice's."""
    return pynautobot.key()


def test_a_password_makes_a_token(pynautobot: Pynautobot) -> None:
    """By the session's ``auth``, in one request; printing it asks for nothing more."""
    answer = pynautobot.run(
        """
        token = tokens.create(description="mine")
        answer = [str(token), token.key, token.description, token.write_enabled, token.id]
        """
    )
    display, key, description, writes, name = answer

    assert [f"POST {LIST}"] == pynautobot.front.lines()
    assert f"{key[-6:]} (alice)" == display
    assert (40, "mine", True) == (len(key), description, writes)
    assert "4" == name[14]


def test_a_token_of_one_node_works_on_the_other(pynautobot: Pynautobot, key: str) -> None:
    """At the API and at the gate; the ids are the same on both."""
    answer = pynautobot.run("answer = [tokens.all()[0].id for _ in range(2)]", key=key)
    made, *used = pynautobot.front.seen

    assert answer[0] == answer[1]
    assert {made.node} < {seen.node for seen in used}
    assert [201, 200, 200] == [seen.status for seen in (made, *used)]


def test_the_gate_lets_it_pass_on_both(
    pynautobot: Pynautobot, key: str, nautobots: list[Node]
) -> None:
    """A token is a token."""
    assert [200, 200] == [gate(node, key).status_code for node in nautobots]


def test_version_and_status(pynautobot: Pynautobot, key: str) -> None:
    """As a Nautobot 1.4.1 answers them."""
    answer = pynautobot.run(
        'answer = [api.version, api.status()["nautobot-version"]]',
        key=key,
    )

    assert ["1.2", "1.4.1"] == answer


def test_without_a_token_there_is_no_version(pynautobot: Pynautobot) -> None:
    """The client sends ``Token None`` then, here as there."""
    answer = pynautobot.run(
        """
        bare = pynautobot.api(given["url"])
        answer = [refused(lambda: bare.version), refused(bare.status)]
        """
    )

    assert [403, 403] == [status for status, _ in answer]
    assert all("Invalid token" in text for _, text in answer)


def test_a_wrong_password_raises(pynautobot: Pynautobot) -> None:
    """What the server said is in the error."""
    status, text = pynautobot.run(
        """
        wrong = open_by_password(password="not this one")
        answer = refused(lambda: wrong.users.tokens.create())
        """
    )

    assert 403 == status
    assert "Invalid username/password." in text


def test_lists_are_walked_by_their_links(pynautobot: Pynautobot, key: str) -> None:
    """Whole, in pages, in threads and counted they are the same."""
    answer = pynautobot.run(
        """
        tokens.create([{"description": str(number)} for number in range(6)])
        threaded = pynautobot.api(given["url"], token=key, threading=True).users.tokens
        ways = (tokens.all(), tokens.all(limit=2), threaded.all())
        lists = [[token.description for token in tokens] for tokens in ways]
        answer = [lists, tokens.count()]
        """,
        key=key,
    )
    whole = ["", "0", "1", "2", "3", "4", "5"]

    assert [[whole, whole, whole], 7] == answer


def test_a_token_is_found(pynautobot: Pynautobot, key: str) -> None:
    """By id and by key; what is not there is None, and a filter selects."""
    answer = pynautobot.run(
        """
        made = tokens.create(write_enabled=False, description="for reading")
        answer = [
            tokens.get(made.id).description,
            tokens.get(key=made.key).id == made.id,
            tokens.get("00000000-0000-0000-0000-000000000000"),
            [token.key for token in tokens.filter(write_enabled=True)],
            [token.description for token in tokens.filter(q="reading")],
            refused(lambda: list(tokens.filter(ordering="created"))),
        ]
        """,
        key=key,
    )
    refusal = answer.pop()

    assert ["for reading", True, None, [key], ["for reading"]] == answer
    assert 400 == refusal[0]
    assert "Unknown filter field" in refusal[1]


def test_a_token_is_changed_and_deleted(pynautobot: Pynautobot, key: str) -> None:
    """``save`` and ``update`` keep the key; after ``delete`` it is gone."""
    answer = pynautobot.run(
        """
        made = tokens.create(description="x")
        before = made.key
        made.description = "saved"
        steps = [made.save(), made.update({"write_enabled": False})]
        seen = tokens.get(made.id)
        answer = [steps, seen.description, seen.write_enabled, seen.key == before]
        answer += [seen.delete(), tokens.get(made.id)]
        """,
        key=key,
    )

    assert [[True, True], "saved", False, True, True, None] == answer


def test_many_are_made_changed_and_deleted(pynautobot: Pynautobot, key: str) -> None:
    """In one request each."""
    answer = pynautobot.run(
        """
        made = tokens.create([{"description": "a"}, {"description": "b"}])
        changed = tokens.update([{"id": one.id, "description": "c"} for one in made])
        deleted = tokens.delete([one.id for one in made])
        answer = [[one.description for one in changed], deleted, tokens.count()]
        """,
        key=key,
    )
    asked = [line for line in pynautobot.front.lines() if not line.startswith("GET")]

    assert [["c", "c"], True, 1] == answer
    assert [f"POST {LIST}", f"POST {LIST}", f"PATCH {LIST}", f"DELETE {LIST}"] == asked


def test_a_key_of_ones_own(pynautobot: Pynautobot, key: str) -> None:
    """It works at once, on either node, and cannot be had twice."""
    mine = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
    answer = pynautobot.run(
        """
        tokens.create(key=given["mine"])
        other = pynautobot.api(given["url"], token=given["mine"]).users.tokens
        answer = [other.count(), other.count(), refused(lambda: tokens.create(key=given["mine"]))]
        """,
        key=key,
        mine=mine,
    )

    assert [2, 2] == answer[:2]
    assert 400 == answer[2][0]
    assert "Token with this Key already exists." in answer[2][1]


def test_an_end_can_be_set(pynautobot: Pynautobot, key: str) -> None:
    """After it the token is refused, and says why."""
    answer = pynautobot.run(
        """
        made = tokens.create(expires="2001-01-01T00:00:00Z")
        late = pynautobot.api(given["url"], token=made.key).users.tokens
        answer = [made.expires, refused(lambda: late.count())]
        """,
        key=key,
    )

    assert "2001-01-01T00:00:00Z" == answer[0]
    assert 403 == answer[1][0]
    assert "Token expired" in answer[1][1]


def test_a_token_deleted_on_one_node_is_dead_on_the_other(
    pynautobot: Pynautobot, key: str, nautobots: list[Node]
) -> None:
    """At once."""
    bearer = {"authorization": f"Token {key}"}
    (token,) = nautobots[0].http.get(LIST, headers=bearer).json()["results"]
    nautobots[1].http.delete(f"{LIST}{token['id']}/", headers=bearer)
    answer = pynautobot.run("answer = [refused(tokens.count) for _ in range(2)]", key=key)

    assert [403, 403] == [status for status, _ in answer]
    assert all("Invalid token" in text for _, text in answer)


def test_everybody_has_his_own(pynautobot: Pynautobot, key: str) -> None:
    """Others' tokens are not there, whichever way one looks."""
    answer = pynautobot.run(
        """
        bobs = open_by_password("bob").users.tokens
        mine = tokens.all()[0].id
        answer = [bobs.count(), bobs.get(mine), bobs.delete([mine]), tokens.count()]
        """,
        key=key,
    )

    assert [0, None, True, 1] == answer


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_a_version_can_be_asked_for(pynautobot: Pynautobot, key: str, version: str) -> None:
    """All that Nautobot 1.4 knows; a later one is refused."""
    answer = pynautobot.run(
        """
        def asked(version):
            return pynautobot.api(given["url"], token=key, api_version=version).users.tokens
        answer = [asked(given["version"]).count(), refused(asked("2.0").count)]
        """,
        key=key,
        version=version,
    )

    assert 1 == answer[0]
    assert 406 == answer[1][0]
    assert "Supported versions are 1.2, 1.3, 1.4" in answer[1][1]


def test_the_prefix_of_the_dialect_serves_as_well(pynautobot: Pynautobot, key: str) -> None:
    """Every link stays below it, also those of pages."""
    answer = pynautobot.run(
        """
        tokens.create([{}, {}])
        answer = [[one.url for one in tokens.all(limit=1)], api.version]
        """,
        url=f"{pynautobot.front.url}/nautobot",
        key=key,
    )

    assert 3 == len(answer[0])
    assert all(url.startswith(f"{pynautobot.front.url}/nautobot{LIST}") for url in answer[0])
    assert "1.2" == answer[1]


def test_choices_are_those_of_the_fields(pynautobot: Pynautobot, key: str) -> None:
    """None of them has any, and the client finds the fields all the same."""
    assert {} == pynautobot.run("answer = tokens.choices()", key=key)
