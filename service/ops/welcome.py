"""The first user of an embedded store, and how to try it at once. A shared store gets none."""

from __future__ import annotations

import secrets
import shlex
from ipaddress import ip_address
from typing import Protocol

import orjson

from service.config import Config
from service.core.users import Users

NAME = "admin"
PASSWORD_BYTES = 12
LOGINS = {
    "tower": ("/api/v2/authtoken/", "username"),
    "netbox": ("/netbox/api/users/tokens/provision/", "username"),
    "puppet": ("/rbac-api/v1/auth/token", "login"),
}
"""Where a name and a password get a token, and how the name is called there."""


class Hosting(Protocol):
    """What is needed of the house, which stands on a floor above this one."""

    @property
    def config(self) -> Config:
        """The config it was built for."""
        ...

    @property
    def users(self) -> Users:
        """Its users."""
        ...


async def welcome(house: Hosting, url: str) -> str | None:
    """Make the first user of an embedded store; the text that says so, None when there is one.

    *url* is where this node answers (``local_url``). The store is set up already.
    """
    if not house.config.in_memory or await house.users.count():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    await house.users.add(NAME, password, superuser=True)
    text = (
        f"\nThe store is new and empty, so there is now a user for you:\n\n"
        f"  user      {NAME}\n"
        f"  password  {password}\n\n"
    )
    line = login_line(house.config, url, NAME, password=password)
    return text + (f"Get a token:\n\n  {line}\n\n" if line else "")


def login_line(config: Config, url: str, name: str, *, password: str) -> str:
    """A curl command that logs *name* in, quoted for a shell; empty where no dialect takes one."""
    for dialect, (path, field) in LOGINS.items():
        if dialect in config.dialects.enabled:
            body = orjson.dumps({field: name, "password": password}).decode()
            trust = ["--cacert", config.server.ssl_certfile] if config.server.ssl_certfile else []
            words = ["-H", "Content-Type: application/json", "-d", body, url + path]
            return shlex.join(["curl", "-s", *trust, *words])
    return ""


def local_url(host: str, port: int, *, scheme: str = "http") -> str:
    """Where somebody on this machine reaches a node that listens on *host* and *port*."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"{scheme}://{host}:{port}"
    if address.is_unspecified:  # "every address" is none that a client can call
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    name = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}://{name}:{port}"
