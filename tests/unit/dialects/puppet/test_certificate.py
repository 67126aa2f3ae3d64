"""Client certificates: which names are read from where, and which make api_user."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from service.config.sections import Puppet
from service.core.address import Trust
from service.dialects.puppet.certificate import is_api_user
from tests.unit.dialects.puppet.maker import CONSOLE

PROXY, STRANGER = "10.0.0.1", "192.0.2.1"
TRUST = Trust([ip_network("10.0.0.0/8")])
HEADER = "x-client-dn"


def ask(
    *,
    peer: str = STRANGER,
    shown: str | None = None,
    sent: list[str] | None = None,
    header: str = "",
    allowed: list[str] | None = None,
) -> bool:
    """Whether a request is api_user's: *shown* on its connection, *sent* in headers."""
    raw = [(HEADER.encode(), value.encode("latin-1")) for value in sent or []]
    scope: dict[str, Any] = {"client": (peer, 1), "extensions": {}, "headers": raw}
    if shown is not None:
        scope["extensions"]["tls"] = {"client_cert_name": shown or None}
    puppet = Puppet(cert_allowlist=[CONSOLE] if allowed is None else allowed, cert_header=header)
    return is_api_user(scope, puppet, TRUST)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (f"CN={CONSOLE}", True),
        (f"CN={CONSOLE},O=Example", True),
        (f"O=Example,CN={CONSOLE}", True),
        (f"cn={CONSOLE}", True),
        (f"O=Example, CN={CONSOLE}", True),
        (CONSOLE, True),
        (f"CN={CONSOLE}+OU=x", True),
        ("", False),
        ("CN=other.example.org", False),
        (f"CN={CONSOLE.upper()}", False),
        (f"CN={CONSOLE}.evil.example", False),
        (f"CN=evil\\,CN={CONSOLE}", False),
        (f"CN=evil\\2cCN={CONSOLE}", False),
        (f"O={CONSOLE}", False),
        (f"O=x\\,CN={CONSOLE}", False),
        (f'O="x,CN={CONSOLE},y"', False),
        (f"CN=evil,CN={CONSOLE}", False),
        (f"CN={CONSOLE};O=x", False),
        (f"CN={CONSOLE}\\", False),
        (f"CN={CONSOLE}\\ ", False),
        (f"/CN={CONSOLE}", False),
    ],
)
def test_a_certificate_is_known_by_its_common_name(subject: str, expected: bool):
    """The one it has, compared exactly, and never a part of something else."""
    assert expected == ask(shown=subject)
    assert expected == ask(peer=PROXY, sent=[subject], header=HEADER)


def test_nobody_is_allowed_by_default():
    """And a connection without TLS, or without a certificate, says nothing."""
    assert not ask(shown=f"CN={CONSOLE}", allowed=[])
    assert not ask()
    assert not ask(shown="")


@pytest.mark.parametrize("entry", [f"CN={CONSOLE},O=Example", f"/O=Example/CN={CONSOLE}"])
def test_a_whole_subject_can_be_allowed(entry: str):
    """In whatever spelling the proxy has."""
    assert ask(shown=entry, allowed=[entry])
    assert ask(peer=PROXY, sent=[entry], header=HEADER, allowed=[entry])
    assert not ask(shown=f"CN={CONSOLE}", allowed=[entry])


def test_a_header_counts_from_trusted_proxies_alone():
    """And only the one that is configured, sent once."""
    name = f"CN={CONSOLE}"

    assert ask(peer=PROXY, sent=[name], header=HEADER)
    assert not ask(peer=STRANGER, sent=[name], header=HEADER)
    assert not ask(peer=PROXY, sent=[name], header="")
    assert not ask(peer=PROXY, sent=[name], header="x-other")
    assert not ask(peer=PROXY, sent=[name, name], header=HEADER)
    assert not ask(peer=PROXY, sent=[""], header=HEADER)


def test_what_a_proxy_shows_for_itself_says_nothing_of_its_clients():
    """Where it names them in a header; a stranger's own certificate still counts."""
    name = f"CN={CONSOLE}"

    assert not ask(peer=PROXY, shown=name, sent=[], header=HEADER)
    assert not ask(peer=PROXY, shown=name, sent=["CN=other"], header=HEADER)
    assert ask(peer=PROXY, shown=name)
    assert ask(peer=STRANGER, shown=name, header=HEADER)
