"""The real gateways: where their programs come from, and how the shipped examples are started."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.tools import Tool, debian, libraries, site
from tests.servers import free_port, wait_until

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "deploy" / "gateways"
SCRIPT = EXAMPLES / "haproxy" / "tokenhouse.lua"
WHEELS = Path(__file__).with_name("requirements.txt")
STOP_S = 5
HAPROXY_NEEDS = ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
LAUNCHER = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM: a gateway ends its workers
os.execv(sys.argv[1], sys.argv[1:])
"""
NGINX = """
daemon off;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/tokenhouse.conf;
}}
"""
"""What a distribution's nginx.conf has around the example."""


@dataclass(frozen=True)
class Ports:
    """Where the gateway listens, and what it finds at the examples' 8000 and 9000."""

    public: int
    gate: int
    application: int


def example(name: str, ports: Ports, places: Mapping[str, Path] | None = None) -> str:
    """The shipped file *name* with other ports, and nothing else changed but *places*."""
    text = (EXAMPLES / name).read_text("utf-8")
    wanted = {"8080": ports.public, "8000": ports.gate, "9000": ports.application}
    text = re.sub(r"\b(8080|8000|9000)\b", lambda found: str(wanted[found[1]]), text)
    for old, new in (places or {}).items():
        assert old in text, f"{name} does not mention {old}"
        text = text.replace(old, str(new))
    return text


# -- each gateway: its program, and its command over the example ---------------------------------

Plan = tuple[Tool, list[str]]


def _nginx(folder: Path, ports: Ports) -> Plan:
    found = shutil.which("nginx")
    tool = Tool(found) if found else Tool(str(debian("nginx") / "usr/sbin/nginx"))
    places = {"/dev/shm/tokenhouse": folder / "cache"}
    (folder / "tokenhouse.conf").write_text(example("nginx/tokenhouse.conf", ports, places))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user))
    return tool, ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _haproxy(folder: Path, ports: Ports) -> Plan:
    found = shutil.which("haproxy")
    if found:
        tool = Tool(found)
    else:
        program = debian("haproxy") / "usr/sbin/haproxy"
        needs = libraries(*(debian(package) for package in HAPROXY_NEEDS))
        tool = Tool(str(program), {"LD_LIBRARY_PATH": needs})
    lua = "/etc/haproxy/tokenhouse.lua"
    config = example("haproxy/haproxy.cfg", ports, {lua: SCRIPT})
    (folder / "haproxy.cfg").write_text(config)
    return tool, ["-db", "-f", str(folder / "haproxy.cfg")]


def _caddy(folder: Path, ports: Ports) -> Plan:
    env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    tool = Tool(str(site("gateways", WHEELS) / "bin/caddy"), env)
    (folder / "Caddyfile").write_text(example("caddy/Caddyfile", ports))
    return tool, ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _envoy(folder: Path, ports: Ports) -> Plan:
    tool = Tool(str(site("gateways", WHEELS) / "envoy/_bin/envoy"))
    (folder / "envoy.yaml").write_text(example("envoy/envoy.yaml", ports))
    quiet = ["--disable-hot-restart", "--log-level", "warn"]
    return tool, ["--config-path", str(folder / "envoy.yaml"), *quiet]


PLANS: Mapping[str, Callable[[Path, Ports], Plan]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "caddy": _caddy,
    "envoy": _envoy,
}


@dataclass
class Gateway:
    """The gateway *name* with its shipped example, running before a gate and an application."""

    name: str
    folder: Path
    gate: int
    application: int
    url: str = field(init=False)
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        tool, words = PLANS[self.name](self.folder, Ports(self.port, self.gate, self.application))
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-ISc", LAUNCHER, tool.path, *words],
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **tool.env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        try:
            wait_until(self._listens, f"{self.name} on port {self.port}")
        except Exception:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def _said(self) -> Path:
        return self.folder / "said.log"

    @property
    def log(self) -> str:
        """Everything it wrote so far."""
        return self._said.read_text("utf-8", "replace")

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"{self.name} ended:\n{self.log}"
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it for good."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
