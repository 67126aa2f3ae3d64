"""``user import``: who is made, who is left alone, and which rows are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from service.core.permissions import PERMISSIONS
from service.errors import StoreDown
from service.store.owners import Owners

HEAD = "name,first_name,last_name,email,superuser,permissions"


def table(*rows: str, head: str = HEAD) -> str:
    """A file of *rows*, its name."""
    Path("users.csv").write_text("\n".join([head, *rows]), "utf-8")
    return "users.csv"


def test_users_are_made_with_what_the_file_says_of_them(run: Any) -> None:
    """In its order, with every fact, and with no password that would let anybody in."""
    file = table(
        "ada,Ada,Lovelace,ada@example.org,t,",
        "bob,,,,f,users.view_token users.add_token",
        "zoë,,,,,gateway",
    )

    result = run("user", "import", file)

    assert (0, "imported 3, already there 0, refused 0\n", "") == (
        result.exit_code, result.stdout, result.stderr,
    )  # fmt: skip
    ada, bob, zoe = run.json("user", "list")
    assert ("ada", "Ada", "Lovelace", "ada@example.org", True, []) == tuple(
        ada[key] for key in ("name", "first_name", "last_name", "email", "superuser", "permissions")
    )
    assert (["users.add_token", "users.view_token"], False) == (
        bob["permissions"], bob["superuser"],
    )  # fmt: skip
    assert ("zoë", ["gateway"]) == (zoe["name"], zoe["permissions"])
    kept = run.within(lambda house: house.users.get("ada")).password
    assert "" == kept
    assert not run.within(lambda house: house.passwords.check("ada", kept, ""))
    assert run.issue("bob")["token"]


def test_json_lines_say_the_same(run: Any) -> None:
    """With true for a truth, and a list for permissions."""
    rows = [
        {"name": "ada", "superuser": True},
        {"name": "bob", "permissions": ["gateway"], "email": None},
    ]
    Path("users.jsonl").write_text("\n".join(map(json.dumps, rows)))

    assert {
        "dry_run": False,
        "imported": 2,
        "already_there": 0,
        "refused": 0,
        "complete": True,
    } == run.json("user", "import", "users.jsonl")
    assert [(True, []), (False, ["gateway"])] == [
        (each["superuser"], each["permissions"]) for each in run.json("user", "list")
    ]


def test_again_is_quiet_and_changes_nobody(run: Any) -> None:
    """Who is there already keeps password, facts and number."""
    run.add("ada", "--first-name", "Ada")
    before = run.json("user", "list")
    kept = run.within(lambda house: house.users.get("ada")).password
    file = table("ada,Eve,,,t,", "bob,,,,,")

    first, second = run("user", "import", file), run("user", "import", file)

    assert "imported 1, already there 1, refused 0\n" == first.stdout
    assert (0, "imported 0, already there 2, refused 0\n", "") == (
        second.exit_code, second.stdout, second.stderr,
    )  # fmt: skip
    assert before == run.json("user", "list")[:1]
    assert kept == run.within(lambda house: house.users.get("ada")).password


def test_a_dry_run_makes_nobody(run: Any) -> None:
    """It says what the import would say."""
    file = table("ada,,,,,", "ada,,,,,", "b\x1bob,,,,,")

    result = run("user", "import", file, "--dry-run")

    assert (1, "would import 1, already there 0, refused 2\n") == (result.exit_code, result.stdout)
    assert [] == run.json("user", "list")


def test_rows_that_say_no_user_are_refused(run: Any) -> None:
    """Each by its line; what may be a key is not told."""
    key = hashlib.sha1(b"key").hexdigest()
    file = table(
        "ada,,,,,",
        "ada,,,,,",
        ",,,,,",
        f"{key},,,,maybe,",
        "bob,,,,,users.rule",
        f"cy,{'x' * 255},,,,",
        'dora,"two',
        'lines",,,,',
    )

    result = run("user", "import", file)

    assert (1, "imported 1, already there 0, refused 7\n") == (result.exit_code, result.stdout)
    assert [
        "line 3: user 'ada': an earlier row has the same name",
        "line 4: name: a user name has 1 to 150 characters",
        "line 5: superuser is neither true nor false",
        f"line 6: user 'bob': permissions: one is none of {', '.join(PERMISSIONS)}",
        "line 7: user 'cy': first_name: it has more than 254 characters",
        "line 8: a quote is opened and not closed before the next row",
        "line 9: the row has 5 cells, not 6",
    ] == result.stderr.splitlines()


@pytest.mark.parametrize("head", ["key,owner", "first_name", "name,password"])
def test_a_file_of_something_else_is_usage(run: Any, head: str) -> None:
    """The tokens, for example."""
    result = run("user", "import", table("a,b", head=head))

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("the first line must name columns, name and any of name, first")


def test_somebody_else_may_make_a_user_meanwhile(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then he is there, and that is no fault."""
    real = Owners.get_all

    async def blind(self: Any, names: list[str]) -> Any:
        return [None for _ in names] if len(names) > 1 else await real(self, names)

    run.add("ada")
    monkeypatch.setattr(Owners, "get_all", blind)

    assert "imported 1, already there 1, refused 0\n" == run.ok(
        "user", "import", table("ada,,,,,", "bob,,,,,")
    )


def test_a_store_that_goes_away_is_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same command goes on from there."""
    file = table("ada,,,,,", "bob,,,,,")
    real = Owners.create

    async def falters(self: Any, name: str, fields: Any) -> None:
        if name == "bob":
            raise StoreDown("timeout")
        await real(self, name, fields)

    with monkeypatch.context() as patch:
        patch.setattr(Owners, "create", falters)
        broken = run("user", "import", file)

    line = "store: timeout; the rest was not tried; run the same command again\n"
    assert (1, "imported at least 0, already there 0, refused 0\n", line) == (
        broken.exit_code, broken.stdout, broken.stderr,
    )  # fmt: skip
    assert "imported 1, already there 1, refused 0\n" == run.ok("user", "import", file)
