"""Whatever is asked by ``/openapi.json``, the answer is one that stands in it.

``FUZZ_EXAMPLES=1000`` tries each operation so many times, and other things each time.
"""

from __future__ import annotations

import asyncio
import base64
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.config import load
from service.dialects.puppet.shape import sid
from service.house import build
from service.ops.openapi import document
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, prepare
from tests.nodes import Node, environment, tokenhouse
from tests.servers import NEWEST, Server

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
MANNERS: list[dict[str, str]] = [
    *[{}] * 6,
    {"Accept": "image/png"},
    {"Accept": "application/json; version=0.1"},
    {"Content-Type": "text/csv"},
    {"Content-Encoding": "br"},
]
"""Headers that a document cannot ask to be tried, and no headers, which is more usual."""
GOOD: dict[str, Any] = {
    "user": 1,
    "expires": "2099-01-01T00:00:00Z",
    "allowed_ips": ["127.0.0.0/8", "2001:db8::/32"],
}
"""What a document cannot say: who there is, which moments lie ahead, where bits end."""
SUPERUSER, USER, VICTIM = "root", "alice", "carol"

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
CLOSED = {
    **OLDER,
    "TOKENHOUSE_DIALECTS__ENABLED": "netbox",
    "TOKENHOUSE_DIALECTS__NETBOX__SHOW_KEY": "once",
    "TOKENHOUSE_DIALECTS__NETBOX__LOGIN_REQUIRED": "true",
}
WORLDS = {"older": OLDER, "newer": NEWER, "closed": CLOSED}


def described(settings: Mapping[str, str]) -> dict[str, Any]:
    """The document of a node with *settings*, before there is such a node."""
    config = load(env=environment("redis://127.0.0.1", settings))
    enabled = [import_module(f"service.dialects.{n}").DIALECT for n in config.dialects.enabled]
    return document(config, enabled, config.dialects.users_tokens)


@cache
def schema_of(name: str) -> Any:
    """The operations of the world *name*."""
    made = described(WORLDS[name])
    return schemathesis.openapi.from_dict(made, config=SchemathesisConfig())


@dataclass
class World:
    """A node with two users, each with tokens; *held* is what is sent again and again.

    *victim* is the id that Puppet's paths have for a third one.
    """

    node: Node
    server: Server
    victim: str
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
        lot = zlib.crc32(case.as_curl_command().encode())
        self._aim(case, lot)
        headers = {**self._credential(case, lot // 8), **MANNERS[lot // 64 % len(MANNERS)]}
        case.call_and_validate(
            base_url=self.node.url, headers=headers, checks=CHECKS, allow_redirects=False
        )

    def _aim(self, case: Case, lot: int) -> None:
        """Make three of four cases such about a token, a user or a login that exists."""
        if lot % 4 == 0:
            return
        if case.operation.tags == ["puppet"]:
            self._aim_puppet(case)
            return
        if "id" in case.path_parameters:
            case.path_parameters["id"] = self._target(case, lot // 4)
        said = case.body if isinstance(case.body, list) else [case.body]
        for entry in [each for each in said if isinstance(each, dict)]:
            entry |= {name: value for name, value in GOOD.items() if name in entry}
            if "password" in entry:
                entry |= {"username": USER, "password": PASSWORD}
            if "id" in entry and entry is said[0]:
                entry["id"] = self._target(case, lot // 4)

    def _aim_puppet(self, case: Case) -> None:
        """Name tokens, users and passwords that are there; who is revoked here is used nowhere."""
        there = {
            "login": USER,
            "password": PASSWORD,
            "current_password": PASSWORD,
            "user_id": self.victim,
        }
        if isinstance(case.body, dict):
            case.body |= {name: value for name, value in there.items() if name in case.body}
            if "token" in case.body:
                case.body["token"] = self.held[-1]
            if "revoke_tokens" in case.body:
                case.body["revoke_tokens"] = [self.token()[1]]
        if "sid" in case.path_parameters:
            case.path_parameters["sid"] = self.victim
        if "token" in case.path_parameters:
            case.path_parameters["token"] = self.token()[1]

    def _target(self, case: Case, lot: int) -> int | str:
        """The id of a user, or of a token made for this case."""
        if "/users/users/" in case.path or "/api/v" in case.path:
            return 1 + lot % 2
        return self.uuid() if case.operation.tags == ["nautobot"] else self.token()[0]

    def _credential(self, case: Case, lot: int) -> dict[str, str]:
        """One of the tokens held, or a new one where it will not last, or what *case* has."""
        if lot % 8 == 0:
            return {}
        puppet = case.operation.tags == ["puppet"]
        fresh = case.method == "DELETE" and not puppet
        key = self.token()[1] if fresh else self.held[lot % len(self.held)]
        return {"X-Authentication": key} if puppet else {"Authorization": f"Token {key}"}


async def sid_of(store: str, name: str) -> str:
    """The id that Puppet's paths have for the user *name*."""
    house = build(load(env=environment(store)))
    try:
        return sid(await house.users.get(name), await house.tokens.born())
    finally:
        await house.aclose()


def world_of(settings: Mapping[str, str]) -> Iterator[World]:
    """A node with *settings* on a Redis of its own, until the tests of this process end."""
    server = or_skip(lambda: Server(NEWEST))
    prepare(server.url, USER, VICTIM)
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
    made = World(node, server, asyncio.run(sid_of(server.url, VICTIM)))
    full = [made.token(user)[1] for user in (SUPERUSER, USER, USER)]
    made.held = [*full, made.token(write_enabled=False)[1]]
    yield made
    node.stop()
    server.discard()


@pytest.fixture(scope="session")
def older() -> Iterator[World]:
    """A node as it comes: NetBox 3.3 at the root."""
    yield from world_of(OLDER)


@pytest.fixture(scope="session")
def newer() -> Iterator[World]:
    """A node where everything that can be said otherwise is, and Nautobot owns the root."""
    yield from world_of(NEWER)


@pytest.fixture(scope="session")
def closed() -> Iterator[World]:
    """A node of NetBox 3.3 alone, where keys are shown once and nobody unknown sees a thing."""
    yield from world_of(CLOSED)


def operations() -> Iterator[Any]:
    """(name of the world, path, method) of everything in both documents."""
    for name, settings in WORLDS.items():
        for path, item in described(settings)["paths"].items():
            for method in item:
                yield pytest.param(name, path, method, id=f"{name}-{method.upper()}-{path}")


@pytest.mark.parametrize(("name", "path", "method"), [*operations()])
def test_an_answer_is_in_the_document(
    name: str, path: str, method: str, request: pytest.FixtureRequest
) -> None:
    """Its status, media type, headers and body are what the document says, and it is no 5xx."""
    world: World = request.getfixturevalue(name)

    @bounded(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema_of(name)[path][method].as_strategy())
    def ask(case: Case) -> None:
        world.ask(case)

    ask()


LOGINS: list[tuple[str, str, dict[str, Any]]] = [
    ("/tower/api/v2/authtoken/", "POST", {"body": {"username": USER, "password": "wrong"}}),
    ("/netbox/api/users/tokens/provision/", "POST", {"body": {"username": USER, "password": "x"}}),
    ("/nautobot/api/users/tokens/", "POST", {"body": {}}),
    ("/nautobot/api/users/tokens/", "GET", {}),
    ("/tower/api/v2/me/", "GET", {}),
]
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{USER}:wrong".encode()).decode()}


@pytest.mark.parametrize(("path", "method", "parts"), LOGINS)
def test_a_guess_too_many_is_in_the_document(
    path: str, method: str, parts: dict[str, Any], older: World
) -> None:
    """Where one can log in, the answer to who has failed too often stands there, too."""
    node = Node(older.server.url)
    media = {"media_type": "application/json"} if "body" in parts else {}
    try:
        case = schema_of("older")[path][method].Case(**parts, **media)
        answers = [
            case.call_and_validate(base_url=node.url, headers=BASIC, checks=CHECKS)
            for _ in range(12)
        ]
    finally:
        node.stop()

    assert 429 == answers[-1].status_code


@pytest.mark.parametrize("name", WORLDS)
def test_the_document_is_what_the_node_gives(name: str, request: pytest.FixtureRequest) -> None:
    """A node hands out the very document that it is held to here, to anybody."""
    node = request.getfixturevalue(name).node

    answer = node.http.get("/openapi.json")

    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert described(WORLDS[name]) == answer.json()
