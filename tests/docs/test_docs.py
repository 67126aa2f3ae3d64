"""Every command in the documentation is run as it stands, apart from host and port."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import prepare
from tests.nodes import ROOT, Node, environment
from tests.secure import SecureNode
from tests.servers import Memory, Server, free_port

SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
SHOWN = re.compile(r"^```sh\n(.*?)^```\n(?:\n```json\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
CHANGING = (
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    r"\b[0-9a-f]{40}\b",
    r"\b0[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])",
    r"\b[0-9a-f]{6}(?= \()",
    r"\b\d{4}-\d\d-\d\dT[\d:.]+Z",
    r"(?<=\"id\": )\d+",
    r"(?<=/tokens/)\d+(?=/)",
    r"(?<=\"(?:exp|iat|jti)\":)\"?\d+",
)
"""What is another text each time: UUIDs, keys, their ends, moments, numbers."""
NEXT = "---- next ----"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: str) -> list[str]:
    """The shell blocks of one page, in order."""
    return SHELL.findall((ROOT / page).read_text("utf-8"))


def is_free(port: int) -> bool:
    """Whether nobody listens on *port* of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def constant(text: str) -> str:
    """*text* without what changes from run to run."""
    for pattern in CHANGING:
        text = re.sub(pattern, "…", text)
    return text.strip()


def shell(script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run *script* as a reader would, in one shell that stops at the first failure."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A PATH with ``tokenhouse`` on it, and with a stand-in for curl where there is none."""
    command = tmp_path / "tokenhouse"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m service "$@"\n')
    command.chmod(0o755)
    if shutil.which("curl") is None:
        stand_in = tmp_path / "curl"
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/docs/curl.py "$@"\n')
        stand_in.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def first_minute() -> Iterator[tuple[str, str]]:
    """``make run`` on a free port: (its address, the login line it prints)."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("TOKENHOUSE_")}
    made = subprocess.Popen(
        ["make", "--no-print-directory", "run", f"ARGS=--port {port}"],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert made.stderr is not None
    line = next((said.strip() for said in made.stderr if said.strip().startswith("curl ")), "")
    yield f"127.0.0.1:{port}", line
    os.killpg(made.pid, signal.SIGTERM)
    made.wait(timeout=30)
    made.stderr.close()


def test_the_first_minute_of_the_readme(first_minute: tuple[str, str], tools: str) -> None:
    """The printed line logs in as it stands; the README's two lines say 200 and 401."""
    address, login = first_minute
    env = {**os.environ, "PATH": tools}
    assert login, "make run printed no curl line"
    deadline = time.monotonic() + 30
    answer = shell(login, env)
    while answer.returncode and time.monotonic() < deadline:
        time.sleep(0.1)
        answer = shell(login, env)
    token = re.search(r'"token":"([0-9a-f]{40})"', answer.stdout)
    assert token, answer
    (lines,) = blocks("README.md")
    wanted = re.findall(r"# (\d+)$", lines, re.MULTILINE)
    got = shell(lines.replace("127.0.0.1:8000", address), {**env, "TOKEN": token[1]})

    assert ["200", "401"] == wanted
    assert wanted == got.stdout.split(), got


def test_the_commands_of_the_operations_page(redis_server: Server | Memory, tools: str) -> None:
    """Set-up, examination, users and tokens, in the order of the page."""
    script = "\n".join(blocks("docs/operations.md"))
    port = re.search(r":(\d+)/", redis_server.url)
    assert port
    script = script.replace("127.0.0.1:6379", f"127.0.0.1:{port[1]}")
    env = {**environment("memory://"), "PATH": tools}
    env.pop("TOKENHOUSE_STORE__URL")
    done = shell(script, env)

    assert 0 == done.returncode, done.stderr
    assert "alice" in done.stdout


PRODUCTS = {
    "docs/netbox.md": "netbox",
    "docs/nautobot.md": "nautobot",
    "docs/oauth.md": "netbox",
}
"""Pages about a product, and the one that has the root of the API on it."""


@pytest.mark.parametrize("page", PRODUCTS)
def test_the_commands_of_a_products_page(
    page: str, redis_server: Server | Memory, tools: str
) -> None:
    """Each command prints what stands below it, but for ids, keys and moments."""
    prepare(redis_server.url)
    node = Node(redis_server.url, {"TOKENHOUSE_DIALECTS__USERS_TOKENS": PRODUCTS[page]})
    steps = SHOWN.findall((ROOT / page).read_text("utf-8"))
    script = "\n".join(f"{commands}echo '{NEXT}'" for commands, _ in steps)
    script = script.replace("http://127.0.0.1:8000", node.url)
    env = {**environment(redis_server.url), "PATH": tools}
    done = shell(script, env)
    node.stop()

    assert 0 == done.returncode, done.stderr
    printed = done.stdout.replace(node.url, "http://127.0.0.1:8000").split(NEXT)
    assert len(steps) + 1 == len(printed)
    for (_, expected), got in zip(steps, printed, strict=False):
        assert not expected or constant(expected) == constant(got)


def test_the_commands_of_the_tls_page(redis_server: Server | Memory, tools: str) -> None:
    """The node is the one that the page starts, apart from its port."""
    page = (ROOT / "docs/tls.md").read_text("utf-8")
    make, asking, examining = blocks("docs/tls.md")
    (expected,) = [answer for _, answer in SHOWN.findall(page) if answer]
    serve = re.search(r"^\$ tokenhouse serve --port 4433 (.*)$", page, re.MULTILINE)
    assert serve
    env = {**environment(redis_server.url), "PATH": tools}
    made = shell(f"cd {ROOT}\n{make}", env)
    assert 0 == made.returncode, made.stderr
    folder = ROOT / "build" / "certs"
    words = serve[1].replace("build/certs", str(folder)).split()
    trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    prepare(redis_server.url)
    node = SecureNode(redis_server.url, trust, None, *words)
    asking = asking.replace("localhost:4433", f"localhost:{node.port}")
    answer = shell(f"cd {ROOT}\n{asking}", env)
    node.stop()
    found = shell(f"cd {ROOT}\n{examining}", env)

    assert (0, expected.strip()) == (answer.returncode, answer.stdout.strip()), answer.stderr
    assert "ok   server.ssl_certfile: ends on " in found.stdout
    assert "ok   server.ssl_keyfile: is closed to other users" in found.stdout


def test_the_commands_of_the_puppet_page(
    redis_server: Server | Memory, tools: str, tmp_path: Path
) -> None:
    """As typed in an empty shell, but for the ports; the node runs on 4433 unless it is taken."""
    page = (ROOT / "docs/puppet.md").read_text("utf-8")
    (prepared, _), *steps = SHOWN.findall(page)
    serve = re.search(r"^\$ tokenhouse serve --port (\d+) (.*)$", page, re.MULTILINE)
    assert serve
    # Certificates of its own: another test may be making those of the repository.
    (tmp_path / "Makefile").write_text(f"certs:\n\t{sys.executable} -m tests.certs build/certs\n")
    prepared = prepared.replace("redis://127.0.0.1:6379/0", redis_server.url)
    env = {k: v for k, v in os.environ.items() if not k.startswith("TOKENHOUSE_")}
    env |= {"PATH": tools, "PYTHONPATH": str(ROOT)}
    done = shell(f"cd {tmp_path}\n{prepared}", env)
    assert 0 == done.returncode, done.stderr
    settings = tomllib.loads((tmp_path / "puppet.toml").read_text("utf-8"))
    words = serve[2].replace("build/certs", str(tmp_path / "build/certs")).split()
    node = SecureNode(
        settings["store"]["url"],
        ssl.create_default_context(cafile=str(tmp_path / "build/certs/ca.pem")),
        {
            "TOKENHOUSE_CONFIG": str(tmp_path / "puppet.toml"),
            "TOKENHOUSE_SECRET__KEYS": settings["secret"]["keys"][0],
        },
        *("--port", serve[1] if is_free(int(serve[1])) else str(free_port())),
        *words,
    )
    script = "\n".join(f"{commands}echo '{NEXT}'" for commands, _ in steps)
    script = script.replace("localhost:4433", f"localhost:{node.port}")
    done = shell(f"cd {tmp_path}\n{script}", env)
    node.stop()

    assert 0 == done.returncode, done.stderr
    printed = done.stdout.split(NEXT)
    assert len(steps) + 1 == len(printed)
    for (_, expected), got in zip(steps, printed, strict=False):
        assert not expected or constant(expected) == constant(got)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A page that moved is noticed."""
    lost = [
        target
        for target in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert [] == lost


def test_every_shell_block_is_run_by_some_test_here() -> None:
    """A page with commands that nobody runs would rot."""
    here = Path(__file__).read_text("utf-8")
    unread = [
        str(page.relative_to(ROOT))
        for page in PAGES
        if SHELL.search(page.read_text("utf-8"))
        and f'"{shlex.quote(str(page.relative_to(ROOT)))}"' not in here
    ]

    assert [] == unread
