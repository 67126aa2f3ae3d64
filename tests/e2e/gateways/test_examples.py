"""The shipped examples beside what the service itself says of its paths and headers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from service.config.sections import DIALECTS
from service.core.address import Trust
from service.gate.answer import Answers
from service.gate.question import MOUNTS, NGINX, Asking, Missing, Questions
from service.model import Verdict, Word
from tests.e2e.gateways.gateways import EXAMPLES
from tests.e2e.gateways.test_gateways import IDENTITY

OPEN = (
    r"api/v(\[12\]|2)/authtoken",
    "api/users/tokens",
    "rbac-api",
    r"(\[\.\]|\.)well-known/oauth-authorization-server",
)
FILES = {
    "nginx": ("tokenhouse.conf",),
    "envoy": ("envoy.yaml",),
    "caddy": ("Caddyfile",),
    "haproxy": ("haproxy.cfg", "tokenhouse.lua"),
    "traefik": ("traefik.yml", "tokenhouse.yml"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_example_is_whole_and_explained(name: str) -> None:
    """All of its files and one page about them."""
    folder: Path = EXAMPLES / name

    assert {*FILES[name], "README.md"} == {path.name for path in folder.iterdir()}
    page = (folder / "README.md").read_text("utf-8")
    assert [] == [file for file in FILES[name] if f"({file})" not in page]
    for heading in ("## What to change", "## What clients get", "## What it cannot do"):
        assert heading in page


@pytest.mark.parametrize("name", FILES)
def test_every_example_knows_every_dialect_and_all_of_the_identity(name: str) -> None:
    """The token APIs are open under their own names; no identity header is forgotten."""
    text = "".join((EXAMPLES / name / file).read_text("utf-8") for file in FILES[name])
    opened = re.findall(r"(?<=[/|])[a-z]+(?=[|) ])", text)

    assert [] == [dialect for dialect in DIALECTS if dialect not in opened]
    assert [] == [path for path in OPEN if not re.search(path, text)]
    assert [] == [header for header in IDENTITY if header not in text.lower()]


ASKING = Asking(trust=Trust([]), ip_header="x-forwarded-for", preflight=True)


@pytest.mark.parametrize("name", ["nginx", "envoy", "haproxy", "traefik"])
def test_every_example_hands_on_all_that_the_gate_reads(name: str) -> None:
    """Caddy hands on all there is."""
    text = "".join((EXAMPLES / name / file).read_text("utf-8") for file in FILES[name]).lower()
    # Envoy's own defaults, and what Traefik always says of itself.
    own = {"envoy": {b"authorization"}, "traefik": {b"x-forwarded-for"}}.get(name, set())
    methods = {mount.method_header for mount in MOUNTS if mount.method_header}
    wanted = Questions(ASKING).wanted - methods - own

    assert [] == [header for header in wanted if header.decode() not in text]


def test_nginx_keys_its_cache_by_all_that_a_verdict_varies_by() -> None:
    """As nginx knows it: the address and the method are its own, not what a client sent."""
    text = (EXAMPLES / "nginx/tokenhouse.conf").read_text("utf-8")
    key = next(line for line in text.splitlines() if "proxy_cache_key" in line)
    answers = Answers(ASKING, staleness_s=5)
    vary = dict(answers.deny(Missing.NONE, NGINX)[1])[b"vary"].decode().lower().split(", ")
    own = {"x-forwarded-for": "$remote_addr", "x-original-method": "$request_method"}

    expected = {own.get(name, "$http_" + name.replace("-", "_")) for name in vary}
    assert expected == set(key.split()[1].rstrip(";").split("|"))
    most = Answers(replace(ASKING, cookie=True), staleness_s=5)
    kept = dict(most.allow(Verdict(word=Word.OK), NGINX)[1])[b"vary"]
    assert len(kept) <= 128, "nginx keeps nothing with a longer Vary"
