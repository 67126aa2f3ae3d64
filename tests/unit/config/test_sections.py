"""The whole config: its defaults, and what does not go together."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path

import pytest

from service.config import DIALECTS, Config, load
from service.errors import ConfigError

KEY = "0123456789abcdef" * 4
SHARED = {"store.url": "redis://localhost:6379/0", "secret.keys": [KEY]}


def fault(**given: object) -> str:
    """What is said about a config with *given* (``server__port=…``)."""
    with pytest.raises(ConfigError) as caught:
        load(env={}, overrides={key.replace("__", "."): value for key, value in given.items()})
    return str(caught.value)


def test_the_defaults_serve_on_loopback_from_memory():
    """Without any file the service is complete, and out of reach of other machines."""
    config = Config()

    assert ("127.0.0.1", 8000, 1) == (config.server.host, config.server.port, config.server.workers)
    assert config.in_memory
    assert () == config.secret.keys
    assert ("tower", "netbox", "nautobot", "puppet", "oauth") == config.dialects.enabled
    assert (60_000, 150, 65_536) == (
        config.last_used.interval,
        config.store.timeout,
        config.server.max_body,
    )


def test_a_bare_config_does_not_look_around(monkeypatch: pytest.MonkeyPatch):
    """Without ``load`` the environment of the process has no say."""
    monkeypatch.setenv("TOKENHOUSE_SERVER__PORT", "1")
    monkeypatch.setenv("SERVER", '{"port": 1}')

    assert 8000 == Config().server.port


def test_a_node_is_called_by_host_and_port():
    """A node without a name of its own is told apart by where it listens."""
    config = load(env={}, overrides={"server.port": 8001})

    assert f"{socket.gethostname()}:8001" == config.server.node


def test_a_node_keeps_the_name_it_is_given():
    """A name in the config is not touched."""
    assert "web-3" == load(env={}, overrides={"server.node": "web-3"}).server.node


def test_a_node_of_a_wrong_port_is_not_a_second_fault():
    """One mistake is one line."""
    assert 1 == len(fault(server__port=-1).splitlines())


def test_a_shared_store_needs_a_secret():
    """Nodes that share a store have to share what tokens are derived from."""
    found = fault(store__url="redis://localhost")

    assert "secret.keys: a shared store needs a key of 32 bytes or more" in found


def test_a_shared_store_with_a_secret_is_fine():
    """With a key several processes may share it."""
    config = load(env={}, overrides={**SHARED, "server.workers": 4, "store.wait_replicas": 1})

    assert not config.in_memory
    assert [KEY.encode()] == [key.value for key in config.secret.keys]


def test_memory_is_one_process_without_replicas():
    """A store in the process cannot be shared, and the error says what was given."""
    lines = fault(server__workers=2, store__wait_replicas=1).splitlines()

    assert [
        "server.workers: 2 is too many: memory:// is one process (from command line)",
        "store.wait_replicas: memory:// has no replicas, only 0 is possible (from command line)",
    ] == lines


def test_argon2_gets_eight_kibibytes_a_lane():
    """What Argon2 would refuse at the first login is refused at once."""
    found = fault(login__argon2_parallelism=2, login__argon2_memory="8KiB")

    assert 'login.argon2_memory: "8KiB" is not 16KiB or more, 8KiB for each lane' in found


@pytest.mark.parametrize("prefix", ["{a}", "a b", "x" * 65, "ä", "a\n"])
def test_a_key_prefix_has_no_brace_and_no_blank(prefix: str):
    """A brace would move every key to one slot, and a blank would break an ACL line."""
    assert "store.prefix" in fault(store__prefix=prefix)


def test_a_trusted_proxy_is_a_network():
    """What is no network is named, with the place it came from."""
    assert (
        'server.trusted_proxies: "proxy.example" is not an address or a CIDR '
        '(as "10.0.0.0/8" or "::1") (from command line)'
    ) == fault(server__trusted_proxies=["10.0.0.0/8", "proxy.example"])


def test_the_offered_dialects_are_the_folders_there_are():
    """A word in the config always has a folder behind it."""
    folders = Path(__file__).parents[3] / "service" / "dialects"

    assert set(DIALECTS) == {
        path.name for path in folders.iterdir() if path.is_dir() and path.name[0] not in "_."
    }


def test_a_dialect_that_is_not_there_is_refused():
    """The error lists those that are."""
    assert '"acme" is not one of tower' in fault(dialects__enabled="tower,acme")


def test_a_config_goes_to_another_process_whole():
    """Worker processes get the same config, secrets included."""
    config = load(env={}, overrides=SHARED)

    assert config == pickle.loads(pickle.dumps(config))


def test_a_config_never_shows_a_secret():
    """Neither a key nor the store's password is in its text."""
    config = load(env={}, overrides={**SHARED, "store.url": "redis://u:hunter2@h"})

    for text in (repr(config), str(config), str(config.model_dump()), config.model_dump_json()):
        assert KEY not in text
        assert "hunter2" not in text


CERT = {"server__ssl_certfile": "/c"}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"server__ssl_keyfile": "/k"}, "server.ssl_keyfile: means nothing without ssl_certfile"),
        ({"server__ssl_ca": "/a"}, "server.ssl_ca: means nothing without ssl_certfile"),
        (
            {"server__client_certs": "required"},
            'server.client_certs: "required" means nothing without ssl_certfile',
        ),
        (
            {**CERT, "server__client_certs": "optional"},
            'server.client_certs: "optional" needs ssl_ca, the CAs to believe',
        ),
        (
            {**CERT, "server__ssl_ca": "/a"},
            'server.ssl_ca: means nothing while client_certs is "none"',
        ),
    ],
)
def test_settings_of_tls_come_together(given: dict[str, object], line: str):
    """What would silently do nothing, or let nobody in, is an error."""
    assert f"{line} (from command line)" == fault(**given)


def test_tls_alone_and_with_clients_is_fine():
    """The files are looked at by who uses them: other commands run without their key."""
    alone = load(env={}, overrides={"server.ssl_certfile": "/c"}).server
    clients = {"server.ssl_ca": "/a", "server.client_certs": "optional"}
    both = load(env={}, overrides={"server.ssl_certfile": "/c", **clients}).server

    assert ("/c", "", "", "none") == (
        alone.ssl_certfile,
        alone.ssl_keyfile,
        alone.ssl_ca,
        alone.client_certs,
    )
    assert "optional" == both.client_certs
