"""A file goes in row by row: what both imports have in common, from opening it to the counts."""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, FileIO
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, TypeVar

import click

from service.cli.options import FAULTY, REFUSED, stop
from service.cli.rows import Begins, Line, NoColumns, csv_lines, json_lines
from service.cli.session import operate
from service.cli.shown import json_text, print_json, printable, say
from service.config import Config
from service.core.arrivals import Became, Fate, refused
from service.core.cells import BadRow, Row
from service.errors import StoreDown
from service.house import House

CHUNK = 500
"""How many rows go to the store at once."""

PATIENCE_MS = 10_000
"""How long the store may take for them, at least: nobody waits for an answer but the command."""

TOLD = 20
"""How many refused rows are told without a report."""

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
STDIN = "-"
GZIP = b"\x1f\x8b"

ALWAYS = (Became.THERE, Became.REFUSED)
"""What is counted aloud also where there is none."""

Entry = TypeVar("Entry")
Take = Callable[[list[Line]], Awaitable[list[Fate]]]
"""Brings rows in: the fate of each, in order. StoreDown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The options of an import: what to read, how, and where to tell of what was refused."""

    file: str
    kind: str | None
    dry_run: bool
    report: Path | None
    as_json: bool

    @property
    def name(self) -> str:
        """The file as a message has it."""
        return "standard input" if self.file == STDIN else printable(self.file)


def bulk_options(command: Any) -> Any:
    """FILE, and the options that say what it is and what becomes of it."""
    file = click.Path(exists=True, dir_okay=False, allow_dash=True)
    report = click.Path(dir_okay=False, writable=True, path_type=Path)
    for add in (
        click.option(
            "--report",
            type=report,
            help="Write the refused rows to this file: line, owner and reason, never a key.",
        ),
        click.option("--dry-run", is_flag=True, help="Check every row, write nothing."),
        click.option(
            "--format",
            "kind",
            type=click.Choice(("jsonl", "csv")),
            help="What FILE is. Default: as its suffix says.",
        ),
        click.argument("file", metavar="FILE", type=file),
    ):
        command = add(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What rows there may be.

    *command* imports them, *columns* are theirs, of which *owner* says whose they are; *begins* is
    that of ``csv_lines``; *shows* is whether an owner may be told (he may be a key); *fates* are
    what may become of them.
    """

    command: str
    columns: Sequence[str]
    owner: str
    begins: Begins
    shows: Callable[[str], bool]
    fates: Sequence[Became] = tuple(Became)


def bring(
    config: Config, order: Order, cargo: Cargo, *, work: Callable[[House, Tally], Awaitable[None]]
) -> None:
    """Let *work* ``carry`` the rows that *order* names, and tell what became of them."""
    with ExitStack() as files:
        tally = _opened(order, cargo, files)
        try:
            operate(_patient(config), lambda house: work(house, tally))
        except (asyncio.CancelledError, KeyboardInterrupt):
            tally.broken = "stopped by a signal"
    _conclude(tally)


def _patient(config: Config) -> Config:
    """*config* with time enough for many rows at once."""
    store = config.store
    longer = store.model_copy(update={"timeout": max(store.timeout, PATIENCE_MS)})
    return config.model_copy(update={"store": longer})


# -- opening -------------------------------------------------------------------------------------


def _opened(order: Order, cargo: Cargo, files: ExitStack) -> Tally:
    """The file, open and looked at; ends when it cannot be read or is something else."""
    try:
        raw = _file(order, files)
        kind = _kind(order, cargo, raw.peek(len(GZIP)))
        lines = _csv(raw, cargo) if kind == "csv" else json_lines(raw)
    except OSError as error:
        stop(FAULTY, f"{order.name}: {error.strerror}")
    # A pipe has no size, and no place where one is in it.
    size = os.fstat(raw.fileno()).st_size if raw.seekable() else 0
    report = _report(order, raw, files)
    return Tally(order=order, cargo=cargo, raw=raw, size=size, lines=lines, report=report)


def _file(order: Order, files: ExitStack) -> BufferedReader:
    return files.enter_context(open(0 if order.file == STDIN else order.file, "rb"))


def _kind(order: Order, cargo: Cargo, start: bytes) -> str:
    """What the file is, which begins with *start*."""
    suffixes = [SUFFIXES.get(suffix.lower()) for suffix in reversed(Path(order.file).suffixes)]
    if start.startswith(GZIP):
        inside = order.kind or next(filter(None, suffixes), "csv")
        line = f"zcat {shlex.quote(order.file)} | {cargo.command} - --format {inside}"
        stop(FAULTY, printable(f"{order.name} is compressed; this unpacks it: {line} …"))
    kind = order.kind or next(iter(suffixes), None)
    if kind is None:
        what = order.name if order.file == STDIN else "the suffix of FILE"
        stop(FAULTY, f"{what} does not say what it is: use --format")
    if kind == "jsonl" and start.lstrip().startswith(b"["):
        line = "it needs an object in each line, as jq -c '.[]' writes them"
        stop(FAULTY, f"{order.name} is one array of JSON: {line}")
    return kind


def _csv(raw: BinaryIO, cargo: Cargo) -> Iterator[Line]:
    try:
        return csv_lines(raw, cargo.columns, must=cargo.owner, begins=cargo.begins)
    except NoColumns:
        # Not what stands there: without its head, the first line holds a key.
        columns = ", ".join(cargo.columns)
        stop(FAULTY, f"the first line must name columns, {cargo.owner} and any of {columns}")


def _report(order: Order, raw: BinaryIO, files: ExitStack) -> FileIO | None:
    """The report, open: unbuffered, so that what cannot be written is known at once."""
    path = order.report
    if path is None:
        return None
    try:
        if path.exists() and os.path.samestat(path.stat(), os.fstat(raw.fileno())):
            stop(FAULTY, "--report: that is FILE itself")
        return files.enter_context(path.open("wb", buffering=0))
    except OSError as error:
        stop(FAULTY, printable(f"{error.filename}: {error.strerror}"))


# -- going on ------------------------------------------------------------------------------------


class _Broken(Exception):
    """The import cannot go on; the message says why."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What comes from where, and what became of it so far."""

    order: Order
    cargo: Cargo
    raw: BinaryIO
    size: int
    lines: Iterator[Line]
    report: FileIO | None = None
    counts: Counter[Became] = field(default_factory=Counter)
    broken: str = ""
    reading: bool = False
    stopped: bool = False
    position: int = 0

    def some(self) -> list[Line]:
        """The next rows, none at the end of the file."""
        self.reading = True
        try:
            if self.stopped:
                raise KeyboardInterrupt
            return list(islice(self.lines, CHUNK))
        except OSError as error:
            raise _Broken(f"{self.order.name}: {error.strerror}") from error
        finally:
            self.reading = False

    def note(self, lines: Sequence[Line], fates: Sequence[Fate]) -> None:
        """Count *lines*, and then tell of those that were refused."""
        before = self.counts[Became.REFUSED]
        self.counts.update(fate.word for fate in fates)
        refused = [
            (line, fate.reason)
            for line, fate in zip(lines, fates, strict=True)
            if fate.word is Became.REFUSED
        ]
        told = refused if self.report else refused[: max(TOLD - before, 0)]
        for line, reason in told:
            self._tell(line, reason)

    def _tell(self, line: Line, reason: str) -> None:
        owner = self._owner(line)
        if self.report is None:
            who = f"user {owner!r}: " if owner else ""
            click.echo(printable(f"line {line.number}: {who}{reason}"), err=True)
            return
        text = json_text({"line": line.number, "owner": owner, "reason": reason}) + "\n"
        raw = text.encode()
        try:
            if self.report.write(raw) != len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _Broken(f"{self.order.report}: {error.strerror}") from error

    def _owner(self, line: Line) -> str | None:
        """The owner that a row names, unless that may be a key in the wrong column."""
        owner = line.row.get(self.cargo.owner)
        return owner if isinstance(owner, str) and self.cargo.shows(owner) else None

    def advance(self) -> int:
        """How many bytes were read since the last call."""
        before, self.position = self.position, self.raw.tell() if self.size else 0
        return self.position - before


async def carry(tally: Tally, take: Take) -> None:
    """Let *take* have every row; what ends it early is noted, and is no error here."""
    label = "Checking" if tally.order.dry_run else "Importing"
    hidden = not (tally.size and sys.stderr.isatty())
    bar = click.progressbar(length=tally.size, label=label, hidden=hidden, file=sys.stderr)
    with bar as progress, _stopping(tally):
        try:
            while some := tally.some():
                tally.note(some, await take(some))
                progress.update(tally.advance())
        except StoreDown as error:
            tally.broken = f"store: {error.reason}"
        except _Broken as error:
            tally.broken = printable(str(error))


@contextmanager
def _stopping(tally: Tally) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the import at the next step, or the reading it waits for."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop_it(number: int, frame: FrameType | None) -> None:
        tally.stopped = True
        if tally.reading:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, stop_it) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def fates_of(
    lines: list[Line],
    read: Callable[[Row], Entry],
    take: Callable[[list[Entry]], Awaitable[list[Fate]]],
) -> list[Fate]:
    """What becomes of *lines*: *take* decides about those that can be *read*."""
    found = [_read(line, read) for line in lines]
    taken = iter(await take([each for each in found if not isinstance(each, Fate)]))
    return [each if isinstance(each, Fate) else next(taken) for each in found]


def _read(line: Line, read: Callable[[Row], Entry]) -> Entry | Fate:
    try:
        return refused(line.fault) if line.fault else read(line.row)
    except BadRow as error:
        return refused(str(error))


def _conclude(tally: Tally) -> None:
    """Print the counts; ends with 1 when a row was refused, or was not tried at all."""
    counts = {word: tally.counts[word] for word in tally.cargo.fates}
    if tally.order.as_json:
        numbers = {word.replace(" ", "_"): count for word, count in counts.items()}
        print_json({"dry_run": tally.order.dry_run, **numbers, "complete": not tally.broken})
    else:
        least = "at least " if tally.broken else ""
        verb = "would import" if tally.order.dry_run else "imported"
        imported = f"{verb} {least}{counts.pop(Became.IMPORTED)}"
        others = [f"{word} {counts[word]}" for word in counts if word in ALWAYS or counts[word]]
        say(", ".join([imported, *others]))
    _warn(tally)
    if tally.broken:
        stop(REFUSED, f"{tally.broken}; the rest was not tried; run the same command again")
    if tally.counts[Became.REFUSED]:
        raise SystemExit(REFUSED)


def _warn(tally: Tally) -> None:
    order, counts = tally.order, tally.counts
    if counts[Became.REFUSED] > TOLD and order.report is None:
        click.echo(f"only {TOLD} refused rows are told; --report writes all of them", err=True)
    if counts[Became.ELSEWHERE]:
        line = "were imported under another policy than this one, and stay under that"
        click.echo(f"warning: {counts[Became.ELSEWHERE]} of these tokens {line}", err=True)
