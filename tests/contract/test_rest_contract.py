"""What the products answer, case by case from ``cases/``, asked of real nodes on a real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from service.config import load
from service.core.ids import for_users, to_uuid
from service.core.tokens import Wish
from service.house import House, build
from tests.conftest import or_skip
from tests.contract.cases.reading import Case, Match, World, cases, fill, kept, question, world
from tests.nodes import Node, environment
from tests.servers import NEWEST, Memory, Pool, Server

CASES = list(cases())
NodeOf = Callable[[str, str], Node]
DISABLED, REVOKED = "disabled", "revoked"


@pytest.fixture(scope="session")
def node_of(server_pool: Pool) -> Iterator[NodeOf]:
    """The node with the settings of that name of a product, started when it is first asked for."""
    nodes: dict[tuple[str, str], Node] = {}

    def get(product: str, settings: str) -> Node:
        server = or_skip(lambda: server_pool.get(NEWEST))
        wanted = (product, settings)
        if wanted not in nodes:
            nodes[wanted] = Node(server.url, world(product).settings[settings])
        return nodes[wanted]

    yield get
    for node in nodes.values():
        node.stop()


def make(store: str, wanted: World) -> dict[str, str]:
    """Bring *wanted* into the empty *store*: the placeholders that are known from then on."""
    return asyncio.run(_make(store, wanted))


async def _make(store: str, wanted: World) -> dict[str, str]:
    house = build(load(env=environment(store)))
    known: dict[str, str] = {}
    try:
        await house.setup.init()
        for user in wanted.users:
            known |= await _add_user(house, dict(user))
        for token in wanted.tokens:
            known |= await _add_token(house, dict(token), wanted.policy)
        for user in wanted.users:
            if user.get(DISABLED):
                await house.users.disable(user["name"])
            if user.get(REVOKED):
                await house.users.revoke(user["name"])
    finally:
        await house.aclose()
    return known


async def _add_user(house: House, user: dict[str, Any]) -> dict[str, str]:
    name, permissions = user.pop("name"), user.pop("permissions", [])
    for later in (DISABLED, REVOKED):
        user.pop(later, None)
    password, superuser = user.pop("password", "pw"), user.pop("superuser", False)
    facts = {**user, **({"perms": " ".join(permissions)} if permissions else {})}
    made = await house.users.add(name, password, superuser=superuser, **facts)
    sid = to_uuid(made.user_id, for_users(await house.tokens.born()))
    return {f"{name}.user": str(made.user_id), f"{name}.sid": str(sid)}


async def _add_token(house: House, token: dict[str, Any], policy: str) -> dict[str, str]:
    name = token.pop("name")
    wish = {**token, "policy": house.policies[token.get("policy", policy)]}
    if "ends" in wish:
        ends: datetime = wish.pop("ends")
        wish["end_ms"] = int(ends.timestamp() * 1000)
    if "networks" in wish:
        wish["networks"] = tuple(ip_network(each) for each in wish["networks"])
    issued = await house.tokens.issue(Wish(**wish))
    uuid = to_uuid(issued.token_id, await house.tokens.born())
    return {
        f"{name}.id": str(issued.token_id),
        f"{name}.uuid": str(uuid),
        f"{name}.key": issued.text,
        f"{name}.tail": issued.text[-6:],
    }


def ask(node: Node, table: Any, known: dict[str, str], made: World) -> httpx.Response:
    """Send the request of *table*; its answer is remembered in *known* under its ``keep``."""
    asked = question(table, known, made)
    answer = node.http.request(
        asked.method, asked.path, headers=asked.headers, content=asked.content or None
    )
    if asked.keep:
        known.update(kept(asked.keep, answer.json()))
    return answer


def check(answer: httpx.Response, table: Any, known: dict[str, str], made: World) -> None:
    """Hold *answer* to what *table* expects."""
    assert table["status"] in {0, answer.status_code}, answer.text
    match = Match(made.patterns)
    for name, expected in table["answer"].items():
        got = answer.headers.get(name, "")
        match.check(expected, got, known)
    if "detail" in table:
        detail = json.dumps(fill(table["detail"], known), ensure_ascii=False)
        assert f'{{"detail":{detail}}}' == answer.text
    if "says" in table:
        match.check(table["says"], answer.text, known)
    if "same" in table:
        assert json.loads(fill(table["same"], known)) == answer.json()
    if "shows" in table:
        match.check(table["shows"], answer.text, known, whole=False)


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_the_answer_is_the_products(
    case: Case, node_of: NodeOf, redis_server: Server | Memory
) -> None:
    """Status, headers and body are those of the reference, byte for byte."""
    node, made = node_of(case.product, case.settings), world(case.product)
    known = make(redis_server.url, made)
    known |= {"url": node.url, "host": node.url.removeprefix("http://"), "empty": ""}
    for table in case.data.get("before", []):
        answer = ask(node, table, known, made)
        assert answer.is_success, answer.text
    check(ask(node, case.data, known, made), case.data, known, made)


def test_no_two_cases_have_one_name() -> None:
    """A report names the case that failed."""
    labels = [case.label for case in CASES]

    assert sorted(set(labels)) == sorted(labels)


ANSWER = '{"id":7,"display":"abcdef (x)","key":"%s","next":"7"}' % ("0" * 34 + "abcdef")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ('{"id":<id>,"display":"<tail> (x)","key":"<key>","next":"<id>"}', True),
        ('{"id":<id1>,"display":"<any> (x)","key":"<any>","next":"<id2>"}', True),
        ('{"id":<known.id>,"display":"<any>","key":"<key>","next":"<known.id>"}', True),
        ('{"id":<id>,"display":"<tail> (x)","key":"<key>","next":"8"}', False),
        ('{"id":<id>,"display":"<tail> (x)","key":"<key>","next":"<key>"}', False),
        ('{"id":<id>,"display":"<any>","key":"<any>"}', False),
        ('{"id": <id>,"display":"<any>","key":"<any>","next":"7"}', False),
    ],
)
def test_a_case_notices_what_differs(pattern: str, fits: bool) -> None:
    """A blank, a member, another number in the second place."""
    match, known = Match(), {"known.id": "7"}
    if fits:
        match.check(pattern, ANSWER, known)
    else:
        with pytest.raises(AssertionError):
            match.check(pattern, ANSWER, known)


def test_a_tail_that_is_none_is_noticed() -> None:
    """The end of a key must be that key's."""
    with pytest.raises(AssertionError):
        Match().check("<tail> <key>", "abcdee " + "0" * 34 + "abcdef", {})
