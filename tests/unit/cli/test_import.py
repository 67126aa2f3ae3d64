"""``token import``: what it reads, what it says of each row, how it refuses, how it goes on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from service.core.address import pack
from service.core.arrivals import Importer
from service.core.secret import agent_digest
from service.errors import StoreDown

KEYS = [hashlib.sha1(b"%d" % number).hexdigest() for number in range(30)]
COLUMNS = ("key", "owner", "expires", "write_enabled", "description", "allowed_ips")


def word(run: Any, text: str) -> str:
    """What the gate would say of the token *text*."""
    verdict = run.within(
        lambda house: house.tokens.verify(
            text.encode(), address=pack("192.0.2.7"), agent=agent_digest(b"curl"), write=False
        )
    )
    return str(verdict.word)


def jsonl(*rows: Any, name: str = "tokens.jsonl") -> str:
    """A file of *rows*, its name."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in rows]
    Path(name).write_text("\n".join(lines) + "\n", "utf-8")
    return name


def table(*rows: dict[str, str], name: str = "tokens.csv") -> str:
    """The same as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    Path(name).write_text(text.getvalue(), "utf-8")
    return name


def bring(run: Any, file: str, *args: str) -> Any:
    """``token import`` under the policy netbox."""
    return run("token", "import", file, "--policy", "netbox", *args)


@pytest.fixture
def bob(run: Any) -> Any:
    """Commands on a store with the user bob."""
    run.add("bob")
    return run


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    """So many rows of bob's."""
    return [{"key": key, "owner": "bob", **more} for key in KEYS[:count]]


@pytest.mark.parametrize("write", [jsonl, table])
def test_every_row_of_a_file_is_in_when_it_exits_0(bob: Any, write: Any) -> None:
    """One line says how many; their holders notice nothing."""
    file = write(*rows(3, description='for "ci",\nnightly', expires="2999-01-01 00:00:00+00"))

    result = bring(bob, file)

    assert (0, "imported 3, already there 0, refused 0\n", "") == (
        result.exit_code, result.stdout, result.stderr,
    )  # fmt: skip
    assert ["ok"] * 3 == [word(bob, key) for key in KEYS[:3]]
    assert {'for "ci",\nnightly'} == {each["description"] for each in bob.json("token", "list")}
    assert KEYS[0] not in bob.ok("token", "list", "--json")


def test_the_policy_is_the_one_named(bob: Any) -> None:
    """Nautobot's tokens live under Nautobot's rules."""
    bob.ok("token", "import", jsonl(*rows(1)), "--policy", "nautobot")

    assert ["nautobot"] == [each["policy"] for each in bob.json("token", "list")]


def test_again_is_harmless(bob: Any) -> None:
    """What is there already is neither refused nor changed."""
    file = jsonl(*rows(3))
    bring(bob, file)
    before = bob.json("token", "list")

    result = bring(bob, file)

    assert (0, "imported 0, already there 3, refused 0\n") == (result.exit_code, result.stdout)
    assert before == bob.json("token", "list")


def test_what_lives_under_another_policy_is_told_apart(bob: Any) -> None:
    """It stays there; whoever named the wrong policy learns of it."""
    bob.ok("token", "import", jsonl(*rows(2)), "--policy", "nautobot")

    result = bring(bob, jsonl(*rows(3)))

    assert (0, "imported 1, already there 0, under another policy 2, refused 0\n") == (
        result.exit_code, result.stdout,
    )  # fmt: skip
    line = "warning: 2 of these tokens were imported under another policy than this one, and stay"
    assert result.stderr.startswith(line)
    assert ["netbox", "nautobot", "nautobot"] == [
        each["policy"] for each in bob.json("token", "list")
    ]


def test_a_token_that_was_made_tomorrow_is_refused(
    bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would outlive the policy by as much; a clock may be ahead by a day."""
    monkeypatch.setenv("TOKENHOUSE_POLICY__NETBOX__MAX_LIFETIME", "30d")
    now = datetime.now(UTC)
    days = [(now + timedelta(days=day)).isoformat() for day in (-1, 0.9, 1.1, 2, 12)]
    file = jsonl(
        {**rows(3)[0], "created": days[0], "expires": days[4]},
        {**rows(3)[1], "created": days[1], "expires": days[4]},
        {**rows(3)[2], "created": days[2], "expires": days[3]},
    )

    result = bring(bob, file)

    assert "imported 2, already there 0, refused 1\n" == result.stdout
    assert "line 3: user 'bob': created lies in the future\n" == result.stderr


def test_json_has_the_numbers(bob: Any) -> None:
    """For a program that goes on from here."""
    bring(bob, jsonl(*rows(1)))
    file = jsonl(*rows(2), {"key": KEYS[9], "owner": "nobody"})

    result = bring(bob, file, "--json", "--dry-run")

    assert 1 == result.exit_code
    assert {
        "dry_run": True,
        "imported": 1,
        "already_there": 1,
        "under_another_policy": 0,
        "refused": 1,
        "complete": True,
    } == json.loads(result.stdout)


def test_a_dry_run_checks_and_writes_nothing(bob: Any) -> None:
    """Rows and users; the numbers are those of the import that follows."""
    file = jsonl(*rows(2), {"key": KEYS[2], "owner": "nobody"}, {"key": "short", "owner": "bob"})

    result = bring(bob, file, "--dry-run")

    assert (1, "would import 2, already there 0, refused 2\n") == (result.exit_code, result.stdout)
    assert [] == bob.json("token", "list")
    assert "imported 2, already there 0, refused 2\n" == bring(bob, file).stdout


def test_refused_rows_are_told_and_the_others_go_in(bob: Any) -> None:
    """A line for each: where, whose and why; never a key."""
    file = jsonl(
        {"key": KEYS[0], "owner": "nobody"},
        "{broken",
        "",
        "[1]",
        {"key": "a" * 40, "owner": "b\x1bob"},
        {"key": "alice", "owner": KEYS[1]},
        {"key": KEYS[2], "owner": "bob"},
    )

    result = bring(bob, file)

    assert (1, "imported 1, already there 0, refused 5\n") == (result.exit_code, result.stdout)
    assert [
        "line 1: user 'nobody': no such user",
        "line 2: the line is not a JSON object",
        "line 4: the line is not a JSON object",
        "line 5: user 'b\\x1bob': key: it has fewer than 10 different characters",
        "line 6: key: it has 40 visible ASCII characters (no comma) or the form nbt_<12>.<40>",
    ] == result.stderr.splitlines()
    assert "ok" == word(bob, KEYS[2])


def test_a_report_has_every_refused_row(bob: Any) -> None:
    """As JSON lines; nothing is told on top."""
    file = jsonl(*({"key": key, "owner": "nobody"} for key in KEYS), {"key": "x", "owner": KEYS[0]})

    short, whole = bring(bob, file), bring(bob, file, "--report", "refused.jsonl")

    assert 1 == short.exit_code == whole.exit_code
    assert 21 == len(short.stderr.splitlines())
    assert short.stderr.endswith("only 20 refused rows are told; --report writes all of them\n")
    assert "" == whole.stderr
    text = Path("refused.jsonl").read_text("utf-8")
    told = [json.loads(line) for line in text.splitlines()]
    assert {"line": 1, "owner": "nobody", "reason": "no such user"} == told[0]
    assert [31, None] == [told[-1]["line"], told[-1]["owner"]]
    assert not [key for key in KEYS if key in text + short.output + whole.output]


def test_rows_of_csv_that_cannot_be_read_are_refused(bob: Any) -> None:
    """Each by its line, and the reader goes on behind it."""
    good = f"{KEYS[0]},bob,two\nlines"
    Path("tokens.csv").write_bytes(
        f'\ufeffKey,Owner,Description\n{KEYS[0]},bob,"two\nlines"\n\n{KEYS[1]},bob\n'.encode()
        + f'{KEYS[2]},bob,"a"b\n{KEYS[3]},bob,'.encode()
        + b"\xff\n"
        + f"{KEYS[4]},bob,\n".encode()
    )

    result = bring(bob, "tokens.csv")

    assert (1, "imported 2, already there 0, refused 3\n") == (result.exit_code, result.stdout)
    assert [
        "line 5: the row has 2 cells, not 3",
        "line 6: the row is not CSV",
        "line 7: user 'bob': description is not UTF-8",
    ] == result.stderr.splitlines()
    assert ["", good.split(",")[2]] == [each["description"] for each in bob.json("token", "list")]


def test_a_stray_quote_costs_one_row(bob: Any) -> None:
    """The counts add up to the rows of the file."""
    lines = [f'{KEYS[0]},bob,"open', *(f"{key},bob,row" for key in KEYS[1:])]
    Path("tokens.csv").write_text("\n".join(["key,owner,description", *lines]))

    result = bring(bob, "tokens.csv")

    assert "imported 29, already there 0, refused 1\n" == result.stdout
    line = "line 2: a quote is opened and not closed before the next row\n"
    assert (1, line) == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    "head", ["", KEYS[0] + ",bob", "key;owner", "key,owner,key", "key", "key,owner,expire", '"']
)
def test_a_first_line_that_names_no_columns_is_usage(bob: Any, head: str) -> None:
    """A misspelled column would drop what it says; a key in that line is not told."""
    Path("tokens.csv").write_text(f"{head}\n{KEYS[0]},bob\n" if head else "")

    result = bring(bob, "tokens.csv")

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("the first line must name columns, owner and any of key, ")
    assert KEYS[0] not in result.stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("absent.csv", "--policy", "netbox"), "'absent.csv' does not exist"),
        ((".", "--policy", "netbox"), "is a directory"),
        (("tokens.txt", "--policy", "netbox"), "use --format"),
        (("tokens.txt", "--format", "xml", "--policy", "netbox"), "is not one of"),
        (("tokens.jsonl",), "Missing option '--policy'"),
        (("tokens.jsonl", "--policy", "tower"), "is not one of"),
        (("tokens.jsonl", "--policy", "netbox", "--report", "./tokens.jsonl"), "FILE itself"),
        (("tokens.jsonl", "--policy", "netbox", "--report", "no/where"), "no/where: No such file"),
        (("tokens.jsonl", "--policy", "netbox", "--report", "."), "is a directory"),
        (("array.json", "--policy", "netbox"), "array.json is one array of JSON: "),
        (
            ("it's.csv.gz", "--policy", "netbox"),
            "it's.csv.gz is compressed; this unpacks it: "
            "zcat 'it'\"'\"'s.csv.gz' | tokenhouse token import - --format csv …",
        ),
        (("it's.csv.gz", "--policy", "netbox", "--format", "jsonl"), " - --format jsonl …"),
        (
            ("gz.jsonl", "--policy", "netbox"),
            "zcat gz.jsonl | tokenhouse token import - --format j",
        ),
    ],
)
def test_what_cannot_be_begun_is_usage(bob: Any, args: tuple[str, ...], line: str) -> None:
    """Nothing is read, nothing is written."""
    jsonl(*rows(1), name="tokens.txt")
    jsonl(*rows(1))
    Path("array.json").write_text(f" \n{json.dumps(rows(1))}")
    for name in ("it's.csv.gz", "gz.jsonl"):
        Path(name).write_bytes(gzip.compress(b"key,owner\n"))
    before = Path("tokens.jsonl").read_text()

    result = bob("token", "import", *args)

    assert (2, "", True) == (result.exit_code, result.stdout, line in result.stderr)
    assert [] == bob.json("token", "list")
    assert before == Path("tokens.jsonl").read_text()


def test_the_format_can_be_said(bob: Any) -> None:
    """It counts more than the suffix, and a pipe has none."""
    os.mkfifo("pipe")
    text, pipe = Path(table(*rows(2))).read_text(), Path("pipe").absolute()
    # It waits for a reader; where none comes it must not hold up the end of this process.
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()

    assert "imported 2, " in bring(bob, "pipe", "--format", "csv").stdout
    writer.join(10)
    assert "already there 1, " in bring(
        bob, jsonl(*rows(1), name="x.csv"), "--format", "jsonl"
    ).stdout  # fmt: skip


def test_a_policy_that_binds_takes_no_imports(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what the tokens would be bound to."""
    monkeypatch.setenv("TOKENHOUSE_POLICY__NETBOX__BIND_IP", "strict")

    result = bring(bob, jsonl(*rows(1)))

    line = "policy netbox binds its tokens to an address or agent, which imported ones cannot be\n"
    assert (2, "", line) == (result.exit_code, result.stdout, result.stderr)


def test_a_store_that_goes_away_is_told_with_what_is_in(
    bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command goes on from there."""
    monkeypatch.setattr("service.cli.bulk.CHUNK", 2)
    file = jsonl(*rows(5))
    real, calls = Importer.take, []

    async def falters(self: Any, entries: Any) -> Any:
        calls.append(len(entries))
        if len(calls) == 2:
            raise StoreDown("timeout")
        return await real(self, entries)

    with monkeypatch.context() as patch:
        patch.setattr(Importer, "take", falters)
        broken = bring(bob, file)
    again = bring(bob, file)

    line = "store: timeout; the rest was not tried; run the same command again\n"
    assert (1, "imported at least 2, already there 0, refused 0\n", line) == (
        broken.exit_code, broken.stdout, broken.stderr,
    )  # fmt: skip
    assert (0, "imported 3, already there 2, refused 0\n") == (again.exit_code, again.stdout)


def test_progress_shows_on_a_terminal_only(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to standard error, by how much of the file is done."""
    real, seen = click.progressbar, []

    def watched(**options: Any) -> Any:
        seen.append((options["length"], options["hidden"]))
        return real(**options)

    monkeypatch.setattr(click, "progressbar", watched)
    file = jsonl(*rows(2))
    bring(bob, file)
    screen = SimpleNamespace(isatty=lambda: True, write=lambda text: None, flush=lambda: None)
    monkeypatch.setattr("service.cli.bulk.sys", SimpleNamespace(stderr=screen))
    result = bring(bob, file, "--dry-run")

    size = Path(file).stat().st_size
    assert [(size, True), (size, False)] == seen
    assert "would import 0, already there 2, refused 0\n" == result.stdout


@pytest.mark.parametrize("setting", ["URL", "unborn"])
def test_without_a_store_nothing_is_begun(
    unborn: Any, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Out of reach, or not set up."""
    if setting == "URL":
        monkeypatch.setenv("TOKENHOUSE_STORE__URL", "memory://")

    result = bring(unborn, jsonl(*rows(1)))

    wanted = {
        "URL": (2, "store.url is memory://: "),
        "unborn": (1, "store: not set up: run tokenhouse store init"),
    }[setting]
    assert (wanted[0], "", True) == (
        result.exit_code, result.stdout, result.stderr.startswith(wanted[1]),
    )  # fmt: skip
