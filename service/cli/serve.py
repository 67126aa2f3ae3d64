"""``tokenhouse serve``: says what is about to be served, then serves it."""

from __future__ import annotations

import logging
import logging.config
import os
from math import ceil

import click

from service.cli import logs
from service.cli.certificates import of_certificates, tls_of
from service.cli.doctor import of_config, of_store
from service.cli.options import FAULTY, loaded, named_file, stop
from service.config import Config, knobs
from service.config.layers import FILE_VARIABLE
from service.errors import ConfigError
from service.serve import bind, run

APP = "service.app:create"
LIMITED = "service.protocol:Limited"
LANE = "service.gate.lane:Lane"
OPTIONS = ("host", "port", "workers", "ssl_certfile", "ssl_keyfile", "ssl_ca", "client_certs")
LEVELS = {"ok": logging.DEBUG, "warn": logging.WARNING, "fail": logging.ERROR}

log = logging.getLogger(__name__)


@click.command()
@named_file
@click.option("--host", metavar="HOST", help="Listen on this address (server.host).")
@click.option("--port", metavar="PORT", type=int, help="Listen on this port (server.port).")
@click.option("--workers", metavar="N", type=int, help="Run N processes (server.workers).")
@click.option("--ssl-certfile", metavar="FILE", help="Speak HTTPS (server.ssl_certfile).")
@click.option("--ssl-keyfile", metavar="FILE", help="The certificate's key (server.ssl_keyfile).")
@click.option("--ssl-ca", metavar="FILE", help="CAs of client certificates (server.ssl_ca).")
@click.option(
    "--client-certs",
    metavar="WORD",
    help="none, optional or required: certificates of clients (server.client_certs).",
)
def serve(*, path: str | None, **options: object) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); requests under way are finished first.

    \b
    Example:
      tokenhouse serve
      tokenhouse serve --config /etc/tokenhouse.toml --host 0.0.0.0 --workers 4
      tokenhouse serve --port 4433 --ssl-certfile server.pem --ssl-keyfile server.key
    """
    config = loaded(path, {f"server.{name}": value for name, value in options.items()})
    log_config = logs.settings(config.log.format, config.log.level)
    logging.config.dictConfig(log_config)
    announce(config)
    try:
        chosen = config.server.port or free_port(config.server.host)
        os.environ.update(handed_down(path, config, chosen))
        run(
            APP,
            host=config.server.host,
            port=chosen,
            workers=config.server.workers,
            drain_timeout_s=ceil(config.server.drain_timeout / 1000),
            tls=tls_of(config),
            http=LANE if config.gate.lane and not config.in_memory else LIMITED,
            log_config=log_config,
        )
    except ConfigError as error:
        stop(FAULTY, str(error))


def free_port(host: str) -> int:
    """A port that is free on *host*: the application has to know it before it is bound."""
    with bind(host, 0) as listener:
        return int(listener.getsockname()[1])


def handed_down(path: str | None, config: Config, port: int) -> dict[str, str]:
    """The variables by which the application, in whatever process, loads this same config."""
    server = {name: getattr(config.server, name) for name in OPTIONS} | {"port": port}
    variables = {knobs()[f"server.{name}"].env: str(value) for name, value in server.items()}
    return variables | ({FILE_VARIABLE: path} if path else {})


def announce(config: Config) -> None:
    """Log what is served, and loudly what is wrong with it; nothing of it is fatal."""
    log.info("store: %s", knobs()["store.url"].kind.show(config.store.url))
    log.info("dialects: %s", ", ".join(config.dialects.enabled))
    findings = [each for each in of_config(config) if each.level != "ok"]
    findings += of_certificates(config)
    if config.in_memory:
        log.warning("THE STORE IS IN THIS PROCESS: nothing survives a restart, no user, no token")
    else:
        findings += of_store(config)
    for finding in findings:
        log.log(LEVELS[finding.level], "%s: %s", finding.subject, finding.text)
