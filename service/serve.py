"""Binds the address and runs uvicorn on it, in one process or several; builds no application."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.errors import ConfigError
from service.tls import Listening, Tls, loop_factory

BACKLOG = 2048
MAX_PORT = 65535

log = logging.getLogger(__name__)


class Secured(Config):
    """uvicorn's config with a ``Tls`` of ours; it is sent to workers, which read the files anew."""

    def __init__(self, app: Any, *, tls: Tls, **options: Any) -> None:
        super().__init__(app, ssl_context_factory=self._context, **options)
        self.tls = tls

    def _context(self, *_: object) -> Listening:
        return self.tls.listening()

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        """What makes the loop; uvicorn has no options for the deadlines of TLS."""
        return loop_factory(self.tls)

    def renew(self) -> None:
        """Take up a new certificate for the connections to come; a bad one changes nothing."""
        live = self.ssl if self.loaded else None
        if not isinstance(live, Listening):
            return  # the files are about to be read for the first time
        try:
            self.tls.renew(live)
        except ConfigError as error:
            log.error("the certificate stays as it was: %s", error)
        else:
            log.info("the certificate was read again")


def run(
    app_factory_import: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    drain_timeout_s: int = 30,
    tls: Tls | None = None,
    **uvicorn_options: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and return.

    *app_factory_import* is ``module:function``; its lifespan puts the ``Limits`` into the state.
    With *tls* only HTTPS is spoken, and SIGHUP reads its files again; ConfigError when they are no
    good. *uvicorn_options* go to ``uvicorn.Config`` as they are: ``http`` for a
    protocol derived from ``Limited``. With ``port=0`` a free port is picked.
    """
    options: dict[str, Any] = {
        "workers": workers,
        "timeout_graceful_shutdown": drain_timeout_s,
        "factory": True,
        "http": "service.protocol:Limited",
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "backlog": BACKLOG,
    }
    options.update(uvicorn_options)
    config = (
        _secured(app_factory_import, tls, options) if tls else Config(app_factory_import, **options)
    )
    with bind(host, port) as listener:
        if workers > 1:
            _run_workers(config, listener)
        else:
            _run_alone(config, listener)
    # All is done: a second signal while the interpreter ends must not make a failure of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def bind(host: str, port: int) -> socket.socket:
    """Listen on the first address that *host* stands for; ``::`` is all of them, IPv4 too."""
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(f"cannot listen on {_spell(host, port)}: a port is 0 to {MAX_PORT}")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except socket.gaierror as error:
        raise ConfigError(f"cannot listen on {_spell(host, port)}: {error.strerror}") from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise ConfigError(f"cannot listen on {_spell(host, port)}: {cause}") from error


def _secured(app: str, tls: Tls, options: dict[str, Any]) -> Secured:
    tls.context()  # says what is wrong with the files before anything is begun
    return Secured(app, tls=tls, **options)


def _run_alone(config: Config, listener: socket.socket) -> None:
    server = Server(config)
    if isinstance(config, Secured):
        # With workers the supervisor has this signal, and replaces them one after another.
        signal.signal(signal.SIGHUP, lambda *_: config.renew())
    # uvicorn drains, then raises the signal once more for whoever had it before: by default that
    # kills the process with its work done. Taken from here on, so no early signal is lost either.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    _announce(config, listener)
    server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)


def _run_workers(config: Config, listener: socket.socket) -> None:
    listener.set_inheritable(True)
    supervisor = Multiprocess(config, sockets=[listener])
    _announce(config, listener)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(STARTUP_FAILURE)


def _announce(config: Config, listener: socket.socket) -> None:
    """Tell whoever started us, in one line, that connections are taken from now on."""
    scheme = "https" if config.is_ssl else "http"
    host, port = listener.getsockname()[:2]
    sys.stderr.write(f"listening on {scheme}://{_spell(host, port)}\n")
    sys.stderr.flush()


def _spell(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
