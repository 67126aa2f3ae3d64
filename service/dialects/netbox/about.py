"""What this service is and where things are: the maps, the status, who is asking."""

from __future__ import annotations

import platform

from service.dialects.netbox import texts
from service.dialects.netbox.users import who_am_i
from service.dialects.netbox.view import (
    Call,
    View,
    known,
    known_where_new,
    known_where_required,
    reading,
)
from service.wire.reply import Reply
from service.wire.rest.refusal import NotFound

APPS = ("config", "groups", "permissions", "tokens", "users")
"""What the map of users has always listed, though not all of it is here."""


async def root(call: Call) -> Reply:
    """The map of everything."""
    there = {"status": call.link("status"), "users": call.link("users")}
    if call.new:
        there = {"authentication-check": call.link("authentication-check"), **there}
    return Reply(200, there)


async def users(call: Call) -> Reply:
    """The map of what is about users."""
    return Reply(200, {name: call.link("users", name) for name in APPS})


async def status(call: Call) -> Reply:
    """The version that clients look at. Nothing of NetBox is installed, and nothing plugged in."""
    contract = call.settings.contract
    old = {
        "django-version": texts.DJANGO[contract],
        "installed-apps": {},
        "netbox-version": texts.RELEASE[contract],
        "plugins": {},
        "python-version": platform.python_version(),
        "rq-workers-running": 0,
    }
    if not call.new:
        return Reply(200, old)
    del old["installed-apps"]
    release = {"hostname": call.service.node, "netbox-full-version": texts.RELEASE[contract]}
    return Reply(200, {**old, **release, "installed_apps": {}})


async def schema(call: Call) -> Reply:
    """The way to the description of everything, wherever a proxy has put this resource."""
    scope = call.request.scope
    up = "../" * (f"{scope.get('root_path', '')}{scope['path']}".count("/") - 1)
    return Reply(302, None, {"Location": f"{up}openapi.json"})


ROOT = View(
    name="API Root",
    description="Where everything is.",
    handlers=reading(root),
    guard=known_where_new,
)
USERS = View(
    name="API Root",
    description="Where everything about users is.",
    handlers=reading(users),
    guard=known_where_new,
)
STATUS = View(
    name="Status",
    description="The version of NetBox whose answers are given.",
    handlers=reading(status),
    guard=known_where_required,
)
SCHEMA = View(
    name="Schema",
    description="Where the description of this service is.",
    handlers=reading(schema),
    guard=known_where_required,
)
CHECK = View(
    name="Authentication Check",
    description="Who is asking.",
    handlers=reading(who_am_i),
    guard=known,
)


async def nothing(call: Call) -> Reply:
    """What the product keeps besides tokens is not here. NotFound."""
    raise NotFound


ELSEWHERE = View(
    name="Elsewhere",
    handlers=dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), nothing),
    guard=known,
)
"""What a NetBox has and this service has not; like there, nobody unknown hears more of it."""
