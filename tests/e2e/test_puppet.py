"""Puppet's clients over HTTPS on real nodes: curl, pypuppetdb, and certificates for tokens."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.certs import Authority, Pair
from tests.clients import Program, client
from tests.conftest import or_skip
from tests.e2e.conftest import PASSWORD, gate, prepare
from tests.nodes import ROOT, Node
from tests.secure import SecureNode
from tests.servers import NEWEST, Memory, Pool, Server

PYPUPPETDB = "3.2.0"
RBAC = "/rbac-api"
CURRENT = f"{RBAC}/v1/users/current"
API_USER_ID = "af94921f-bd76-4b58-b5ce-e17c029a2790"
UNKNOWN = "0" + "A" * 43
ALLOWED = "console.example.org"
LIST = {"TOKENHOUSE_DIALECTS__PUPPET__CERT_ALLOWLIST": ALLOWED}
SCRIPT = """
import json, sys
import pypuppetdb, requests
host, port, ca, token = sys.argv[1:]
db = pypuppetdb.connect(host=host, port=int(port), ssl_verify=ca, token=token or None,
                        protocol="https")
try:
    answer = [200, db.current_version()]
except requests.HTTPError as error:
    answer = [error.response.status_code, None]
print(json.dumps(answer))
"""


@dataclass
class Estate:
    """Two nodes with TLS on one store, and the CA of everybody."""

    a: SecureNode
    b: SecureNode
    authority: Authority
    allowed: Pair
    stranger: Pair
    server: Server | Memory

    def login(self, **more: str) -> str:
        """A new token of alice, from node a."""
        body = {"login": "alice", "password": PASSWORD, **more}
        answer = self.a.http.post(f"{RBAC}/v1/auth/token", json=body)
        assert 200 == answer.status_code, answer.text
        text: str = answer.json()["token"]
        return text

    def showing(self, pair: Pair, node: SecureNode | None = None) -> httpx.Client:
        """A client that shows the certificate of *pair*; close it."""
        context = self.authority.trusted(pair)
        url = (node or self.a).url
        return httpx.Client(base_url=url, verify=context, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def shared(server_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """What the tests of this module share; prefer ``estate``."""
    server = or_skip(lambda: server_pool.get(NEWEST))
    authority = Authority(tmp_path_factory.mktemp("ca"))
    settings = {
        **authority.server().settings,
        "TOKENHOUSE_SERVER__SSL_CA": str(authority.file),
        "TOKENHOUSE_SERVER__CLIENT_CERTS": "optional",
        **LIST,
    }
    a, b = (SecureNode(server.url, authority.trusted(), settings) for _ in range(2))
    allowed, stranger = authority.client("allowed", ALLOWED), authority.client("stranger", "other")
    yield Estate(a, b, authority, allowed, stranger, server)
    a.stop()
    b.stop()


@pytest.fixture
def estate(shared: Estate, redis_server: Server | Memory) -> Estate:
    """Both nodes on an empty Redis that was set up and has the user alice."""
    assert redis_server.url == shared.server.url
    prepare(redis_server.url, "alice")
    return shared


def curl(*words: str) -> str:
    """What curl prints, or our stand-in where there is none."""
    program = ["curl", "-s"] if shutil.which("curl") else [sys.executable, "tests/docs/curl.py"]
    done = subprocess.run(
        [*program, *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def said(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a refusal."""
    return answer.status_code, answer.json()["kind"]


def test_curl_gets_a_token_and_presents_it_in_both_places(estate: Estate) -> None:
    """As the vendor documents it: --cacert, header, query, with and without a Content-Type."""
    trust = ("--cacert", str(estate.authority.file))
    url = f"https://localhost:{estate.a.port}{RBAC}/v1/auth/token"
    body = json.dumps({"login": "alice", "password": PASSWORD, "lifetime": "4h", "label": "a b"})
    typed = curl(
        *trust, "-X", "POST", "-H", "Content-Type: application/json", "-d", body, url
    )  # fmt: skip
    bare = curl("-k", "-X", "POST", "-d", body, url)
    token = json.loads(typed)["token"]
    other = f"https://localhost:{estate.b.port}{CURRENT}"

    assert {"token": token} == json.loads(bare)
    assert "alice" == json.loads(curl(*trust, other, "-H", f"X-Authentication:{token}"))["login"]
    assert "alice" == json.loads(curl(*trust, f"{other}?token={token}"))["login"]


class Guarded:
    """A service that lets in whom the gate at *node* lets pass, as a gateway would ask it."""

    def __init__(self, node: SecureNode, pair: Pair) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair.files)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _guard(node))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let nobody in any more."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(timeout=10)


def _guard(node: SecureNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            passed = ("x-authentication", "user-agent")
            headers = {name: self.headers[name] for name in passed if self.headers[name]}
            verdict = node.http.get("/authz/nginx", headers=headers).status_code
            body = b'{"version":"8.1.0"}' if verdict == 200 else b""
            self.send_response_only(verdict)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    return Handler


@pytest.fixture
def guarded(estate: Estate) -> Iterator[Guarded]:
    """PuppetDB's place, with the gate of node b in front of it."""
    made = Guarded(
        estate.b, Pair(*(estate.authority.folder / f"server.{x}" for x in ("pem", "key")))
    )
    yield made
    made.stop()


@pytest.fixture
def pypuppetdb(tmp_path: Path, estate: Estate, guarded: Guarded) -> Any:
    """Asks PuppetDB's version with a token; gives status and version."""
    program = Program(client("pypuppetdb", PYPUPPETDB) / "python", tmp_path)

    def ask(token: str) -> Any:
        ca = str(estate.authority.file)
        done = program.run("-c", SCRIPT, "localhost", str(guarded.port), ca, token)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    return ask


def test_pypuppetdb_gets_through_the_gate_with_a_token(estate: Estate, pypuppetdb: Any) -> None:
    """Until it is revoked, on whichever node; without one, or with another, it never does."""
    token = estate.login(label="pypuppetdb")
    first = pypuppetdb(token)
    revoked = estate.a.http.request(
        "DELETE",
        f"{RBAC}/v2/tokens?revoke_tokens_by_labels=pypuppetdb",
        headers={"x-authentication": token},
    )

    assert [200, "8.1.0"] == first
    assert 204 == revoked.status_code
    assert [401, None] == pypuppetdb(token)
    assert [401, None] == pypuppetdb(UNKNOWN)
    assert [401, None] == pypuppetdb("")


def test_an_allowed_certificate_acts_as_api_user(estate: Estate) -> None:
    """On every request of its connection, and for what only superusers may do."""
    token = estate.login()
    with estate.showing(estate.allowed) as holder:
        me = [holder.get(CURRENT).json() for _ in range(2)]
        revoked = holder.delete(f"{RBAC}/v2/tokens/{token}")

    assert [("api_user", API_USER_ID, True)] * 2 == [
        (each["login"], each["id"], each["is_superuser"]) for each in me
    ]
    assert 204 == revoked.status_code
    assert 401 == gate(estate.b, token).status_code


def test_other_certificates_are_nobody(estate: Estate) -> None:
    """Those of our own CA that are not on the list, and having none at all."""
    with estate.showing(estate.stranger) as stranger:
        answers = [stranger.get(CURRENT), estate.a.http.get(CURRENT)]

    assert [(401, "puppetlabs.rbac/user-unauthenticated")] * 2 == [said(each) for each in answers]


def test_a_certificate_makes_no_tokens(estate: Estate) -> None:
    """A token belongs to somebody."""
    with estate.showing(estate.allowed) as holder:
        answer = holder.post(f"{RBAC}/v1/tokens", json={"lifetime": "1h"})

    assert (401, "puppetlabs.rbac/user-unauthenticated") == said(answer)


@pytest.mark.parametrize(
    ("token", "kind"), [(UNKNOWN, "token-revoked"), ("nonsense", "invalid-token")]
)
def test_a_bad_token_loses_beside_a_good_certificate(estate: Estate, token: str, kind: str) -> None:
    """In the header as in the query; an empty one is none."""
    with estate.showing(estate.allowed) as holder:
        answers = [
            holder.get(CURRENT, headers={"x-authentication": token}),
            holder.get(CURRENT, params={"token": token}),
        ]
        empty = holder.get(CURRENT, headers={"x-authentication": ""})

    assert [(401, f"puppetlabs.rbac/{kind}")] * 2 == [said(each) for each in answers]
    assert "api_user" == empty.json()["login"]


def test_a_good_token_counts_beside_a_good_certificate(estate: Estate) -> None:
    """It says more exactly who is asking."""
    headers = {"x-authentication": estate.login()}
    with estate.showing(estate.allowed) as holder:
        assert "alice" == holder.get(CURRENT, headers=headers).json()["login"]


@contextlib.contextmanager
def behind_a_proxy(store: str, trusted: str) -> Iterator[Node]:
    """A plain node that is told of certificates, by whom it trusts."""
    settings = {
        **LIST,
        "TOKENHOUSE_DIALECTS__PUPPET__CERT_HEADER": "X-Client-DN",
        "TOKENHOUSE_SERVER__TRUSTED_PROXIES": trusted,
    }
    node = Node(store, settings)
    try:
        yield node
    finally:
        node.stop()


def test_a_trusted_proxy_tells_of_certificates(redis_server: Server | Memory) -> None:
    """The subject as nginx writes it, or the name alone; anything else is nobody."""
    prepare(redis_server.url)
    with behind_a_proxy(redis_server.url, "127.0.0.1") as node:
        found = {
            text: node.http.get(CURRENT, headers={"x-client-dn": text}).status_code
            for text in (
                f"CN={ALLOWED},OU=ops,O=Example\\, Inc",
                ALLOWED,
                "CN=other",
                f"O=x\\,CN={ALLOWED},CN=other",
                f"CN={ALLOWED},CN=other",
                f"/O=x/CN={ALLOWED}",
                "",
            )
        }
        twice = [("x-client-dn", f"CN={ALLOWED}")] * 2
        both = node.http.get(CURRENT, headers=twice).status_code

    assert [200, 200, 401, 401, 401, 401, 401] == list(found.values())
    assert 401 == both


def test_nobody_else_tells_of_certificates(redis_server: Server | Memory) -> None:
    """Whoever comes directly can write what he likes."""
    prepare(redis_server.url)
    with behind_a_proxy(redis_server.url, "192.0.2.0/24") as node:
        answer = node.http.get(CURRENT, headers={"x-client-dn": f"CN={ALLOWED}"})

    assert (401, "puppetlabs.rbac/user-unauthenticated") == said(answer)
