"""nginx's page about locations that are no ``proxy_pass``, done as it says there."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gateways.conftest import World, front_of
from tests.e2e.gateways.gateways import EXAMPLES
from tests.e2e.gateways.test_gateways import FORGED
from tests.servers import wait_until

PAGE = (EXAMPLES / "nginx/README.md").read_text("utf-8")
LOCATION = """
    location /params/ {{
        scgi_param CONTENT_LENGTH 0;
        scgi_param SCGI 1;
        {lines}
        scgi_pass 127.0.0.1:{port};
    }}
"""


@pytest.fixture
def scgi() -> Iterator[int]:
    """The port of an application that says the parameters of a request (SCGI), a line each."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(10)
                length, _, said = sock.recv(65536).partition(b":")
                while len(said) <= int(length):
                    said += sock.recv(65536)
                words = said[: int(length)].split(b"\0")
                lines = [b"%b=%b" % pair for pair in zip(words[::2], words[1::2], strict=False)]
                body = b"\n".join(lines)
                head = b"Status: 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                sock.sendall(head + body)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=10)


def test_the_lines_of_the_page_say_who_is_asking(world: World, scgi: int, tmp_path: Path) -> None:
    """Nothing that a client says under these names is left."""
    found = re.search(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    lines = found[1].replace("uwsgi_param", "scgi_param")
    front = front_of("nginx", tmp_path, world)
    try:
        conf = tmp_path / "tokenhouse.conf"
        location = LOCATION.format(lines=lines, port=scgi)
        head, _, rest = conf.read_text().partition("    # The application.\n")
        conf.write_text(head + location + rest)
        os.kill(front.gateway.pid, signal.SIGHUP)
        token, lie = front.fate("never ends"), {**FORGED, "x-forwarded-host": "mallory"}
        bearer = {"authorization": f"Bearer {token}"}
        http = front.home.http

        def ask() -> str:
            return http.get("/params/", headers={**bearer, **lie}).text

        wait_until(lambda: ask().startswith("CONTENT_LENGTH="), "the location")
        said = dict(line.split("=", 1) for line in ask().splitlines())
        refused = http.get("/params/", headers=lie).status_code
    finally:
        front.stop()

    assert "mallory" not in "".join(said.values())
    assert ("alice", "read write") == (said["HTTP_X_AUTH_USER"], said["HTTP_X_AUTH_SCOPES"])
    assert 401 == refused
