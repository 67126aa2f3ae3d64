"""HAProxy's own trap: a script that fails stops nothing by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.gateways import gateways
from tests.e2e.gateways.conftest import World, front_of

BREAKS = {
    "before it asks": ("local verdict =", "local nothing = nil .. txn\n  local verdict ="),
    "with the answer": ("if status == 200 then", "if status == 200 then\n    nothing()"),
    "without a word": ("local verdict =", "do return end\n  local verdict ="),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_script_that_fails_lets_nothing_through(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """503 for a good token too; the open routes stay open."""
    script = (gateways.EXAMPLES / "haproxy/tokenhouse.lua").read_text("utf-8")
    broken = tmp_path / "tokenhouse.lua"
    assert 1 == script.count(BREAKS[how][0])
    broken.write_text(script.replace(*BREAKS[how]))
    monkeypatch.setattr(gateways, "SCRIPT", broken)
    front = front_of("haproxy", tmp_path / "haproxy", world)
    try:
        before = world.application.requests
        asked = front.home.ask(front.fate("never ends"))
        opened = front.home.http.post("/api/v2/authtoken/", json={})
    finally:
        front.stop()

    assert (503, "1") == (asked.status, asked.headers["retry-after"])
    assert before == world.application.requests
    assert 400 == opened.status_code
