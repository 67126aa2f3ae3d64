"""The first user of an embedded store: made once, told once, and able to log in at once."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator

import httpx
import pytest

from service.app import App
from service.config import load
from service.house import House, build
from service.ops.welcome import local_url, login_line, welcome

URL = "http://127.0.0.1:8000"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house on an embedded store that is set up and empty."""
    made = build(load(env={}))
    await made.setup.init()
    yield made
    await made.aclose()


async def test_the_first_user_can_log_in_by_what_is_printed(house: House) -> None:
    """The curl line holds the name and the password of the user that was made."""
    text = await welcome(house, URL)

    assert text
    (line,) = [line for line in text.splitlines() if "curl" in line]
    *_, body, url = shlex.split(line)
    given = json.loads(body)
    admin = await house.users.get("admin")
    assert f"{URL}/api/v2/authtoken/" == url
    assert ["username", "password"] == list(given)
    assert admin.superuser
    assert await house.passwords.check("admin", admin.password, given["password"])
    assert f"  password  {given['password']}\n" in text
    assert len(given["password"]) >= 16


async def test_a_second_start_makes_nobody(house: House) -> None:
    """Nor is any password told again."""
    await welcome(house, URL)

    assert await welcome(house, URL) is None
    assert 1 == await house.users.owners.count()


async def test_a_shared_store_gets_no_user(redis_server: object) -> None:
    """Whoever reads the log of some node must not become its superuser."""
    env = {
        "TOKENHOUSE_STORE__URL": redis_server.url,  # type: ignore[attr-defined]
        "TOKENHOUSE_STORE__TIMEOUT": "5s",
        "TOKENHOUSE_SECRET__KEYS": "k" * 32,
    }
    shared = build(load(env=env))

    assert await welcome(shared, URL) is None
    assert 0 == await shared.users.owners.count()

    await shared.aclose()


def test_the_curl_line_survives_any_shell() -> None:
    """Quotes and dollars in a name or password are data."""
    *_, body, url = shlex.split(login_line(load(env={}), URL, "o'hara", password='$HOME "`id`\\'))

    assert {"username": "o'hara", "password": '$HOME "`id`\\'} == json.loads(body)
    assert f"{URL}/api/v2/authtoken/" == url


@pytest.mark.parametrize(
    ("enabled", "path", "field"),
    [
        ('["oauth", "tower"]', "/api/v2/authtoken/", "username"),
        ('["nautobot", "netbox"]', "/netbox/api/users/tokens/provision/", "username"),
        ('["puppet"]', "/rbac-api/v1/auth/token", "login"),
    ],
)
async def test_the_curl_line_is_for_a_dialect_that_is_spoken(
    enabled: str, path: str, field: str
) -> None:
    """What it prints gets a token from the node that printed it."""
    app = App(load(env={"TOKENHOUSE_DIALECTS__ENABLED": enabled}))
    await app.house.setup.init()
    text = await welcome(app.house, URL)
    assert text
    (line,) = [line for line in text.splitlines() if "curl" in line]
    *_, body, url = shlex.split(line)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as http:
        answer = await http.post(url, content=body, headers={"content-type": "application/json"})
    await app.house.aclose()

    assert (URL + path, field) == (url, next(iter(json.loads(body))))
    assert answer.status_code in (200, 201)


async def test_where_no_login_is_spoken_there_is_no_curl_line() -> None:
    """The user is told all the same."""
    house = build(load(env={"TOKENHOUSE_DIALECTS__ENABLED": '["oauth"]'}))
    await house.setup.init()
    text = await welcome(house, URL)
    await house.aclose()

    assert text
    assert "  password  " in text
    assert "curl" not in text


async def test_a_node_with_a_certificate_says_how_to_trust_it() -> None:
    """The line holds as it stands over HTTPS too."""
    house = build(load(env={"TOKENHOUSE_SERVER__SSL_CERTFILE": "/a b/server.pem"}))
    await house.setup.init()
    text = await welcome(house, local_url("127.0.0.1", 4433, scheme="https"))
    await house.aclose()

    assert text
    assert "  curl -s --cacert '/a b/server.pem' -H " in text
    assert " https://127.0.0.1:4433/api/v2/authtoken/\n" in text


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_the_url_is_one_that_this_machine_can_call(host: str, url: str) -> None:
    """What means "every address" is none that a client can connect to."""
    assert url == local_url(host, 80)
