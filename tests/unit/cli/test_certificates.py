"""What ``doctor`` finds about certificates and their keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.certs import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA of this test's own."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def found(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Examines a node that is served with *pair*; gives status and the lines about it."""

    def examine(pair: Pair, **more: str) -> tuple[int, list[str]]:
        given = {name.upper(): value for name, value in more.items()}
        settings = {f"TOKENHOUSE_SERVER__{name}": value for name, value in given.items()}
        for name, value in {**pair.settings, **settings}.items():
            monkeypatch.setenv(name, value)
        result = terminal("doctor")
        return result.exit_code, [
            line for line in result.stdout.splitlines() if " server.ssl" in line
        ]

    return examine


def test_no_certificate_is_fine(terminal: Any) -> None:
    """TLS may be the business of a proxy."""
    line = "ok   server.ssl_certfile: none: connections are not encrypted here\n"

    assert line in terminal.ok("doctor")


def test_a_good_certificate_says_when_it_ends(found: Any, authority: Authority) -> None:
    """And the CA of the clients too."""
    status, lines = found(authority.server(), ssl_ca=str(authority.file), client_certs="optional")

    assert 0 == status
    assert ["ok", "ok", "ok"] == [line.split()[0] for line in lines]
    assert "ok   server.ssl_keyfile: is closed to other users" == lines[-1]
    assert lines[0].startswith("ok   server.ssl_certfile: ends on 2")
    assert lines[1].startswith("ok   server.ssl_ca: ends on 2")


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (14.1, "ok", ""),
        (13.9, "warn", " (days left: 13)"),
        (0.5, "warn", " (days left: 0)"),
        (-0.5, "FAIL", "ended on "),
    ],
)
def test_a_certificate_that_ends_soon_is_a_warning(
    found: Any, authority: Authority, days: float, level: str, words: str
) -> None:
    """In time to renew it; one that has ended is a failure."""
    status, (line, _) = found(authority.server(days=days))

    assert (level == "FAIL") == (status == 1)
    assert level == line.split()[0]
    assert words in line


def test_a_key_that_others_can_read_is_a_warning(found: Any, authority: Authority) -> None:
    """A group may: that is how some distributions share keys."""
    pair = authority.server()
    pair.key.chmod(0o640)

    assert "ok" == found(pair)[1][-1].split()[0]

    pair.key.chmod(0o644)
    status, lines = found(pair)

    assert 0 == status
    assert f"warn server.ssl_keyfile: {pair.key} can be read by every user" in lines[-1]


def test_files_that_cannot_be_used_are_a_failure(found: Any, authority: Authority) -> None:
    """In the words of the error that would keep the node from starting."""
    pair, other = authority.server(), authority.server("other")
    status, lines = found(Pair(pair.certificate, other.key))

    assert 1 == status
    assert [
        f"FAIL server.ssl_keyfile: {other.key} does not belong to the certificate in "
        f"{pair.certificate}"
    ] == lines
