"""``tokenhouse serve``: what it hands on, what it says first, and how it refuses to start."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.config import load
from service.tls import Tls
from tests.certs import Authority
from tests.servers import Server, free_port

NAMES = ("HOST", "PORT", "WORKERS", "SSL_CERTFILE", "SSL_KEYFILE", "SSL_CA", "CLIENT_CERTS")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("CONFIG", *(f"SERVER__{name}" for name in NAMES)):
        monkeypatch.setenv(f"TOKENHOUSE_{name}", "")  # noted, so that it is put back
        monkeypatch.delenv(f"TOKENHOUSE_{name}")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``serve.run`` was called with; it returns at once."""
    call: dict[str, Any] = {}

    def run(app: str, **options: Any) -> None:
        call.update(app=app, **options)

    monkeypatch.setattr("service.cli.serve.run", run)
    return call


def said(text: str) -> list[tuple[str, str]]:
    """(level, message) of each line of a JSON log."""
    return [(each["level"], each["message"]) for each in map(json.loads, text.splitlines())]


def test_the_options_reach_the_server_and_the_application(
    terminal: Any, served: dict[str, Any], tmp_path: Path
) -> None:
    """The application loads its config by itself, in other processes too."""
    file = tmp_path / "house.toml"
    file.write_text(
        '[server]\nport = 1\ndrain_timeout = "1500ms"\n'
        f'[store]\nurl = "redis://127.0.0.1:{free_port()}"\n'
        f'[secret]\nkeys = ["{"k" * 32}"]\n[log]\nlevel = "warning"\n'
    )

    options = ("--host", "::1", "--port", "8123", "--workers", "3")
    terminal.ok("serve", "--config", str(file), *options)
    server = load().server

    assert ("service.app:create", "::1", 8123, 3, 2) == tuple(
        served[name] for name in ("app", "host", "port", "workers", "drain_timeout_s")
    )
    assert ("::1", 8123, 3) == (server.host, server.port, server.workers)
    assert str(file) == os.environ["TOKENHOUSE_CONFIG"]
    assert "WARNING" == served["log_config"]["root"]["level"]


def test_the_options_of_tls_reach_the_server_and_the_application(
    terminal: Any, served: dict[str, Any], tmp_path: Path
) -> None:
    """With the deadlines of the connections; without a certificate there is no TLS."""
    authority = Authority(tmp_path)
    certificate, key = authority.server().files
    terminal.ok("serve")

    assert served["tls"] is None

    terminal.ok("serve", "--ssl-certfile", certificate, "--ssl-keyfile", key,
                "--ssl-ca", str(authority.file), "--client-certs", "optional")  # fmt: skip

    assert (
        Tls(
            certfile=certificate,
            keyfile=key,
            ca=str(authority.file),
            client_certs="optional",
            handshake_s=10,
            parting_s=30,
        )
        == served["tls"]
    )
    assert certificate == load().server.ssl_certfile
    assert "optional" == load().server.client_certs


def test_a_certificate_that_cannot_be_used_is_two(terminal: Any) -> None:
    """The last line says which file and why."""
    result = terminal("serve", "--port", "0", "--ssl-certfile", "/no/such")

    assert 2 == result.exit_code
    line = "server.ssl_certfile: /no/such cannot be read: No such file or directory"
    assert line == result.stderr.splitlines()[-1]


def test_a_certificate_that_is_about_to_end_is_announced(
    terminal: Any, served: dict[str, Any], tmp_path: Path
) -> None:
    """Not only to those who ask the doctor."""
    certificate, key = Authority(tmp_path).server(days=3.5).files

    result = terminal("serve", "--ssl-certfile", certificate, "--ssl-keyfile", key)

    (warned,) = [text for level, text in said(result.stderr) if "ssl_certfile" in text]
    assert warned.endswith(" (days left: 3)")


def test_port_zero_is_a_free_port_that_the_application_knows(
    terminal: Any, served: dict[str, Any]
) -> None:
    """The address it tells people is one they can call."""
    terminal.ok("serve", "--port", "0")

    assert 0 < served["port"] == load().server.port
    assert load().server.node.endswith(f":{served['port']}")


def test_the_embedded_store_is_announced_loudly(terminal: Any, served: dict[str, Any]) -> None:
    """Nobody shall find out at the first restart."""
    result = terminal("serve")

    assert [
        ("info", "store: memory://"),
        ("info", "dialects: tower, netbox, nautobot, puppet, oauth"),
        ("warning", "THE STORE IS IN THIS PROCESS: nothing survives a restart, no user, no token"),
    ] == said(result.stderr)
    assert "" == result.stdout


def test_what_is_unwise_is_said_before_it_is_served(
    terminal: Any, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And served all the same."""
    monkeypatch.setenv("TOKENHOUSE_LOGIN__PUPPET_LOCKOUT", "revoke")

    result = terminal("serve")

    (line,) = [text for level, text in said(result.stderr) if text.startswith("login.")]
    assert line.startswith("login.puppet_lockout: revoke: ")


def test_a_shared_store_is_examined_first(
    run: Any, served: dict[str, Any], redis_server: Server
) -> None:
    """What doctor calls a failure is an error in the log, and no reason not to start."""
    lines = said(run("serve").stderr)

    assert ("info", f"store: {redis_server.url}") == lines[0]
    assert any(line[0] == "error" and line[1].startswith("persistence: ") for line in lines)
    assert served


def test_a_store_that_is_away_does_not_stop_the_start(
    unborn: Any, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come back, and then this node works; the password in its address is not shown."""
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", url)

    result = unborn("serve")

    assert ("error", "redis: verify cannot run: unreachable") == said(result.stderr)[-1]
    assert "hunter2" not in result.output
    assert served


def test_text_lines_are_for_people(
    terminal: Any, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As [log] has it."""
    monkeypatch.setenv("TOKENHOUSE_LOG__FORMAT", "text")

    assert " info    service.cli.serve: store: memory://\n" in terminal("serve").stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--workers", "2"), "memory:// is one process"),
        (("--port", "70000"), "server.port: "),
        (("--port", "x"), "'x' is not a valid integer"),
        (("--host", "a b"), "server.host: "),
        (("--config", "/no/such/file"), "config file /no/such/file cannot be read"),
        (("--ssl-keyfile", "k"), "server.ssl_keyfile: means nothing without ssl_certfile"),
        (("--client-certs", "maybe"), 'server.client_certs: "maybe" is not one of none, '),
    ],
)
def test_a_wrong_setting_is_two(
    terminal: Any, served: dict[str, Any], args: tuple[str, ...], words: str
) -> None:
    """Nothing is served."""
    result = terminal("serve", *args)

    assert (2, "", {}) == (result.exit_code, result.stdout, served)
    assert words in result.stderr


def test_an_address_that_cannot_be_had_is_two(terminal: Any) -> None:
    """The last line names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = terminal("serve", "--port", str(port))

    assert 2 == result.exit_code
    line = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert line == result.stderr.splitlines()[-1]


@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_of_the_server_is_passed_on(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """An application that cannot start is told from a wrong config."""

    def run(app: str, **options: Any) -> None:
        raise SystemExit(status)

    monkeypatch.setattr("service.cli.serve.run", run)

    assert status == terminal("serve").exit_code


def test_a_free_port_on_an_address_that_is_not_ours_is_two(terminal: Any) -> None:
    """Also before the server is called."""
    result = terminal("serve", "--host", "192.0.2.1", "--port", "0")

    assert (2, True) == (result.exit_code, "cannot listen on 192.0.2.1:0" in result.stderr)
