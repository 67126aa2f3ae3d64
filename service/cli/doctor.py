"""``tokenhouse doctor``: everything about config and store that would hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict

import click

from service.cli.certificates import of_certificates
from service.cli.options import REFUSED, json_wanted, loaded, named_file
from service.cli.shown import print_json, printable
from service.config import Config
from service.errors import StoreDown
from service.house import build
from service.store.setup import Finding

WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL"}


@click.command()
@named_file
@json_wanted
def doctor(*, path: str | None, as_json: bool) -> None:
    """Examine the configuration, the certificates and the store; one line for each finding.

    Exits 0 when nothing fails (warnings are no failure), and 1 when something does.

    \b
    Example:
      tokenhouse doctor --config /etc/tokenhouse.toml
    """
    config = loaded(path)
    findings = [*of_config(config), *of_certificates(config), *of_store(config)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            text = printable(finding.text)
            click.echo(f"{WORDS[finding.level]:<4} {finding.subject}: {text}")
    if any(finding.level == "fail" for finding in findings):
        raise SystemExit(REFUSED)


def of_config(config: Config) -> Iterator[Finding]:
    """What is allowed, and still worth knowing."""
    count = len(config.secret.keys)
    if count:
        text = f"{count} in force, the first makes new tokens"
        yield Finding("ok", "secret.keys", text)
    else:
        yield Finding("ok", "secret.keys", "none, so a random one for as long as the process lives")
    if config.login.attempts:
        text = f"{config.login.attempts} failed logins, then a wait"
        yield Finding("ok", "login.attempts", text)
    else:
        yield Finding("warn", "login.attempts", "0: nothing slows down the guessing of passwords")
    if config.login.puppet_lockout == "revoke":
        text = "revoke: whoever knows a name can have its user and every token revoked by guessing"
        yield Finding("warn", "login.puppet_lockout", text)
    yield from _of_allowlist(config)
    proxies = ", ".join(map(str, config.server.trusted_proxies))
    text = proxies or "none: a client's address is that of its connection"
    yield Finding("ok", "server.trusted_proxies", text)


def _of_allowlist(config: Config) -> Iterator[Finding]:
    """Whether those on Puppet's list can show their certificates at all."""
    puppet, server = config.dialects.puppet, config.server
    if not puppet.cert_allowlist:
        return
    key, count = "dialects.puppet.cert_allowlist", len(puppet.cert_allowlist)
    if puppet.cert_header and not server.trusted_proxies:
        text = "cert_header is believed from server.trusted_proxies alone, and there are none"
        yield Finding("warn", key, text)
    elif server.client_certs == "none" and not puppet.cert_header:
        text = "nobody can show a certificate: server.client_certs is none, cert_header is empty"
        yield Finding("warn", key, text)
    else:
        yield Finding("ok", key, f"{count} may do everything, as api_user")


def of_store(config: Config) -> list[Finding]:
    """What ``Setup.examine`` says, also when the store goes away under it."""
    return asyncio.run(_of_store(config))


async def _of_store(config: Config) -> list[Finding]:
    house = build(config)
    try:
        if config.in_memory:
            await house.setup.init()  # as serve does it
        return await house.setup.examine()
    except StoreDown as error:
        return [Finding("fail", "redis", f"went away under examination: {error.reason}")]
    finally:
        await house.aclose()
