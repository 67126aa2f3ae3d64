"""What ``doctor`` and ``serve`` find about the certificates of this node."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from service.config import Config
from service.errors import ConfigError
from service.store.setup import Finding
from service.tls import Tls

DAY_S = 86_400
SOON_DAYS = 14
"""A certificate that ends within this many days is one to renew now."""


def tls_of(config: Config) -> Tls | None:
    """How *config* has TLS; None for plain HTTP."""
    server = config.server
    if not server.ssl_certfile:
        return None
    return Tls(
        certfile=server.ssl_certfile,
        keyfile=server.ssl_keyfile,
        ca=server.ssl_ca,
        client_certs=server.client_certs,
        handshake_s=server.header_timeout / 1000,
        parting_s=server.body_timeout / 1000,
    )


def of_certificates(config: Config) -> Iterator[Finding]:
    """Files that cannot be used, ends that are near, and a key that others can read."""
    tls = tls_of(config)
    if tls is None:
        yield Finding("ok", "server.ssl_certfile", "none: connections are not encrypted here")
        return
    try:
        tls.context()
        ends = tls.ends()
    except ConfigError as error:
        setting, _, text = str(error).partition(": ")
        yield Finding("fail", setting, text)
        return
    now = time.time()  # noqa: TID251 - what counts here is what OpenSSL compares with
    for setting, end in ends.items():
        yield _ending(setting, end, int(now))
    yield _guarded(Path(tls.keyfile or tls.certfile))


def _ending(setting: str, end_s: int, now_s: int) -> Finding:
    left_s = end_s - now_s
    day = time.strftime("%Y-%m-%d", time.gmtime(end_s))
    if left_s <= 0:
        return Finding("fail", setting, f"ended on {day}")
    if left_s < SOON_DAYS * DAY_S:
        return Finding("warn", setting, f"ends on {day} (days left: {left_s // DAY_S})")
    return Finding("ok", setting, f"ends on {day}")


def _guarded(key: Path) -> Finding:
    if key.stat().st_mode & stat.S_IROTH:
        text = f"{key} can be read by every user of this machine: chmod o= it"
        return Finding("warn", "server.ssl_keyfile", text)
    return Finding("ok", "server.ssl_keyfile", "is closed to other users")
