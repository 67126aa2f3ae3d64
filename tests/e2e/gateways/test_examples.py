"""The shipped examples beside what the service itself says of its paths and headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.config.sections import DIALECTS
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
