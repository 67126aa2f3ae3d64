"""The description of this node: valid, whole, as the config has it, and there for anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.app import App
from service.config import DIALECTS, load
from service.dialects.nautobot import listing
from service.dialects.nautobot.own import Own
from service.dialects.netbox import rows as netbox_rows
from service.gate.question import MOUNTS
from service.ops.openapi import METHODS
from service.wire.rest.filters import Column, lookups_of

NEWER = {
    "TOKENHOUSE_DIALECTS__USERS_TOKENS": "nautobot",
    "TOKENHOUSE_DIALECTS__NETBOX__CONTRACT": "4.6",
    "TOKENHOUSE_DIALECTS__NETBOX__SHOW_KEY": "once",
    "TOKENHOUSE_DIALECTS__NAUTOBOT__SHOW_KEY": "once",
    "TOKENHOUSE_DIALECTS__TOWER__AUTH_BASIC": "false",
    "TOKENHOUSE_GATE__COOKIE": "true",
    "TOKENHOUSE_GATE__QUERY": "true",
    "TOKENHOUSE_GATE__REASON_HEADER": "true",
    "TOKENHOUSE_METRICS__ENABLED": "true",
}
CONFIGS: Mapping[str, Mapping[str, str]] = {
    "as it comes": {},
    "newer": NEWER,
    "tower alone": {"TOKENHOUSE_DIALECTS__ENABLED": "tower"},
    "nautobot alone": {"TOKENHOUSE_DIALECTS__ENABLED": "nautobot"},
    "puppet alone": {"TOKENHOUSE_DIALECTS__ENABLED": "puppet"},
}
BASES = {"puppet": "/rbac-api/", "oauth": "/"}
"""What all paths of a dialect begin with, where that is not ``/api/``."""
NOWHERE = "ELSEWHERE"
"""A view that is no resource: what is told of those of the product that are not here."""


async def ask(settings: Mapping[str, str], method: str = "GET") -> httpx.Response:
    """What a node with *settings* answers at ``/openapi.json``."""
    app = App(load(env=settings))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        answer = await client.request(method, "/openapi.json")
    await app.house.aclose()
    return answer


async def document(settings: Mapping[str, str]) -> dict[str, Any]:
    """The document of a node with *settings*."""
    found: dict[str, Any] = (await ask(settings)).json()
    return found


def views(name: str) -> Iterator[tuple[str, Any]]:
    """Every view in the folder of the dialect *name*, by the name of its constant."""
    folder = import_module(f"service.dialects.{name}")
    kind = import_module(f"service.dialects.{name}.view").View
    for module in iter_modules(folder.__path__):
        inside = vars(import_module(f"service.dialects.{name}.{module.name}"))
        yield from ((key, value) for key, value in inside.items() if isinstance(value, kind))


def found(name: str, path: str, *, new: bool) -> Any:
    """The view that the dialect *name* has at *path*, None when it has none."""
    app = import_module(f"service.dialects.{name}.app")
    if name == "oauth":
        return app.VIEWS[path]
    find = app.find
    filled = re.sub(r"{\w+}", "7", path)
    there = find(filled.strip("/"), new=new) if name == "netbox" else find(filled)
    return there and there[0]


@pytest.mark.parametrize("config", CONFIGS)
async def test_the_document_is_valid(config: str) -> None:
    """It is OpenAPI 3.1, whatever is configured, and every reference in it leads somewhere."""
    made = await document(CONFIGS[config])

    assert "3.1.0" == made["openapi"]
    assert [] == [str(error) for error in OpenAPIV31SpecValidator(made).iter_errors()]


@pytest.mark.parametrize("config", ["as it comes", "newer"])
@pytest.mark.parametrize("name", DIALECTS)
async def test_every_view_is_in_it_with_its_methods(name: str, config: str) -> None:
    """Below its name a dialect has a path for each of its views, and each method of these."""
    made = await document(CONFIGS[config])
    new = config == "newer"
    prefix = f"/{name}{BASES.get(name, '/api/')}"
    paths = {path for path in made["paths"] if path.startswith(prefix)}
    there = {path: found(name, path.removeprefix(f"/{name}"), new=new) for path in paths}
    absent = (NOWHERE, *(() if new else ("CHECK", "SCHEMA")))
    reached = [view for view in there.values() if view is not None]

    assert [] == [key for key, view in views(name) if view not in reached and key not in absent]
    for path, view in there.items():
        if view is not None:
            methods = {method.upper() for method in made["paths"][path]}
            assert set(view.handlers) == methods, path


FIXED = {
    "netbox": {"brief", "fields", "omit", "q", "ordering", "start", "limit", "offset", "format"},
    "nautobot": {"brief", "q", "limit", "offset", "format", "api_version"},
}
"""What a list is asked besides what selects its rows."""


def columns(name: str, *, new: bool, show_key: str) -> Mapping[str, Column[Any]]:
    """What the dialect *name* selects tokens by."""
    settings = SimpleNamespace(show_key=show_key)
    call: Any = SimpleNamespace(new=new, settings=settings, service=SimpleNamespace(tokens=None))
    if name == "netbox":
        return netbox_rows.columns(call, [])
    return listing.columns(call, Own(call, b""))


@pytest.mark.parametrize("show_key", ["always", "once"])
@pytest.mark.parametrize("contract", ["3.3", "4.6"])
@pytest.mark.parametrize("name", FIXED)
async def test_what_a_list_is_selected_by_is_in_it(name: str, contract: str, show_key: str) -> None:
    """Every column with every lookup that there is, and none that there is not."""
    section = f"TOKENHOUSE_DIALECTS__{name.upper()}__"
    chosen = {"TOKENHOUSE_DIALECTS__NETBOX__CONTRACT": contract, section + "SHOW_KEY": show_key}
    made = await document(chosen)
    get = made["paths"][f"/{name}/api/users/tokens/"]["get"]
    found = columns(name, new=contract == "4.6", show_key=show_key)
    wanted = {
        f"{column}__{lookup}".removesuffix("__")
        for column, one in found.items()
        for lookup in ("", *lookups_of(one))
    }

    assert wanted == {each["name"] for each in get["parameters"]} - FIXED[name]


async def test_who_owns_the_root_is_said() -> None:
    """What several products have is described as the one that answers it at the root."""
    as_it_comes, newer = await document({}), await document(NEWER)
    list_path = "/api/users/tokens/"

    assert ["netbox"] == as_it_comes["paths"][list_path]["get"]["tags"]
    assert ["nautobot"] == newer["paths"][list_path]["get"]["tags"]
    assert "/api/users/users/" in as_it_comes["paths"]
    assert "/api/users/users/" not in newer["paths"]
    assert ["tower"] == newer["paths"]["/api/v2/authtoken/"]["post"]["tags"]
    assert {"/netbox" + list_path, "/nautobot" + list_path} < set(newer["paths"])


async def test_what_is_not_enabled_is_not_in_it() -> None:
    """A dialect that is off has no paths and no words of its own; the first one owns the root."""
    made = await document({"TOKENHOUSE_DIALECTS__ENABLED": "tower"})

    assert ["tower"] == made["paths"]["/api/"]["get"]["tags"]
    assert [] == [path for path in made["paths"] if re.search("netbox|nautobot|rbac", path)]
    assert [] == [name for name in made["components"]["schemas"] if name.startswith(("N", "P"))]


async def test_the_gate_and_the_probes_are_in_it() -> None:
    """Every mount for every method, and what a balancer looks at."""
    paths = (await document({}))["paths"]

    for mount in MOUNTS:
        assert set(METHODS) == set(paths[mount.path])
    assert "/authz/ext/{path}" in paths
    assert {"/livez", "/readyz", "/openapi.json"} < set(paths)


async def test_the_gate_says_what_is_configured() -> None:
    """Cookie, query and reason are in the document where they are on."""
    off, on = await document({}), await document(NEWER)

    def ways(made: dict[str, Any]) -> set[str]:
        return {name for way in made["paths"]["/authz/nginx"]["get"]["security"] for name in way}

    assert {"cookie", "query"} == ways(on) - ways(off)
    denied = [made["components"]["responses"]["GateDenied"]["headers"] for made in (off, on)]
    assert [False, True] == ["X-Auth-Reason" in headers for headers in denied]


async def test_a_pass_is_described_as_it_is_configured() -> None:
    """A preflight that passes is nobody, and verdicts that may be kept say for how long."""
    more = {"TOKENHOUSE_GATE__PREFLIGHT": "true", "TOKENHOUSE_GATE__STALENESS": "5s"}
    plain, made = [
        (await document(env))["components"]["responses"]["GatePass"]["headers"]
        for env in ({}, more)
    ]

    assert {"Cache-Control"} == set(made) - set(plain)
    assert ["-"] == made["X-Auth-Scopes"]["schema"]["enum"][2:]
    assert "integer" == plain["X-Auth-Token-Id"]["schema"]["type"]
    assert "-" in made["X-Auth-Token-Id"]["schema"]["pattern"]


async def test_it_can_be_looked_at_and_nothing_else() -> None:
    """GET and HEAD are answered without a credential, any other method is 405."""
    answers = [await ask({}, method) for method in ("GET", "HEAD", "POST")]

    assert [200, 200, 405] == [answer.status_code for answer in answers]
    assert b"" == answers[1].content
    assert answers[0].headers["content-length"] == answers[1].headers["content-length"]
    assert "application/json" == answers[0].headers["content-type"]
    assert "GET, HEAD" == answers[2].headers["allow"]
