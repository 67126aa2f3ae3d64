"""``tokenhouse token import``: tokens that NetBox or Nautobot made, from a file."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import click
import orjson

from service.cli.options import FAULTY, REFUSED, json_wanted, named_file, stop
from service.cli.session import operate, shared
from service.cli.shown import json_text, print_json, printable
from service.config import Config
from service.core.arrivals import Became, Fate, Importer, refused
from service.core.importing import (
    COLUMNS,
    LONGEST,
    BadRow,
    Entry,
    Terms,
    binds,
    entry_of,
    looks_like_a_key,
    terms_of,
)
from service.errors import StoreDown
from service.house import House

CHUNK = 500
"""How many rows go to the store at once."""

PATIENCE_MS = 10_000
"""How long the store may take for them, at least: nobody waits for an answer but the command."""

TOLD = 20
"""How many refused rows are told without a report."""

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The options of ``token import``."""

    file: Path
    policy: str
    kind: str | None
    dry_run: bool
    report: Path | None


@click.command("import")
@click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@named_file
@json_wanted
@click.option(
    "--policy",
    required=True,
    type=click.Choice(tuple(LONGEST)),
    help="Which rules the tokens live under: those of the product that made them.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("jsonl", "csv")),
    help="What FILE is. Default: as its suffix says.",
)
@click.option("--dry-run", is_flag=True, help="Check every row and every user, write nothing.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows to this file: line, owner and reason, never a key.",
)
def import_tokens(*, path: str | None, as_json: bool, **given: Any) -> None:
    """Take in the tokens of FILE: they go on working, their holders notice nothing.

    FILE is CSV with column names in its first line, or has a JSON object in each line. A row has
    owner, and key or else digest (SHA-256 of the key, in hex) and first4 (the first four
    characters of the key); it may have created, expires, write_enabled, description and
    allowed_ips.

    It can be run again: a row that is there already is left as it is, and a token that was revoked
    here stays dead. Exits 1 when rows were refused; the others are in.

    \b
    Example:
      tokenhouse token import tokens.csv --policy netbox --dry-run
      tokenhouse token import tokens.csv --policy netbox --report refused.jsonl
    """
    order = Order(**given)
    config = _patient(shared(path))
    if binds(config.policies()[order.policy]):
        line = "binds its tokens to an address or agent, which imported ones cannot be"
        stop(FAULTY, f"policy {order.policy} {line}")
    with ExitStack() as files:
        tally = _opened(order, files)
        operate(config, lambda house: _import(house, order, tally))
    _conclude(tally, order, as_json=as_json)


def _patient(config: Config) -> Config:
    """*config* with time enough for many rows at once."""
    store = config.store
    patient = store.model_copy(update={"timeout": max(store.timeout, PATIENCE_MS)})
    return config.model_copy(update={"store": patient})


# -- reading -------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One row of the file: *row*, or why there is none."""

    number: int
    row: Mapping[str, object]
    fault: str = ""


def json_lines(raw: BinaryIO) -> Iterator[Line]:
    """A row for each line that is not blank."""
    for number, line in enumerate(raw, 1):
        text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if text:
            yield _json_line(number, text)


def _json_line(number: int, text: bytes) -> Line:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        row = None
    if isinstance(row, dict):
        return Line(number, row)
    return Line(number, {}, "the line is not a JSON object")


def csv_lines(raw: BinaryIO) -> Iterator[Line]:
    """A row for each row below the first one, which names the columns; it is read at once."""
    texts = (line.decode("utf-8", "surrogateescape") for line in raw)
    reader = csv.reader(texts, strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
    except csv.Error:
        head = []
    if head:
        head[0] = head[0].removeprefix("\ufeff")
    if len({*head}) < len(head) or not {*head} <= {*COLUMNS} or "owner" not in head:
        # Not what stands there: without its head, the first line holds a key.
        stop(FAULTY, f"the first line must name columns, owner and any of {', '.join(COLUMNS)}")
    return _csv_lines(reader, head)


def _csv_lines(reader: Any, head: list[str]) -> Iterator[Line]:
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            yield Line(number, {}, "the row is not CSV")
            continue
        if cells is None:
            return
        if len(cells) == len(head):
            yield Line(number, dict(zip(head, cells, strict=True)))
        elif cells:
            yield Line(number, {}, f"the row has {len(cells)} cells, not {len(head)}")


# -- working -------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Tally:
    """What comes from where, and what became of it so far."""

    raw: BinaryIO
    size: int
    lines: Iterator[Line]
    report: TextIO | None = None
    counts: Counter[Became] = field(default_factory=Counter)
    broken: str = ""
    position: int = 0

    def note(self, line: Line, fate: Fate) -> None:
        """Count *line*, and tell of it when it was refused."""
        self.counts[fate.word] += 1
        if fate.word is not Became.REFUSED:
            return
        told = {"line": line.number, "owner": _owner(line), "reason": fate.reason}
        if self.report is not None:
            self.report.write(json_text(told) + "\n")
        elif self.counts[Became.REFUSED] <= TOLD:
            who = f"user {told['owner']!r}: " if told["owner"] else ""
            click.echo(printable(f"line {line.number}: {who}{fate.reason}"), err=True)

    def advance(self) -> int:
        """How many bytes were read since the last call."""
        before, self.position = self.position, self.raw.tell() if self.size else 0
        return self.position - before


def _owner(line: Line) -> str | None:
    """The owner that a row names, unless that may be a key in the wrong column."""
    owner = line.row.get("owner")
    return owner if isinstance(owner, str) and not looks_like_a_key(owner) else None


def _opened(order: Order, files: ExitStack) -> Tally:
    kind = order.kind or SUFFIXES.get(order.file.suffix.lower())
    if kind is None:
        stop(FAULTY, "the suffix of FILE does not say what it is: use --format")
    try:
        raw = files.enter_context(order.file.open("rb"))
        report = order.report
        if report is not None and report.exists() and report.samefile(order.file):
            stop(FAULTY, "--report: that is FILE itself")
        lines = csv_lines(raw) if kind == "csv" else json_lines(raw)
        told = files.enter_context(report.open("w", encoding="utf-8")) if report else None
    except OSError as error:
        stop(FAULTY, printable(f"{error.filename}: {error.strerror}"))
    # A pipe has no size, and no place where one is in it.
    size = order.file.stat().st_size if raw.seekable() else 0
    return Tally(raw=raw, size=size, lines=lines, report=told)


async def _import(house: House, order: Order, tally: Tally) -> None:
    terms = terms_of(house.policies[order.policy])
    importer = Importer(house.users, house.tokens, write=not order.dry_run)
    hidden = not (tally.size and sys.stderr.isatty())
    label = "Checking" if order.dry_run else "Importing"
    with click.progressbar(
        length=tally.size, label=label, hidden=hidden, file=sys.stderr
    ) as progress:
        while some := list(islice(tally.lines, CHUNK)):
            try:
                await _take(some, importer, terms, tally)
            except StoreDown as error:
                tally.broken = error.reason
                return
            progress.update(tally.advance())


async def _take(some: list[Line], importer: Importer, terms: Terms, tally: Tally) -> None:
    read = [_read(line, terms) for line in some]
    fates = iter(await importer.take([each for each in read if isinstance(each, Entry)]))
    for line, each in zip(some, read, strict=True):
        tally.note(line, next(fates) if isinstance(each, Entry) else each)


def _read(line: Line, terms: Terms) -> Entry | Fate:
    if line.fault:
        return refused(line.fault)
    try:
        return entry_of(line.row, terms)
    except BadRow as error:
        return refused(str(error))


def _conclude(tally: Tally, order: Order, *, as_json: bool) -> None:
    imported, there, bad = (tally.counts[word] for word in Became)
    if as_json:
        counts = {"imported": imported, "already_there": there, "refused": bad}
        print_json({"dry_run": order.dry_run, **counts})
    else:
        verb = "would import" if order.dry_run else "imported"
        click.echo(f"{verb} {imported}, already there {there}, refused {bad}")
    if bad > TOLD and order.report is None:
        click.echo(f"only {TOLD} refused rows are told; --report writes all of them", err=True)
    if tally.broken:
        line = "the rest was not tried; run the same command again"
        stop(REFUSED, f"store: {tally.broken}; {line}")
    if bad:
        raise SystemExit(REFUSED)
