"""Authlib's client, unmodified: introspection, revocation and metadata over two nodes."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.clients import Program, client
from tests.e2e.conftest import PASSWORD, Pair, gate
from tests.nodes import tokenhouse

VERSION = "1.9.9"
SCRIPT = """
import json, sys
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

given = json.loads(sys.argv[1])
session = OAuth2Session(given["name"], given["password"])
where = session.request(
    "GET", get_well_known_url(given["url"], external=True), withhold_token=True
).json()
known = AuthorizationServerMetadata(where)

def ask(node, token):
    answer = session.introspect_token(node + "/oauth/introspect", token=token)
    answer.raise_for_status()
    return answer.json()

def kill(node, token):
    return session.revoke_token(node + "/oauth/revoke", token=token).status_code
"""


@pytest.fixture
def run(pair: Pair, tmp_path: Path) -> Any:
    """Runs a script as the user ``gateway``; gives what it leaves in ``answer``."""
    for name, *more in (("gateway", "--grant", "gateway"), ("nosy",)):
        words = ("user", "add", name, *more, "--password-stdin")
        assert 0 == tokenhouse(*words, store=pair.server.url, stdin=PASSWORD).returncode
    program = Program(client("authlib", VERSION) / "python", tmp_path)

    def work(script: str, name: str = "gateway", **given: str) -> Any:
        said = {"url": pair.a.url, "other": pair.b.url, "name": name, "password": PASSWORD, **given}
        text = SCRIPT + textwrap.dedent(script) + "\nprint(json.dumps(answer))\n"
        done = program.run("-c", text, json.dumps(said))
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    return work


def test_a_token_is_introspected_and_revoked_on_either_node(pair: Pair, run: Any) -> None:
    """What one node made and the other revoked is dead for the first at its next call."""
    words = ("token", "issue", "--user", "alice", "--label", "ci", "--lifetime", "1h")
    token = tokenhouse(*words, store=pair.server.url).stdout.strip()
    assert token.startswith("th_")
    assert [200, 200] == [gate(node, token).status_code for node in (pair.a, pair.b)]

    before, status, after = run(
        """
        url, other, token = given["url"], given["other"], given["token"]
        answer = [ask(url, token), kill(other, token), ask(url, token)]
        """,
        token=token,
    )

    assert (True, "alice", "read write") == (before["active"], before["username"], before["scope"])
    assert 3600 == before["exp"] - before["iat"]
    assert (200, {"active": False}) == (status, after)
    assert [401, 401] == [gate(node, token).status_code for node in (pair.a, pair.b)]


def test_a_login_of_a_product_is_known_to_whoever_may_ask(pair: Pair, run: Any) -> None:
    """Tower's token, bound to this address and the agent of its login, for the one who uses it."""
    token = pair.token(pair.a)
    agent = pair.a.http.headers["user-agent"]
    script = """
    body = "client_ip=127.0.0.1&user_agent=" + given["agent"]
    url = given["url"] + "/oauth/introspect"
    bare = session.introspect_token(url, token=given["token"]).json()
    told = session.introspect_token(url, token=given["token"], body=body).json()
    answer = [bare, told]
    """

    bare, told = run(script, token=token, agent=agent)
    _, foreign = run(script, name="nosy", token=token, agent=agent)

    assert {"active": False} == bare == foreign
    assert (True, "alice") == (told["active"], told["sub"])


def test_the_metadata_hold_by_the_client_s_own_rules(pair: Pair, run: Any) -> None:
    """Those rules that do not ask for a grant, which this service has none of."""
    told = run(
        """
        known.validate_issuer()
        known.validate_introspection_endpoint()
        known.validate_introspection_endpoint_auth_methods_supported()
        known.validate_revocation_endpoint()
        known.validate_revocation_endpoint_auth_methods_supported()
        answer = where
        """
    )

    assert f"{pair.a.url}/oauth/introspect" == told["introspection_endpoint"]
    assert f"{pair.a.url}/oauth/revoke" == told["revocation_endpoint"]
