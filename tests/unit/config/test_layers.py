"""File, environment and command line: which wins, what is odd, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from service.config import Config, config_file, knobs, load, trace
from service.errors import ConfigError

Write = Callable[[str], str]
KEY = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a config file, and get its name."""

    def writer(text: str) -> str:
        path = tmp_path / "house.toml"
        path.write_text(text)
        return str(path)

    return writer


def faults(
    path: str | None = None,
    env: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> list[str]:
    """The lines that are said about a faulty config."""
    with pytest.raises(ConfigError) as caught:
        load(path, env or {}, overrides)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "a chained error could show what was given"
    return str(caught.value).splitlines()


def test_nothing_given_is_all_defaults():
    """Without file, variable and option every value is the default."""
    config, origins = trace(env={})

    assert Config() == config
    assert {"default"} == set(origins.values())
    assert set(knobs()) == set(origins)


def test_each_layer_wins_over_the_one_below(write: Write):
    """The command line stands over the environment, and that over the file."""
    file = write("[server]\nport = 1\nworkers = 1\nhost = 'a'\n[gate]\ncookie = true")
    env = {"TOKENHOUSE_SERVER__PORT": "2", "TOKENHOUSE_SERVER__HOST": "b"}

    config, origins = trace(file, env, {"server.port": 3})

    assert (3, "b", True) == (config.server.port, config.server.host, config.gate.cookie)
    assert {
        "server.port": "command line",
        "server.host": "TOKENHOUSE_SERVER__HOST",
        "server.workers": file,
        "gate.cookie": file,
        "gate.query": "default",
    }.items() <= origins.items()


def test_an_option_that_was_not_given_does_not_count():
    """None on the command line leaves what the other layers say."""
    assert 8000 == load(env={}, overrides={"server.port": None}).server.port


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("TOKENHOUSE_POLICY__TOWER__IDLE", "15m", lambda c: c.policy.tower.idle == 900_000),
        (
            "TOKENHOUSE_DIALECTS__TOWER__AUTH_BASIC",
            "false",
            lambda c: not c.dialects.tower.auth_basic,
        ),
        ("TOKENHOUSE_LAST_USED__INTERVAL", "5", lambda c: c.last_used.interval == 5_000),
        (
            "TOKENHOUSE_SERVER__TRUSTED_PROXIES",
            '["10.0.0.0/8"]',
            lambda c: c.server.trusted_proxies == (ip_network("10.0.0.0/8"),),
        ),
        ("TOKENHOUSE_SERVER__TRUSTED_PROXIES", "", lambda c: c.server.trusted_proxies == ()),
    ],
)
def test_every_knob_has_a_variable(name: str, value: str, read: Callable[[Config], bool]):
    """Sections of any depth are reached with two underscores."""
    assert read(load(env={name: value}))


def test_the_process_environment_is_the_default_one(monkeypatch: pytest.MonkeyPatch):
    """Without an environment given, that of the process counts."""
    monkeypatch.setenv("TOKENHOUSE_SERVER__PORT", "8123")

    assert 8123 == load().server.port


def test_the_file_is_the_one_named_then_the_variables_then_the_local_one(tmp_path: Path):
    """Three places are looked at in order, and no file is fine."""
    assert config_file(None, {}) is None
    (tmp_path / "tokenhouse.toml").write_text("[server]\nport = 5")
    env = {"TOKENHOUSE_CONFIG": "b.toml"}

    assert "./tokenhouse.toml" == config_file(None, {})
    assert "./tokenhouse.toml" == config_file(None, {"TOKENHOUSE_CONFIG": ""})
    assert "b.toml" == config_file(None, env)
    assert "a.toml" == config_file("a.toml", env)
    assert 5 == load(env={}).server.port


def test_a_file_that_was_named_has_to_be_there():
    """A missing file is an error and not a run on defaults."""
    assert ["config file gone.toml cannot be read: No such file or directory"] == faults(
        "gone.toml"
    )
    assert faults("gone.toml") == faults(env={"TOKENHOUSE_CONFIG": "gone.toml"})


def test_a_file_that_is_no_toml_is_named_with_the_place(write: Write):
    """The error has the line, and nothing of what stands there."""
    (line,) = faults(write("[secret]\nkeys = [hunter2hunter2]"))

    assert "it is not TOML" in line
    assert "line 2" in line
    assert "hunter2" not in line


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    """Bytes that are not UTF-8 are an error in one line."""
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")

    assert ["config file x.toml cannot be read: it is not UTF-8"] == faults("x.toml")


def test_a_folder_is_no_file(tmp_path: Path):
    """A folder in place of the file is an error in one line."""
    assert [f"config file {tmp_path} cannot be read: Is a directory"] == faults(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nprot = 1", "server.prot: no such setting; did you mean server.port?"),
        ("[polcy.tower]\nidle = 1", "polcy: no such setting"),
        ("[policy.saml]\n", "policy.saml: no such setting"),
        ("[policy.tower]\nlifetime = 1", "policy.tower.lifetime: no such setting"),
        ("[audit]", "audit: no such setting"),
        ("server = 1", "server: this is a section, not a setting"),
        ("[server.port]\na = 1", "server.port: "),
        ('"a\\nb" = 1', "'a\\nb': no such setting"),
    ],
)
def test_an_unknown_key_in_the_file_is_an_error(write: Write, text: str, expected: str):
    """A slip of the pen does not quietly leave a default in force."""
    (line,) = faults(write(text))

    assert line.startswith(expected)
    assert "house.toml)" in line


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TOKENHOUSE_SERVER__PRT", "; did you mean TOKENHOUSE_SERVER__PORT?"),
        ("TOKENHOUSE_SERVER_PORT", "; did you mean TOKENHOUSE_SERVER__PORT?"),
        ("TOKENHOUSE_server__port", ""),
        ("TOKENHOUSE_PORT", ""),
        ("TOKENHOUSE_", ""),
    ],
)
def test_an_unknown_variable_is_an_error(name: str, expected: str):
    """A variable that looks like ours and is not is named, without its value."""
    (line,) = faults(env={name: "hunter2"})

    assert line.startswith(f"{name}: no such setting{expected}")
    assert "hunter2" not in line


def test_other_peoples_variables_are_left_alone():
    """Only names that begin with ours are looked at."""
    assert Config() == load(env={"SERVER__PORT": "1", "TOKENHOUSES": "1", "PORT": "1"})


def test_what_kubernetes_puts_into_a_pod_is_no_setting():
    """A service called tokenhouse puts variables with our prefix into every pod beside it."""
    links = {
        "TOKENHOUSE_SERVICE_HOST": "10.0.0.1",
        "TOKENHOUSE_SERVICE_PORT": "80",
        "TOKENHOUSE_SERVICE_PORT_HTTP": "80",
        "TOKENHOUSE_PORT": "tcp://10.0.0.1:80",
        "TOKENHOUSE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "TOKENHOUSE_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.2"}

    assert Config() == load(env={**pod, **links})
    assert len(links) == len(faults(env=links))
    assert 1 == len(faults(env={**pod, "TOKENHOUSE_PORT": "8000"}))


def test_an_unknown_override_is_an_error():
    """A wrong key from the command line is a mistake like any other."""
    assert ["server.prt: no such setting; did you mean server.port? (from command line)"] == faults(
        overrides={"server.prt": 1}
    )


def test_a_wrong_value_is_one_line_with_key_value_range_and_place(write: Write):
    """The line has all that is needed to mend it."""
    assert [
        'policy.tower.idle: "soon" is not a duration ("150ms", "30s", "12h") within 1s to 1y '
        "(from TOKENHOUSE_POLICY__TOWER__IDLE)"
    ] == faults(env={"TOKENHOUSE_POLICY__TOWER__IDLE": "soon"})
    file = write("[server]\nport = 70000")
    assert [f"server.port: 70000 is not a whole number within 0 to 65535 (from {file})"] == faults(
        file
    )


def test_every_fault_is_said_at_once(write: Write):
    """A file is mended in one go: unknown keys and wrong values, from all layers."""
    file = write("[server]\nport = 'x'\nprt = 1\n[log]\nlevel = 'loud'")

    lines = faults(file, {"TOKENHOUSE_GATE__COOKIE": "maybe", "TOKENHOUSE_X": "1"})

    assert {"server.prt", "TOKENHOUSE_X", "server.port", "log.level", "gate.cookie"} == {
        line.partition(":")[0] for line in lines
    }


def test_a_value_from_nowhere_is_never_a_line_break():
    """A value with line ends in it stays on its line."""
    assert 1 == len(faults(env={"TOKENHOUSE_LOG__LEVEL": "a\nb\r\u2028c"}))


def test_a_secret_is_read_through_a_variable():
    """A reference in the file is resolved in the environment that was given."""
    overrides = {"secret.keys": ["env:KEY"], "store.url": "redis://h"}

    assert KEY.encode() == load(env={"KEY": KEY}, overrides=overrides).secret.keys[0].value


@pytest.mark.parametrize("name", ["TOKENHOUSE_SECRET__KEYS", "TOKENHOUSE_SECRET__KEY"])
def test_a_wrong_secret_is_not_repeated(name: str):
    """Neither a key that is too short nor one under a wrong name is in the error."""
    (line,) = faults(env={name: "hunter2"})

    assert "hunter2" not in line


def test_a_knob_knows_its_variable():
    """Dots become two underscores, and everything is upper case."""
    assert "TOKENHOUSE_POLICY__TOWER__BIND_IP" == knobs()["policy.tower.bind_ip"].env
