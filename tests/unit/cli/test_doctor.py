"""``tokenhouse doctor``: its lines, its exit status, and that it never falls ill itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import StoreDown
from tests.servers import free_port

HEALTHY = {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def test_a_healthy_store_is_ok_in_every_line(
    unborn: Any, monkeypatch: pytest.MonkeyPatch, server_factory: Any
) -> None:
    """The exit status is 0."""
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", server_factory(conf=HEALTHY).url)
    unborn.ok("store", "init")

    lines = unborn.ok("doctor").splitlines()

    assert ["ok"] * len(lines) == [line.split()[0] for line in lines]
    assert "ok   redis: verify runs" in lines
    assert "ok   secret.keys: 1 in force, the first makes new tokens" in lines


def test_a_failure_is_loud_and_one(run: Any) -> None:
    """A store without persistence forgets revocations."""
    result = run("doctor")

    assert 1 == result.exit_code
    assert "\nFAIL persistence: " in result.stdout


def test_a_store_that_is_not_set_up_fails(unborn: Any) -> None:
    """The line says what to run."""
    result = unborn("doctor")

    assert 1 == result.exit_code
    assert "FAIL set-up: not set up: run tokenhouse store init\n" in result.stdout


def test_a_store_that_is_away_fails(unborn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the config alone tells is told all the same."""
    monkeypatch.setenv("TOKENHOUSE_STORE__URL", f"redis://127.0.0.1:{free_port()}/0")

    result = unborn("doctor")

    assert (1, "") == (result.exit_code, result.stderr)
    assert "FAIL redis: verify cannot run: unreachable\n" in result.stdout
    assert "ok   secret.keys: " in result.stdout


def test_a_store_that_goes_away_meanwhile_fails(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examination ends with a finding, not with a traceback."""

    async def gone(_: object) -> None:
        raise StoreDown("timeout")

    monkeypatch.setattr("service.store.setup.Setup.examine", gone)

    result = run("doctor")

    assert 1 == result.exit_code
    assert "FAIL redis: went away under examination: timeout\n" in result.stdout


def test_the_embedded_store_is_a_warning_and_no_failure(terminal: Any) -> None:
    """It is what it is: good for a try."""
    text = terminal.ok("doctor")

    assert "warn persistence: embedded store: nothing survives a restart" in text
    assert "ok   secret.keys: none, so a random one" in text
    assert "ok   server.trusted_proxies: none: " in text


def test_a_login_without_a_guard_is_a_warning(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else slows down guessing."""
    monkeypatch.setenv("TOKENHOUSE_LOGIN__ATTEMPTS", "0")
    monkeypatch.setenv("TOKENHOUSE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1")

    text = terminal.ok("doctor")

    assert "warn login.attempts: 0: nothing slows down the guessing of passwords\n" in text
    assert "ok   server.trusted_proxies: 10.0.0.0/8, ::1/128\n" in text


def test_a_lock_out_that_revokes_is_a_warning(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can have anybody revoked."""
    monkeypatch.setenv("TOKENHOUSE_LOGIN__PUPPET_LOCKOUT", "revoke")

    assert "warn login.puppet_lockout: revoke: whoever knows a name" in terminal.ok("doctor")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "warn {}: nobody can show a certificate: "),
        ({"DIALECTS__PUPPET__CERT_HEADER": "x-dn"}, "warn {}: cert_header is believed from "),
        (
            {"DIALECTS__PUPPET__CERT_HEADER": "x-dn", "SERVER__TRUSTED_PROXIES": "10.0.0.1"},
            "ok   {}: 2 may do everything, as api_user\n",
        ),
    ],
)
def test_a_list_of_certificates_must_be_of_use(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    """Where nobody can show one, the list was written in vain."""
    monkeypatch.setenv("TOKENHOUSE_DIALECTS__PUPPET__CERT_ALLOWLIST", "a.example,b.example")
    for name, value in settings.items():
        monkeypatch.setenv(f"TOKENHOUSE_{name}", value)

    assert said.format("dialects.puppet.cert_allowlist") in terminal.ok("doctor")


def test_json_has_every_finding(run: Any) -> None:
    """The same findings as in text, with the same exit status."""
    result = run("doctor", "--json")
    findings = json.loads(result.stdout)

    assert 1 == result.exit_code
    assert [["level", "subject", "text"]] * len(findings) == [list(each) for each in findings]
    assert [each["subject"] for each in findings] == [
        line.split()[1].rstrip(":") for line in run("doctor").stdout.splitlines()
    ]


def test_a_wrong_config_is_two(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is examined under a config that is not sound."""
    monkeypatch.setenv("TOKENHOUSE_SERVER__PORT", "x")

    result = terminal("doctor")

    assert (2, "") == (result.exit_code, result.stdout)
