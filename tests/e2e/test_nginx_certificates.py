"""nginx, as the page about TLS has it, ends TLS and tells whose certificate it has verified."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from bench.tools import debian
from tests.certs import Authority, Pair
from tests.e2e.conftest import prepare
from tests.nodes import ROOT, Node
from tests.servers import Memory, Server, free_port, wait_until

CURRENT = "/rbac-api/v1/users/current"
SURROUNDINGS = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    {example}
}}
"""
"""What a distribution's nginx.conf has around an example."""


def blocks(language: str) -> list[str]:
    """The blocks of the page in *language*."""
    page = (ROOT / "docs/tls.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The CA of the clients and of nginx."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def node(redis_server: Server | Memory, tmp_path: Path) -> Iterator[Node]:
    """A plain node with the settings of the page."""
    (settings,) = [text for text in blocks("toml") if "cert_header" in text]
    (tmp_path / "tokenhouse.toml").write_text(settings)
    prepare(redis_server.url)
    made = Node(redis_server.url, None, "--config", str(tmp_path / "tokenhouse.toml"))
    yield made
    made.stop()


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(node: Node, authority: Authority, tmp_path: Path) -> Iterator[Ask]:
    """Asks nginx who one is, with a certificate and headers."""
    (example,) = blocks("nginx")
    port = free_port()
    certificate, key = authority.server().files
    example = example.replace("listen 4433", f"listen 127.0.0.1:{port}")
    example = example.replace("/etc/nginx/clients-ca.pem", str(authority.file))
    example = example.replace("http://127.0.0.1:8000", node.url)
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        SURROUNDINGS.format(folder=tmp_path, certificate=certificate, key=key, example=example)
    )
    program = shutil.which("nginx") or str(debian("nginx") / "usr/sbin/nginx")
    with (tmp_path / "nginx.log").open("wb") as log:
        nginx = subprocess.Popen(
            [program, "-e", "stderr", "-p", str(tmp_path), "-c", str(conf)],
            stdin=subprocess.DEVNULL,
            stderr=log,
        )

    def asking(pair: Pair | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url, trust = f"https://localhost:{port}", authority.trusted(pair)
        with httpx.Client(base_url=url, verify=trust, trust_env=False, timeout=10) as client:
            return client.get(CURRENT, headers=named)

    def answers() -> bool:
        assert nginx.poll() is None, (tmp_path / "nginx.log").read_text()
        try:
            return bool(asking().status_code)
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "nginx")
        yield asking
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)


def subject(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A subject of several parts."""
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


def test_the_subject_that_nginx_tells_is_understood(ask: Ask, authority: Authority) -> None:
    """Whatever stands beside the common name, and however nginx escapes it."""
    (allowed,) = re.findall(r'cert_allowlist = \["(.*?)"\]', "".join(blocks("toml")))
    odd = subject(
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.ORGANIZATION_NAME, 'Ex, "Inc" + ü;=\\'),
        (NameOID.EMAIL_ADDRESS, "a@b"),
        (NameOID.COMMON_NAME, allowed),
    )
    sly = subject(
        (NameOID.ORGANIZATION_NAME, f"x,CN={allowed}"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, f"CN={allowed}"),
        (NameOID.COMMON_NAME, "other"),
    )
    found = [
        ask(authority.client("plain", allowed)),
        ask(authority.client("odd", odd)),
        ask(authority.client("sly", sly)),
        ask(authority.client("other", "other")),
    ]

    assert [200, 200, 401, 401] == [answer.status_code for answer in found]
    assert ["api_user"] * 2 == [answer.json()["login"] for answer in found[:2]]


def test_what_a_client_writes_himself_does_not_get_through(
    ask: Ask, authority: Authority, tmp_path: Path
) -> None:
    """Without a certificate, with one that is not allowed, or with one of another CA."""
    (allowed,) = re.findall(r'cert_allowlist = \["(.*?)"\]', "".join(blocks("toml")))
    forged = {"x_client_dn": f"CN={allowed}"}
    stranger = Authority(tmp_path / "strangers").client("client", allowed)

    assert 401 == ask(None, **forged).status_code
    assert 401 == ask(authority.client("other", "other"), **forged).status_code
    assert 400 == ask(stranger, **forged).status_code
