"""What clients ask to learn whom they talk to is answered as Tower answers it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dialects.tower.maker import NODE, Tower

BAD = {"Authorization": "Token bad", "X-Auth-Token": "Token bad", "Cookie": "token=bad"}


@pytest.mark.parametrize("root", ["", "/tower"])
async def test_the_maps_lead_to_what_there_is(house: Tower, root: str):
    """Every link works from where the client stands, credentials or not."""
    async with house.client(root_path=root) as client:
        versions = (await client.get("/api/", headers=BAD)).json()
        assert {
            "description": "AWX REST API",
            "current_version": f"{root}/api/v2/",
            "available_versions": {"v1": f"{root}/api/v1/", "v2": f"{root}/api/v2/"},
        } == versions
        for version in ("v1", "v2"):
            links = (await client.get(f"/api/{version}/", headers=BAD)).json()

            names = ("authtoken", "ping", "config", "me", "users")
            assert [(name, f"{root}/api/{version}/{name}/") for name in names] == list(
                links.items()
            )


async def test_ping_names_version_and_node(client: Any):
    """It needs no credential and no store."""
    body = (await client.get("/api/v2/ping/", headers=BAD)).json()
    instance = {"node": NODE, "heartbeat": None, "capacity": 100, "version": "3.2.0"}

    assert {
        "ha": False,
        "version": "3.2.0",
        "active_node": NODE,
        "instances": [instance],
        "instance_groups": [{"name": "tower", "capacity": 100, "instances": [NODE]}],
    } == body


async def test_there_is_no_other_way_to_sign_on(client: Any):
    """The list of them is empty."""
    assert {} == (await client.get("/api/v2/auth/")).json()


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_config_says_which_tower_this_is(house: Tower, client: Any, name: str):
    """A superuser is told two things more."""
    headers = {"Authorization": f"Token {await house.login(name)}"}
    body = (await client.get("/api/v2/config/", headers=headers)).json()
    more = {"project_base_dir": "", "project_local_paths": []} if name == "alice" else {}

    assert {
        "time_zone": "UTC",
        "license_info": {"license_type": "enterprise"},
        "version": "3.2.0",
        "ansible_version": "2.4.1.0",
        "eula": "",
        "analytics_status": "off",
        **more,
    } == body
