"""What this service is and where things are: the maps, ping, config. Nothing about anybody."""

from __future__ import annotations

from service.dialects.tower.texts import ANSIBLE_VERSION, TOWER_VERSION, VERSIONS
from service.dialects.tower.view import Call, View, reading
from service.wire.reply import Reply

LISTED = ("authtoken", "ping", "config", "me", "users")


async def versions(call: Call) -> Reply:
    """The versions there are."""
    available = {version: call.link(version) for version in VERSIONS}
    body = {
        "description": "AWX REST API",
        "current_version": available[VERSIONS[-1]],
        "available_versions": available,
    }
    return Reply(200, body)


async def resources(call: Call) -> Reply:
    """The resources of one version."""
    return Reply(200, {name: call.link(name) for name in LISTED})


async def ping(call: Call) -> Reply:
    """That this node is here. Nodes keep nothing and know of no others, so it is the only one."""
    node = call.service.node
    body = {
        "ha": False,
        "version": TOWER_VERSION,
        "active_node": node,
        "instances": [{"node": node, "heartbeat": None, "capacity": 100, "version": TOWER_VERSION}],
        "instance_groups": [{"name": "tower", "capacity": 100, "instances": [node]}],
    }
    return Reply(200, body)


async def config(call: Call) -> Reply:
    """What clients look at to learn which Tower they talk to."""
    body: dict[str, object] = {
        "time_zone": "UTC",
        "license_info": {"license_type": "enterprise"},
        "version": TOWER_VERSION,
        "ansible_version": ANSIBLE_VERSION,
        "eula": "",
        "analytics_status": "off",
    }
    if call.me.superuser:
        body |= {"project_base_dir": "", "project_local_paths": []}
    return Reply(200, body)


async def sign_on(call: Call) -> Reply:
    """The ways to sign on elsewhere: there are none."""
    return Reply(200, {})


ROOT = View(name="REST API", description="The versions of this API.", handlers=reading(versions))
MAP = View(
    name="REST API", description="The resources of this version.", handlers=reading(resources)
)
PING = View(name="Ping", description="Whether this node is here.", handlers=reading(ping))
CONFIG = View(
    name="Configuration",
    description="The version of Tower that this service is compatible with.",
    handlers=reading(config),
    protected=True,
)
SIGN_ON = View(name="Single Sign-On", description="None is offered.", handlers=reading(sign_on))
