"""What a dialect is, and what the house gives it. Data and pure functions, no base class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp

from service.config import Config
from service.core.address import Trust
from service.core.logins import Logins
from service.core.tokens import Tokens
from service.core.users import Users
from service.model import Policy
from service.wire.openapi import Described


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything a dialect may use; *node* is this process's name, *trust* its proxies."""

    config: Config
    policies: Mapping[str, Policy]
    tokens: Tokens
    users: Users
    logins: Logins
    trust: Trust
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One product's token API.

    *paths* are the path prefixes it owns at the root; *root_paths* those it answers only while it
    owns the root (``/api/``). All of them are also served under ``/<name>``, then with
    ``root_path`` set. *build* makes its ASGI application, which answers every path it is given.
    *refuse* renders (content type, body) for a status decided before the application is asked
    (400, 408, 413, 431, 503). *openapi* describes the paths, as far as the config decides them.
    """

    name: str
    policy: str
    paths: tuple[str, ...]
    root_paths: tuple[str, ...] = ()
    build: Callable[[Service], ASGIApp]
    refuse: Callable[[int], tuple[bytes, bytes]]
    openapi: Callable[[Config], Described]
