"""Tokens from elsewhere: imported by the command, then used at the gates of two nodes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from service.core.importing import COLUMNS
from tests.e2e.conftest import Pair, gate
from tests.nodes import ROOT, Node, environment, tokenhouse
from tests.servers import Server

PAGE = (ROOT / "docs" / "migrate.md").read_text("utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOREIGN = ("umask", "psql", "python3 manage.py", "nautobot-server")
HEX = [hashlib.sha1(b"hex %d" % number).hexdigest() for number in range(8)]
MIXED = ["Zebra" + key[5:] for key in HEX]


def by_digest(key: str) -> dict[str, str]:
    """What an export tells of a *key* that it does not tell."""
    return {"digest": hashlib.sha256(key.encode()).hexdigest(), "first4": key[:4]}


def bring(pair: Pair, file: Path, *words: str) -> Any:
    """``token import --json`` on the pair's store: what it says."""
    args = ("token", "import", str(file), "--policy", "netbox", "--json", *words)
    done = tokenhouse(*args, store=pair.server.url)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def write(file: Path, *rows: dict[str, object]) -> Path:
    """A file with these rows of alice's."""
    lines = [json.dumps({"owner": "alice", **row}) for row in rows]
    file.write_text("\n".join(lines), "utf-8")
    return file


def statuses(pair: Pair, *keys: str) -> list[int]:
    """What both gates say of each key; they must agree."""
    said = [[gate(node, key).status_code for key in keys] for node in (pair.a, pair.b)]
    assert said[0] == said[1]
    return said[0]


def test_imported_keys_work_at_every_gate(pair: Pair, tmp_path: Path) -> None:
    """By key and by digest, of either form of key; each rule of the row is in force."""
    file = write(
        tmp_path / "tokens.jsonl",
        {"key": HEX[0]},
        {"key": MIXED[0]},
        by_digest(HEX[1]),
        by_digest(MIXED[1]),
        {"key": HEX[2], "expires": "2024-03-01T00:00:00Z"},
        {"key": HEX[3], "allowed_ips": ["192.0.2.0/24"]},
        {"key": HEX[4], "allowed_ips": ["127.0.0.0/8"]},
        {"key": HEX[5], "write_enabled": False},
    )

    trial = bring(pair, file, "--dry-run")
    assert (8, 0, 0) == (trial["imported"], trial["already_there"], trial["refused"])
    assert [401] == statuses(pair, HEX[0])
    assert 8 == bring(pair, file)["imported"]
    assert [200] * 4 == statuses(pair, HEX[0], MIXED[0], HEX[1], MIXED[1])
    assert [401, 403, 200, 200] == statuses(pair, *HEX[2:6])
    read_only = {"authorization": f"Token {HEX[5]}"}
    assert 403 == pair.a.http.post("/authz/ext/", headers=read_only).status_code


def test_a_disabled_token_waits_for_an_operator(pair: Pair, tmp_path: Path) -> None:
    """It was disabled there; here ``token enable`` lets it in, ``token disable`` out again."""
    bring(pair, write(tmp_path / "tokens.jsonl", {"key": HEX[0], "enabled": False}))
    (shown,) = json.loads(tokenhouse("token", "list", "--json", store=pair.server.url).stdout)
    number = str(shown["id"])

    before = statuses(pair, HEX[0])
    on = tokenhouse("token", "enable", number, store=pair.server.url)
    between = statuses(pair, HEX[0])
    off = tokenhouse("token", "disable", number, store=pair.server.url)

    assert (f"token {number} enabled\n", f"token {number} disabled\n") == (on.stdout, off.stdout)
    assert ([401], [200], [401]) == (before, between, statuses(pair, HEX[0]))


def test_a_revoked_key_stays_dead(pair: Pair, tmp_path: Path) -> None:
    """Whatever the export says: by its text, and by its owner."""
    file = write(tmp_path / "tokens.jsonl", {"key": HEX[0]}, by_digest(HEX[1]))
    bring(pair, file)
    tokenhouse("token", "revoke", "--stdin", store=pair.server.url, stdin=HEX[0])

    again = bring(pair, file)

    assert (0, 1, 1) == (again["imported"], again["already_there"], again["refused"])
    assert [401, 200] == statuses(pair, HEX[0], HEX[1])
    tokenhouse("token", "revoke", "--user", "alice", store=pair.server.url)
    assert 2 == bring(pair, file)["refused"]
    assert [401, 401] == statuses(pair, HEX[0], HEX[1])


def test_an_import_that_was_killed_is_completed_by_the_next(pair: Pair, tmp_path: Path) -> None:
    """Every key works for good then; none has been left to end with its first hold."""
    assert isinstance(pair.server, Server)
    keys = [hashlib.sha1(b"%d" % number).hexdigest() for number in range(6000)]
    file = write(tmp_path / "tokens.jsonl", *({"key": key} for key in keys))
    words = [sys.executable, "-m", "service", "token", "import", str(file), "--policy", "netbox"]
    child = subprocess.Popen(words, env=environment(pair.server.url), cwd=ROOT)
    deadline = time.monotonic() + 30
    while pair.server.cli("DBSIZE") < 1000 and time.monotonic() < deadline:
        time.sleep(0.001)
    child.kill()
    assert -9 == child.wait(10)

    rest = bring(pair, file)

    assert 0 < rest["already_there"] < 6000
    assert 6000 == rest["already_there"] + rest["imported"]
    assert {200} == {*statuses(pair, *keys[::200])}
    aliases = pair.server.cli("KEYS", "t:*")
    assert {-1} == {pair.server.cli("PTTL", alias) for alias in aliases[::20]}


def test_no_key_is_in_the_store_or_in_a_report(pair: Pair, tmp_path: Path) -> None:
    """Nor in anything that the command says."""
    file = write(tmp_path / "tokens.jsonl", {"key": HEX[0]}, {"key": HEX[1], "owner": HEX[2]})
    report = tmp_path / "refused.jsonl"
    args = ("token", "import", str(file), "--policy", "netbox", "--report", str(report))

    done = tokenhouse(*args, store=pair.server.url)

    assert 1 == done.returncode
    everything = done.stdout + done.stderr + report.read_text() + pair.a.log
    assert {"line": 2, "owner": None, "reason": "no such user"} == json.loads(report.read_text())
    assert not [key for key in HEX if key in everything]


# -- the page ------------------------------------------------------------------------------------


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page and what it prints, but for those of the other products."""
    for block in CONSOLE.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            more = sum(line.startswith("> ") for line in lines)
            command = "\n".join([lines[0], *(line[2:] for line in lines[1 : 1 + more])])
            if not command.startswith(FOREIGN):
                yield command, "\n".join(lines[1 + more :])


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A directory with ``tokenhouse`` in it, and an export as psql writes it."""
    stand_ins = {"tokenhouse": "-m service", "curl": f"{ROOT}/tests/docs/curl.py"}
    for name, words in stand_ins.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "users.csv").write_text(
        "name,first_name,last_name,email,superuser\nalice,Alice,,,t\nbob,,,b@example.org,f\n"
    )
    (tmp_path / "tokens.csv").write_text(
        "key,owner,created,expires,write_enabled,description,allowed_ips\n"
        f'{HEX[0]},alice,2024-03-01 10:00:00.123456+00,,t,"for ""ci"", nightly",\n'
        f'{MIXED[1]},bob,2024-03-02 10:00:00+00,2999-01-01 00:00:00+00,f,"",'
        '"{10.0.0.0/8,2001:db8::/32}"\n'
    )
    export = (tmp_path / "tokens.csv").read_bytes()
    (tmp_path / "export.csv.gz").write_bytes(gzip.compress(export))
    return tmp_path


def test_the_commands_of_the_page_print_what_it_says(redis_server: Server, desk: Path) -> None:
    """From the users to the check, as they stand, apart from host and port."""
    assert 0 == tokenhouse("store", "init", store=redis_server.url).returncode
    node = Node(redis_server.url)
    script, wanted = [], []
    for command, output in steps(PAGE):
        script.append(command.replace("http://127.0.0.1:8000", node.url))
        wanted += output.splitlines()
    env = environment(redis_server.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
        env={**env, "PATH": f"{desk}{os.pathsep}{env['PATH']}"},
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    node.stop()

    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert (0, wanted) == (done.returncode, said), done.stderr
    assert "200" in wanted
    assert not (desk / "tokens.csv").exists()


class Rows:
    """Stands for a product's tokens, as far as the page's script asks for them."""

    def __init__(self, *rows: SimpleNamespace) -> None:
        self.rows = rows

    def filter(self, **wanted: object) -> Rows:
        """Those of active users."""
        assert {"user__is_active": True} == wanted
        return Rows(*(row for row in self.rows if row.user.is_active))

    def order_by(self, name: str) -> tuple[SimpleNamespace, ...]:
        """Them, by one field."""
        return tuple(sorted(self.rows, key=lambda row: getattr(row, name)))


def token(name: str, day: int, **facts: object) -> SimpleNamespace:
    """One token of a product."""
    user = SimpleNamespace(
        username=name,
        first_name=name.title(),
        last_name="",
        email="",
        is_superuser=name == "bob",
        is_active=name != "gone",
    )
    created = datetime(2024, 3, day, 10, 0, 0, 123456, tzinfo=UTC)
    common = {"created": created, "expires": None, "write_enabled": True, "description": ""}
    return SimpleNamespace(user=user, **{**common, **facts})


NETBOX_3 = Rows(
    token("bob", 2, key=HEX[0], allowed_ips=None),
    token("alice", 1, key=HEX[1], allowed_ips=["127.0.0.0/8"], write_enabled=False),
    token("gone", 1, key=HEX[2], allowed_ips=[]),
)
NETBOX_45 = Rows(
    token("alice", 1, version=1, enabled=True, plaintext=MIXED[0], key=None, allowed_ips=[]),
    token("alice", 2, version=1, enabled=False, plaintext=MIXED[1], key=None, allowed_ips=[]),
    token("bob", 3, version=2, enabled=True, plaintext=None, key="ABCDEFGHIJKL", allowed_ips=[]),
)
NAUTOBOT = Rows(token("alice", 1, key=HEX[0], expires=datetime(2999, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("module", "rows", "users", "keys"),
    [
        ("users.models", NETBOX_3, ["alice", "bob"], [HEX[1], HEX[0]]),
        ("users.models", NETBOX_45, ["alice"], [MIXED[0], MIXED[1]]),
        ("nautobot.users.models", NAUTOBOT, ["alice"], [HEX[0]]),
    ],
    ids=["NetBox 3.3", "NetBox 4.5", "Nautobot"],
)
def test_the_script_of_the_page_writes_what_the_import_reads(
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    rows: Rows,
    users: list[str],
    keys: list[str],
) -> None:
    """Oldest first, nothing of users who are gone, no version 2; what is disabled stays so."""
    made = ModuleType(module)
    made.__dict__["Token"] = SimpleNamespace(objects=rows)
    parts = module.split(".")
    for size in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:size]), ModuleType("package"))
    monkeypatch.setitem(sys.modules, module, made)
    monkeypatch.chdir(tmp_path)
    script = PAGE.partition("```python\n")[2].partition("```")[0]
    mask = os.umask(0o022)
    # Two scopes, as shell_plus runs it.
    exec(script.replace("from users.models", f"from {module}"), {}, {})
    os.umask(mask)

    assert 0o600 == Path("tokens.jsonl").stat().st_mode & 0o777
    made = tokenhouse("user", "import", str(tmp_path / "users.jsonl"), store=pair.server.url)
    there = json.loads(tokenhouse("user", "list", "--json", store=pair.server.url).stdout)
    assert f"imported {len(users) - 1}, already there 1, refused 0\n" == made.stdout  # alice is
    assert users == sorted(each["name"] for each in there)
    assert {"bob"} >= {each["name"] for each in there if each["superuser"]}
    assert len(keys) == bring(pair, tmp_path / "tokens.jsonl")["imported"]
    assert [401 if key == MIXED[1] else 200 for key in keys] == statuses(pair, *keys)


def test_the_columns_of_the_page_are_those_of_the_import() -> None:
    """Each is explained, and each query names its columns so."""
    explained = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    queries = re.findall(r"SELECT (t\..*?)\s+FROM", PAGE, re.DOTALL)
    named = [re.findall(r"(\w+)(?:,|$)", query.replace("\n", " ")) for query in queries]

    assert [*COLUMNS] == explained
    assert 2 == len(named)
    assert all({*names} <= {*COLUMNS} for names in named)
    assert ["key", "owner", "created", "expires"] == next(csv.reader([",".join(named[0])]))[:4]
