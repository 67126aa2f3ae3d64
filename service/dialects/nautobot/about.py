"""What this service is and where things are. Nothing about anybody."""

from __future__ import annotations

import platform

from service.dialects.nautobot.texts import DJANGO_VERSION, NAUTOBOT_VERSION, PARSES
from service.dialects.nautobot.view import Call, Handler, View
from service.wire.reply import Reply
from service.wire.rest.metadata import described
from service.wire.rest.refusal import NotFound


async def root(call: Call) -> Reply:
    """The parts of the API that there are."""
    return Reply(200, {name: call.link(name) for name in ("status", "users")})


async def users(call: Call) -> Reply:
    """The resources below ``users/`` that there are."""
    return Reply(200, {"tokens": call.link("users", "tokens")})


async def status(call: Call) -> Reply:
    """What clients look at to learn which Nautobot they talk to."""
    body = {
        "django-version": DJANGO_VERSION,
        "installed-apps": {},
        "nautobot-version": NAUTOBOT_VERSION,
        "plugins": {},
        "python-version": platform.python_version(),
        "rq-workers-running": 0,
        "celery-workers-running": 0,
    }
    return Reply(200, body)


async def nothing(call: Call) -> Reply:
    """What the product keeps besides tokens is not here. NotFound."""
    raise NotFound


def _reading(handler: Handler, name: str, description: str) -> dict[str, Handler]:
    async def describe(call: Call) -> Reply:
        return Reply(200, described(name, description, parses=PARSES))

    return {"GET": handler, "HEAD": handler, "OPTIONS": describe}


ROOT = View(handlers=_reading(root, "API Root", "Where the parts of this API are."))
USERS = View(handlers=_reading(users, "Users", "Where the tokens are."), versioned=False)
STATUS = View(handlers=_reading(status, "Status", "What runs here."), protected=True)
ELSEWHERE = View(
    handlers=dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), nothing),
    protected=True,
)
"""What a Nautobot has and this service has not; like there, nobody unknown hears more of it."""
