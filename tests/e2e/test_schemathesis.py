"""Whatever is asked by ``/openapi.json``, the answer is one that stands in it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as bounded
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from service.config import load
from service.ops.openapi import document
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, prepare
from tests.nodes import Node, environment, tokenhouse
from tests.servers import NEWEST, Server

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
SUPERUSER, USER = "root", "alice"

# Guesses are what is sent here, and a node that refuses all but the first ten learns us nothing.
OLDER = {"TOKENHOUSE_LOGIN__ATTEMPTS": "0"}
NEWER = {
    **OLDER,
    "TOKENHOUSE_DIALECTS__USERS_TOKENS": "nautobot",
    "TOKENHOUSE_DIALECTS__NETBOX__CONTRACT": "4.6",
    "TOKENHOUSE_DIALECTS__NAUTOBOT__SHOW_KEY": "once",
    "TOKENHOUSE_DIALECTS__TOWER__AUTH_BASIC": "false",
    "TOKENHOUSE_GATE__COOKIE": "true",
    "TOKENHOUSE_GATE__QUERY": "true",
    "TOKENHOUSE_GATE__REASON_HEADER": "true",
}


def described(settings: Mapping[str, str]) -> dict[str, Any]:
    """The document of a node with *settings*, before there is such a node."""
    config = load(env=environment("redis://127.0.0.1", settings))
    enabled = [import_module(f"service.dialects.{n}").DIALECT for n in config.dialects.enabled]
    return document(config, enabled, config.dialects.users_tokens)


def schema_of(settings: Mapping[str, str]) -> Any:
    """The operations of a node with *settings*."""
    return schemathesis.openapi.from_dict(described(settings), config=SchemathesisConfig())


@dataclass
class World:
    """A node with two users, each with tokens; *held* is what is sent again and again."""

    node: Node
    held: list[str] = field(default_factory=list)

    def token(self, user: str = USER, **wishes: object) -> tuple[int, str]:
        """The id and the key of a new token of NetBox's, by its version 1."""
        body = {"username": user, "password": PASSWORD, "version": 1, **wishes}
        made = self._post("/netbox/api/users/tokens/provision/", json=body)
        return made["id"], made.get("token") or made["key"]

    def uuid(self) -> str:
        """The id of a new token of Nautobot's."""
        made = self._post("/nautobot/api/users/tokens/", json={}, auth=(USER, PASSWORD))
        return str(made["id"])

    def _post(self, path: str, **request: Any) -> dict[str, Any]:
        answer = self.node.http.post(path, **request)
        assert 201 == answer.status_code, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, case: Case) -> None:
        """Send *case*, mostly with a credential and about something that is there."""
        lot = zlib.crc32(f"{case.as_curl_command()}".encode())
        self._aim(case, lot)
        headers = self._credential(case, lot // 16)
        # The gate answers every method there is or will be; a document can only list some.
        checks = [*CHECKS, *([] if case.path.startswith("/authz/") else [unsupported_method])]
        case.call_and_validate(
            base_url=self.node.url, headers=headers, checks=checks, allow_redirects=False
        )

    def _aim(self, case: Case, lot: int) -> None:
        """Make every other case one about a token, a user or a login that exists."""
        if lot % 2:
            return
        if "id" in case.path_parameters:
            users = "/users/users/" in case.path or "/api/v" in case.path
            uuids = "id" in self.uuid_paths(case)
            case.path_parameters["id"] = (
                1 + lot // 2 % 3 if users else self.uuid() if uuids else self.token()[0]
            )
        if isinstance(case.body, dict) and "password" in case.body:
            case.body |= {"username": USER, "password": PASSWORD}
        if isinstance(case.body, dict) and "user" in case.body:
            case.body["user"] = {"username": USER}

    @staticmethod
    def uuid_paths(case: Case) -> dict[str, Any]:
        """The parts of the path of *case* that are UUIDs."""
        parts = case.operation.path_parameters
        return {each.name: each for each in parts if each.definition["schema"].get("format")}

    def _credential(self, case: Case, lot: int) -> dict[str, str]:
        """One of the tokens held, or a new one where it will not last, or none of them."""
        if lot % 4 == 3:
            return {}
        key = self.token()[1] if case.method == "DELETE" else self.held[lot % 4]
        return {"Authorization": f"Token {key}"}


def world_of(settings: Mapping[str, str]) -> Iterator[World]:
    """A node with *settings* on a Redis of its own, until the tests of this process end."""
    server = or_skip(lambda: Server(NEWEST))
    prepare(server.url, USER)
    tokenhouse(
        "user",
        "add",
        SUPERUSER,
        "--superuser",
        "--password-stdin",
        store=server.url,
        stdin=PASSWORD,
    )
    node = Node(server.url, settings)
    made = World(node)
    made.held = [
        made.token(SUPERUSER)[1],
        made.token()[1],
        made.token(write_enabled=False)[1],
    ]
    yield made
    node.stop()
    server.discard()


@pytest.fixture(scope="session")
def older() -> Iterator[World]:
    """A node as it comes: NetBox 3.3 at the root."""
    yield from world_of(OLDER)


@pytest.fixture(scope="session")
def newer() -> Iterator[World]:
    """A node where everything that can be said otherwise is."""
    yield from world_of(NEWER)


bounds = bounded(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@bounds
@schema_of(OLDER).parametrize()
def test_an_answer_is_in_the_document(case: Case, older: World) -> None:
    """Its status, media type, headers and body are what the document says, and it is no 5xx."""
    older.ask(case)


@bounds
@schema_of(NEWER).parametrize()
def test_an_answer_is_in_the_document_of_another_config(case: Case, newer: World) -> None:
    """So it is where the newer contract is spoken, and Nautobot owns the root."""
    newer.ask(case)


@pytest.mark.parametrize(("world", "settings"), [("older", OLDER), ("newer", NEWER)])
def test_the_document_is_what_the_node_gives(
    world: str, settings: Mapping[str, str], request: pytest.FixtureRequest
) -> None:
    """A node hands out the very document that it is held to here, to anybody."""
    node = request.getfixturevalue(world).node

    answer = node.http.get("/openapi.json")

    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert described(settings) == answer.json()
