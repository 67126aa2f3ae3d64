"""The server as a process: how it starts, how it stands a flood, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.errors import ConfigError
from service.serve import Secured, bind, run
from service.tls import Tls
from tests.certs import Authority, Pair, of_rsa
from tests.loopback import (
    GET,
    LAST,
    Latch,
    answers,
    connect,
    drain,
    first_answer,
    statuses,
    talk,
    wait_for,
)

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def process(**arguments: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Call ``run`` with *arguments* in a new process; gives the process and its port."""
    call = f"run('tests.loopback:factory', port=0, **{arguments!r})"
    imports = "from service.serve import run; from service.tls import Tls"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{imports}; {call}"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    try:
        line = child.stderr.readline()
        scheme = "https" if "tls" in arguments else "http"
        assert line.startswith(f"listening on {scheme}://127.0.0.1:"), line
        yield child, int(line.rsplit(":", 1)[1])
    finally:
        child.kill() if "workers" not in arguments else child.terminate()
        child.wait(10)
        child.stderr.close()


def exit_code(child: subprocess.Popen[str]) -> int:
    child.send_signal(signal.SIGTERM)
    return child.wait(10)


def memory(child: subprocess.Popen[str]) -> int:
    return int(psutil.Process(child.pid).memory_info().rss)


def test_a_term_signal_lets_a_running_request_finish(tmp_path: Path) -> None:
    """The answer under way arrives whole, idle connections end, the exit is clean."""
    latch = Latch(tmp_path)
    with process() as (child, port), connect(port) as idle, connect(port) as busy:
        idle.sendall(GET % b"a")
        first_answer(idle)
        busy.sendall(GET % latch.path)
        latch.wait()
        child.send_signal(signal.SIGTERM)

        assert b"" == drain(idle)

        latch.let_go.touch()
        raw = drain(busy)

        assert [(200, b"held")] == answers(raw)
        assert b"connection: close" in raw
        assert 0 == child.wait(10)
        with pytest.raises(OSError, match="refused"):
            connect(port)


def test_a_term_signal_lets_a_request_finish_that_is_still_arriving() -> None:
    """Half a head is a request in flight as well."""
    half = GET % b"b"
    with process() as (child, port), connect(port) as sock:
        sock.sendall(GET % b"a" + half[:20])
        first_answer(sock)
        child.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        sock.sendall(half[20:])

        assert [(200, b"b:0")] == answers(drain(sock))
        assert 0 == child.wait(10)


def test_a_term_signal_right_behind_the_first_line_is_not_lost() -> None:
    """A script may end the server as soon as it has said where it listens."""
    with process() as (child, _):
        assert 0 == exit_code(child)


def test_a_request_over_the_drain_time_does_not_hold_the_exit() -> None:
    """What takes longer than the operator allows is cut."""
    with process(drain_timeout_s=1) as (child, port), connect(port) as sock:
        sock.sendall(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.2)
        begun = time.monotonic()

        assert 0 == exit_code(child)
        assert time.monotonic() - begun < 8


def test_several_workers_share_one_port_and_end_together() -> None:
    """The supervisor passes the socket on and takes the workers along."""
    with process(workers=2) as (child, port):
        assert [(200, b"last:0")] == answers(talk(port, LAST))

        family = psutil.Process(child.pid).children(recursive=True)

        assert 0 == exit_code(child)
        _, alive = psutil.wait_procs(family, timeout=10)
        assert [] == [p for p in alive if "spawn_main" in " ".join(p.cmdline())]


def test_an_eight_megabyte_head_is_refused_and_leaves_no_trace() -> None:
    """The client gets its 431 after sending all of it, and the process does not grow."""
    flood = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (8 << 20) + b"\r\n\r\n"
    with process() as (child, port):
        talk(port, flood)
        before = memory(child)

        assert [431] * 5 == [statuses(talk(port, flood))[0] for _ in range(5)]
        assert memory(child) - before < 4 << 20


def test_five_hundred_half_requests_do_not_keep_others_waiting() -> None:
    """Slow clients cost their own connection and nothing else."""
    with process() as (_, port), contextlib.ExitStack() as slow:
        for _ in range(500):
            slow.enter_context(connect(port)).sendall(b"GET / HTTP/1.1\r\nHost: ")
        begun = time.monotonic()

        assert [[200]] * 100 == [statuses(talk(port, LAST)) for _ in range(100)]
        assert time.monotonic() - begun < 8


def test_a_port_in_use_is_one_clear_line() -> None:
    """The error names the address and the cause."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            run("tests.loopback:factory", port=port)

    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" == str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("no-such-host.invalid", 80, "cannot listen on no-such-host.invalid:80: "),
        ("192.0.2.1", 80, "cannot listen on 192.0.2.1:80: Cannot assign requested address"),
        ("127.0.0.1", 70000, "cannot listen on 127.0.0.1:70000: "),
        ("1:2", 80, "cannot listen on [1:2]:80: "),
    ],
)
def test_an_address_that_cannot_be_had_is_one_clear_line(host: str, port: int, words: str) -> None:
    """Every reason comes as the same kind of error."""
    with pytest.raises(ConfigError) as caught:
        bind(host, port)

    assert str(caught.value).startswith(words)


def test_every_address_is_of_ipv4_too() -> None:
    """As the manual says of ``::``."""
    with bind("::", 0) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), 5) as client:
                taken, peer = listener.accept()
                taken.close()

                assert client.getsockname()[1] == peer[1]


def test_an_app_that_does_not_start_is_an_error() -> None:
    """The process does not stay behind without an app."""
    child = subprocess.run(
        [sys.executable, "-c", "from service.serve import run; run('tests:nothing', port=0)"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        timeout=20,
        check=False,
        env=dict(os.environ),
    )

    assert 3 == child.returncode


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA of this test's own."""
    return Authority(tmp_path)


def tls_of(pair: Pair, **more: Any) -> Tls:
    """How a server is told of *pair*."""
    return Tls(certfile=str(pair.certificate), keyfile=str(pair.key), **more)


def shown(port: int, authority: Authority) -> bytes:
    """The certificate that a new connection is shown."""
    with connect(port, authority.trusted()) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        return sock.getpeercert(binary_form=True) or b""


def test_files_that_are_no_good_are_one_clear_line(authority: Authority) -> None:
    """Nothing is bound for them."""
    with pytest.raises(ConfigError, match=r"^server.ssl_certfile: /no/such cannot be read: "):
        run("tests.loopback:factory", port=0, tls=Tls(certfile="/no/such"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_takes_up_a_new_certificate(authority: Authority, workers: int) -> None:
    """New connections are shown it, alone as with workers and whatever kind of key it has."""
    pair, new = authority.server(), authority.server("new", key=of_rsa())
    options = {"workers": workers} if workers > 1 else {}
    with (
        process(tls=tls_of(pair), **options) as (child, port),
        connect(port, authority.trusted()) as sock,
    ):
        sock.sendall(GET % b"a")
        first_answer(sock)
        before = shown(port, authority)
        new.certificate.rename(pair.certificate)
        new.key.rename(pair.key)
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: shown(port, authority) != before, 30)

        if workers == 1:
            sock.sendall(LAST)

            assert [(200, b"last:0")] == answers(drain(sock))
        assert 0 == exit_code(child)


def test_a_hangup_with_files_that_are_no_good_changes_nothing(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """The node goes on with what it has, and says so; without TLS in force there is nothing yet."""
    pair = authority.server()
    config = Secured("tests.loopback:factory", tls=tls_of(pair), log_config=None)
    config.renew()
    config.load()
    pair.key.write_text("")
    with caplog.at_level("INFO"):
        config.renew()

    (said,) = [r.getMessage() for r in caplog.records if r.name == "service.serve"]
    assert said.startswith(f"the certificate stays as it was: server.ssl_keyfile: {pair.key} is no")


def test_idle_clients_that_never_say_goodbye_do_not_hold_the_exit(authority: Authority) -> None:
    """A pool of connections that nobody looks at is dropped after a moment."""
    with (
        process(tls=tls_of(authority.server()), drain_timeout_s=30) as (child, port),
        connect(port, authority.trusted()) as sock,
    ):
        sock.sendall(GET % b"a")
        first_answer(sock)
        begun = time.monotonic()

        assert 0 == exit_code(child)
        assert time.monotonic() - begun < 8


def test_a_term_signal_lets_a_request_over_tls_finish(authority: Authority, tmp_path: Path) -> None:
    """The answer under way arrives whole, with TLS's own end behind it."""
    latch = Latch(tmp_path)
    with (
        process(tls=tls_of(authority.server())) as (child, port),
        connect(port, authority.trusted()) as busy,
    ):
        busy.sendall(GET % latch.path)
        latch.wait()
        child.send_signal(signal.SIGTERM)
        latch.let_go.touch()

        assert [(200, b"held")] == answers(drain(busy))
        assert 0 == child.wait(10)
