"""Binds the address and runs uvicorn on it, in one process or several; builds no application."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.errors import ConfigError

BACKLOG = 2048
MAX_PORT = 65535


def run(
    app_factory_import: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    drain_timeout_s: int = 30,
    **uvicorn_options: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and return.

    *app_factory_import* is ``module:function``; its lifespan puts the ``Limits`` into the state.
    *uvicorn_options* go to ``uvicorn.Config`` as they are: ``ssl_certfile``, ``ssl_keyfile``,
    ``http`` for a protocol derived from ``Limited``. With ``port=0`` a free port is picked.
    """
    options: dict[str, Any] = {
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
    config = Config(
        app_factory_import,
        workers=workers,
        timeout_graceful_shutdown=drain_timeout_s,
        **options,
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
    """Listen on the first address that *host* stands for."""
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(f"cannot listen on {_spell(host, port)}: a port is 0 to {MAX_PORT}")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise ConfigError(f"cannot listen on {_spell(host, port)}: {error.strerror}") from error
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise ConfigError(f"cannot listen on {_spell(host, port)}: {cause}") from error


def _run_alone(config: Config, listener: socket.socket) -> None:
    server = Server(config)
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
