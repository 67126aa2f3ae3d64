"""What every folder under ``service/dialects`` must do; a further one is held to it at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import errors
from service.app import service_of
from service.config import DIALECTS, Config
from service.core.users import BadPassword
from service.errors import Busy, NotSetUp, Refusal, StoreDown, TokenhouseError, TooManyAttempts
from service.house import House, build
from service.wire.dialect import Dialect

FOLDERS = sorted(
    path.parent.name
    for path in (Path(__file__).parents[2] / "service" / "dialects").glob("*/__init__.py")
)
CLOSED_PORT = "redis://127.0.0.1:1/0"
EARLY = (400, 408, 413, 431, 503)

LOGINS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tower": ("POST", "/api/v2/authtoken/", {"json": {"username": "a", "password": "b"}}),
    "netbox": (
        "POST",
        "/api/users/tokens/provision/",
        {"json": {"username": "a", "password": "b"}},
    ),
    "nautobot": ("POST", "/api/users/tokens/", {"auth": ("a", "b")}),
    "puppet": ("POST", "/rbac-api/v1/auth/token", {"json": {"login": "a", "password": "b"}}),
    "oauth": ("POST", "/introspect", {"auth": ("a", "b"), "data": {"token": "c"}}),
}
"""How one logs in with name and password, for each dialect."""

NO_LOGIN: dict[str, str] = {}
"""Dialects without such a login, each with the reason."""

TOKEN = {"headers": {"Authorization": "Token " + "a" * 40}}
USES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tower": ("GET", "/api/v2/me/", TOKEN),
    "netbox": ("GET", "/api/users/tokens/", TOKEN),
    "nautobot": ("GET", "/api/users/tokens/", TOKEN),
    "puppet": (
        "GET",
        "/rbac-api/v1/users/current",
        {"headers": {"X-Authentication": "0" + "A" * 43}},
    ),
    "oauth": ("POST", "/introspect", {**TOKEN, "data": {"token": "c"}}),
}
"""How a token is used at a resource of each dialect."""


def refusals(root: type[TokenhouseError]) -> Iterator[type[TokenhouseError]]:
    """*root*'s subclasses among the words of the field, at any depth."""
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from refusals(kind)


ARGUMENTS: dict[type[TokenhouseError], tuple[object, ...]] = {
    StoreDown: ("timeout",),
    TooManyAttempts: (7,),
    errors.TooManyTokens: (3,),
}
LOGIN_ERRORS = [*refusals(Refusal), Busy, StoreDown, NotSetUp]


def dialect(name: str) -> Dialect:
    """What the folder *name* offers."""
    found = import_module(f"service.dialects.{name}").DIALECT
    assert isinstance(found, Dialect)
    return found


def house(url: str = "memory://") -> House:
    """A house over the store at *url*."""
    return build(Config(store={"url": url}, secret={"keys": ["k" * 32]}))


def client(name: str, made: House) -> httpx.AsyncClient:
    """A client of the dialect *name* in the house *made*."""
    transport = httpx.ASGITransport(
        app=dialect(name).build(service_of(made)), client=("192.0.2.1", 1)
    )
    return httpx.AsyncClient(transport=transport, base_url="http://house.test")


def in_shape(name: str, response: httpx.Response) -> bool:
    """Whether *response* is JSON of the type that the dialect *name* says no with."""
    content_type, _ = dialect(name).refuse(503)
    return response.headers["content-type"] == content_type.decode() and bool(response.json())


def test_every_folder_can_be_enabled():
    """The config offers exactly the dialects that there are, and each says how to log in."""
    assert set(DIALECTS) == set(FOLDERS)
    assert set(LOGINS) | set(NO_LOGIN) == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_dialect_is_a_record(name: str):
    """It is named like its folder, has a policy of the config, and paths of its own."""
    made = dialect(name)

    assert name == made.name
    assert made.policy in house().policies
    assert made.paths or made.root_paths
    assert all(path.startswith("/") for path in (*made.paths, *made.root_paths))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_dialect_has_no_path_of_another(name: str):
    """What it owns at the root, nobody else owns."""
    others = {path for other in FOLDERS if other != name for path in dialect(other).paths}

    assert set() == others & set(dialect(name).paths)


@pytest.mark.parametrize("status", EARLY)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_dialect_says_no_before_it_is_asked(name: str, status: int):
    """For each status there is a body in its shape, and it is short."""
    content_type, body = dialect(name).refuse(status)

    assert content_type.isascii()
    assert 0 < len(body) < 1000
    if b"json" in content_type:
        assert json.loads(body)


@pytest.mark.parametrize("error", LOGIN_ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", LOGINS)
async def test_a_login_that_fails_is_answered_in_shape(
    name: str, error: type[TokenhouseError], monkeypatch: pytest.MonkeyPatch
):
    """Every word the core can say no with has a 4xx or 503; what passes says when."""
    made = house()

    async def fail(*_: object, **__: object) -> None:
        raise error(*ARGUMENTS.get(error, ()))

    for method in ("check", "issue"):
        monkeypatch.setattr(made.logins, method, fail)
    verb, path, request = LOGINS[name]
    async with client(name, made) as caller:
        response = await caller.request(verb, path, **request)
    await made.aclose()

    passing = issubclass(error, Busy | StoreDown)
    assert passing == (response.status_code == 503)
    assert response.status_code == 503 or 400 <= response.status_code < 500
    assert (passing or error is TooManyAttempts) == ("retry-after" in response.headers)
    assert in_shape(name, response)


@pytest.mark.parametrize("requests", [LOGINS, USES], ids=["login", "use"])
@pytest.mark.parametrize("name", FOLDERS)
async def test_a_store_that_is_away_is_503(
    name: str, requests: dict[str, tuple[str, str, dict[str, Any]]]
):
    """Neither a login nor a use is refused for it, and the answer says when to come back."""
    if name in NO_LOGIN and requests is LOGINS:
        pytest.skip(NO_LOGIN[name])
    made = house(CLOSED_PORT)
    verb, path, request = requests[name]
    async with client(name, made) as caller:
        response = await caller.request(verb, path, **request)
    await made.aclose()

    assert 503 == response.status_code
    assert int(response.headers["retry-after"]) >= 1
    assert "no-store" in response.headers["cache-control"]
    assert in_shape(name, response)


def test_the_words_of_the_field_are_all_here():
    """A refusal that is born elsewhere is no word of a login."""
    kinds = set(LOGIN_ERRORS)

    assert {TooManyAttempts, errors.ClientAddressUnknown, errors.BadName} < kinds
    assert BadPassword not in kinds
