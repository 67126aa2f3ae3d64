"""The newest pynetbox, unmodified, against real nodes that speak one contract or the other."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Forwarder, Program, client, forwarding
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, prepare
from tests.nodes import Node
from tests.servers import NEWEST, Memory, Pool, Server

PYNETBOX = "7.8.0"
CONTRACTS = ["3.3", "4.6"]
PROLOGUE = """
import json, os, pynetbox
url, password = os.environ["URL"], os.environ["PASSWORD"]
def login(at=url, user="alice"):
    nb = pynetbox.api(at)
    return nb, nb.create_token(user, password)
def say(value):
    print("ANSWER" + json.dumps(value))
"""


@dataclass(frozen=True)
class Script:
    """Runs Python programs that use pynetbox."""

    program: Program

    def ask(self, url: str, source: str, password: str = PASSWORD) -> Any:
        """What the program *source* says in the end; it begins with ``login`` and ``say``."""
        done = self.program.run(
            "-c",
            PROLOGUE + textwrap.dedent(source),
            settings={"URL": url, "PASSWORD": password},
        )
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout.rpartition("ANSWER")[2])


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python that has pynetbox, installed when it is first asked for."""
    return client("pynetbox", PYNETBOX) / "python"


@pytest.fixture
def script(python: Path, tmp_path: Path) -> Script:
    """Programs with an empty home."""
    return Script(Program(python, tmp_path))


@pytest.fixture(scope="session")
def nodes_of(server_pool: Pool) -> Iterator[Callable[[str], list[Node]]]:
    """Two nodes of a contract on one Redis, started when they are first asked for."""
    made: dict[str, list[Node]] = {}
    server = or_skip(lambda: server_pool.get(NEWEST))

    def get(contract: str) -> list[Node]:
        settings = {
            "TOKENHOUSE_DIALECTS__ENABLED": "tower,netbox",
            "TOKENHOUSE_DIALECTS__NETBOX__CONTRACT": contract,
        }
        if contract not in made:
            made[contract] = [Node(server.url, settings) for _ in range(2)]
        return made[contract]

    yield get
    for node in (node for nodes in made.values() for node in nodes):
        node.stop()


@pytest.fixture(params=CONTRACTS)
def nodes(
    request: pytest.FixtureRequest,
    nodes_of: Callable[[str], list[Node]],
    redis_server: Server | Memory,
) -> list[Node]:
    """Two nodes of each contract in turn, on an empty Redis that has the users alice and bob."""
    prepare(redis_server.url, "alice", "bob")
    return nodes_of(request.param)


@pytest.fixture
def front(nodes: list[Node]) -> Iterator[Forwarder]:
    """One URL before both nodes, which take turns request by request."""
    with forwarding(*(node.url for node in nodes)) as forwarder:
        yield forwarder


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> str:
    """The contract of ``nodes``."""
    text: str = request.node.callspec.params["nodes"]
    return text


def test_a_token_is_made_and_can_be_printed(script: Script, front: Forwarder, contract: str):
    """It is used at once, on the other node; its text is what the product shows of it."""
    answer = script.ask(
        front.url,
        """
        nb, token = login()
        say([str(token), nb.token, token.user.username, dict(token)])
        """,
    )
    shown, text, user, record = answer

    assert "alice" == user
    assert record["display"] == shown
    if contract == "3.3":
        assert (f"{text[-6:]} (alice)", 40) == (shown, len(text))
    else:
        assert f"nbt_{shown}.{record['token']}" == text
    lines = front.lines()
    assert "POST /api/users/tokens/provision/" == lines[0]
    assert f"GET /api/users/tokens/{record['id']}/" in lines
    assert 2 == len({seen.node for seen in front.seen})
    assert {200, 201} == {seen.status for seen in front.seen}


def test_a_wrong_password_raises_what_netbox_raises(script: Script, front: Forwarder):
    """With the status and the words of the product."""
    answer = script.ask(
        front.url,
        """
        try:
            login()
        except pynetbox.RequestError as error:
            say([str(error), error.req.status_code])
        """,
        password="not this one",
    )

    said = "The request failed with code 403 Forbidden: {'detail': 'Invalid username/password'}"
    assert [said, 403] == answer


def test_the_version_and_the_status_are_told(script: Script, front: Forwarder, contract: str):
    """Before and after there is a token, as every collection asks for them first."""
    answer = script.ask(
        front.url,
        """
        anonymous = pynetbox.api(url).version
        nb, _ = login()
        stale = pynetbox.api(url, token="0" * 40).version
        say([anonymous, nb.version, stale, nb.status()["netbox-version"]])
        """,
    )

    assert [contract] * 3 == answer[:3]
    assert answer[3].startswith(contract)


def test_tokens_are_made_changed_and_deleted(script: Script, front: Forwarder):
    """One by one; the key outlives every change."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        made = nb.users.tokens.create(user=mine.user.id, description="x")
        seen = nb.users.tokens.get(made.id)
        seen.description = "changed"
        saved = seen.save()
        updated = seen.update({"write_enabled": False, "allowed_ips": ["10.0.0.0/8"]})
        again = nb.users.tokens.get(made.id)
        facts = [again.description, again.write_enabled, again.allowed_ips]
        deleted = again.delete()
        gone = nb.users.tokens.get(made.id)
        say([saved, updated, facts, made.key == again.key, deleted, gone is None])
        """,
    )

    assert [True, True, ["changed", False, ["10.0.0.0/8"]], True, True, True] == answer


def test_tokens_are_listed_filtered_and_counted(script: Script, front: Forwarder):
    """A page at a time, by threads as well; pynetbox spells truth with a capital."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        for number in range(6):
            nb.users.tokens.create(
                user=mine.user.id, description=f"d{number}", write_enabled=number % 2 == 0
            )
        tokens = nb.users.tokens
        threaded = pynetbox.api(url, token=nb.token, threading=True).users.tokens
        say([
            tokens.count(),
            len(tokens.all()),
            len(list(tokens.all(limit=2))),
            len(list(threaded.all(limit=2))),
            len({token.id for token in tokens.all(limit=3)}),
            len(list(tokens.filter(write_enabled=True))),
            [token.description for token in tokens.filter("d3")],
            tokens.get(description="d4").description,
        ])
        """,
    )

    assert [7, 7, 7, 7, 7, 4, ["d3"], "d4"] == answer


def test_tokens_are_made_changed_and_deleted_in_bulk(script: Script, front: Forwarder):
    """Lists go both ways."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        user = mine.user.id
        made = nb.users.tokens.create([{"user": user, "description": d} for d in ("a", "b")])
        for token in made:
            token.description += "!"
        changed = nb.users.tokens.update(made)
        deleted = nb.users.tokens.delete(made)
        left = [token.id for token in nb.users.tokens.all()]
        say([[token.description for token in changed], deleted, left == [mine.id]])
        """,
    )

    assert [["a!", "b!"], True, True] == answer


def test_a_record_leads_to_its_user(script: Script, front: Forwarder):
    """What a token does not say of its user is asked for at the user's own URL."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        token = nb.users.tokens.get(mine.id)
        say([token.user.is_active, str(nb.users.users.get(username="alice"))])
        """,
    )

    assert [True, "alice"] == answer


def test_a_token_for_another_is_refused(script: Script, front: Forwarder):
    """Nobody makes tokens for others just because there are others."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        try:
            nb.users.tokens.create(user=mine.user.id + 1)
        except pynetbox.RequestError as error:
            say([error.req.status_code, error.req.json()["detail"]])
        """,
    )

    said = "This user does not have permission to create tokens for other users."
    assert [403, said] == answer


def test_a_token_of_one_node_is_used_on_the_other(script: Script, nodes: list[Node]):
    """And when it is deleted there, it is dead here."""
    answer = script.ask(
        nodes[0].url,
        f"""
        nb, mine = login()
        other = pynetbox.api("{nodes[1].url}", token=nb.token)
        user = other.users.tokens.get(mine.id).user.username
        deleted = other.users.tokens.get(mine.id).delete()
        try:
            nb.users.tokens.count()
        except pynetbox.RequestError as error:
            say([user, deleted, error.req.status_code])
        """,
    )

    assert ["alice", True, 403] == answer


@pytest.mark.parametrize("nodes", ["3.3"], indirect=True)
def test_a_chosen_key_is_found_again(script: Script, front: Forwarder):
    """As Ansible's module does it: look for the key, make it where it is missing, look again."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        key = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
        before = nb.users.tokens.get(key=key)
        made = nb.users.tokens.create(user=mine.user.id, key=key)
        found = nb.users.tokens.get(key=key)
        own = pynetbox.api(url, token=key).users.tokens.get(made.id)
        say([before, found.id == made.id, own.key == key, nb.users.tokens.choices()])
        """,
    )

    assert [None, True, True, {}] == answer


@pytest.mark.parametrize("nodes", ["4.6"], indirect=True)
def test_the_cursor_reads_every_token(script: Script, front: Forwarder):
    """The newer contract has a pagination that counts nothing."""
    answer = script.ask(
        front.url,
        """
        nb, mine = login()
        for number in range(4):
            nb.users.tokens.create(user=mine.user.id)
        cursor = pynetbox.api(url, token=nb.token, pagination="cursor")
        say(len({token.id for token in cursor.users.tokens.all(limit=2)}))
        """,
    )

    assert 5 == answer
    assert any("start=" in line for line in front.lines())


@pytest.mark.parametrize("nodes", ["4.6"], indirect=True)
def test_a_strict_client_checks_its_filters(script: Script, nodes: list[Node]):
    """It asks for the description of everything, from the root and below the prefix."""
    for base in (nodes[0].url, f"{nodes[1].url}/netbox"):
        answer = script.ask(
            base,
            """
            nb, mine = login()
            strict = pynetbox.api(url, token=nb.token, strict_filters=True)
            found = [each.id for each in strict.users.tokens.filter(user="alice", enabled=True)]
            try:
                strict.users.tokens.filter(bogus=1)
            except pynetbox.core.query.ParameterValidationError as error:
                say([mine.id in found, "'bogus' is not allowed" in str(error)])
            """,
        )

        assert [True, True] == answer


def test_the_prefix_of_the_dialect_serves_as_well(script: Script, nodes: list[Node]):
    """Links in answers stay below it, so the client does too."""
    answer = script.ask(
        f"{nodes[0].url}/netbox",
        """
        nb, mine = login()
        say([mine.url, str(mine) == mine.display, len(list(nb.users.tokens.all(limit=1)))])
        """,
    )

    assert answer[0].startswith(f"{nodes[0].url}/netbox/api/users/tokens/")
    assert [True, 1] == answer[1:]
