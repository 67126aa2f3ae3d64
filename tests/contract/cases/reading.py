"""Reads the cases: from the files to requests and to what their answers must be. Starts nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

FOLDER = Path(__file__).parent
BOUNDARY = "X-boundary-X"
MARK = re.compile(r"<([a-z0-9_]+(?:\.[a-z0-9_]+)*)>")
UNKNOWN = {
    "id": r"[0-9]+",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "key": r"[0-9a-f]{40}",
    "tail": r"[0-9a-f]{6}",
    "moment": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3,6})?Z",
    "any": r"[^\"]*",
}
ANY = "any"
"""Stands for another text each time."""
QUESTION = {"request", "as", "headers", "body", "raw", "json", "form", "multipart"}
EXPECTED = {"status", "answer", "detail", "says", "same", "shows"}
CASE = QUESTION | EXPECTED | {"name", "source", "settings", "before"}
TOP = {"settings", "source", "headers", "answer", "case"}

Known = Mapping[str, str]


class BadCase(ValueError):
    """A file says what this reader does not know."""


@dataclass(frozen=True)
class World:
    """The users, the tokens and the sets of settings of one product.

    *credential* is the header, name and value, in which ``as`` sends a token; *patterns* are what
    is not known beforehand.
    """

    policy: str
    credential: tuple[str, str]
    patterns: Mapping[str, str]
    settings: Mapping[str, Mapping[str, str]]
    users: list[dict[str, Any]]
    tokens: list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One question and the answer to it; *data* is the table of the file, defaults filled in."""

    product: str
    subject: str
    data: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How a test of it is called."""
        return f"{self.product}/{self.subject}: {self.data['name']}"

    @property
    def settings(self) -> str:
        """Which node answers."""
        name: str = self.data["settings"]
        return name


@dataclass(frozen=True)
class Question:
    """A request, ready to be sent; *keep* is what its answer will be called."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    content: bytes
    keep: str = ""


@dataclass
class Match:
    """What placeholders stood for; *patterns* say what each kind of them may stand for."""

    patterns: Mapping[str, str] = field(default_factory=lambda: UNKNOWN)
    values: dict[str, str] = field(default_factory=dict)

    def check(self, pattern: str, text: str, known: Known, *, whole: bool = True) -> None:
        """Hold *text* to *pattern*; AssertionError when it differs."""
        made = re.compile(self._regex(pattern, known), re.DOTALL)
        found = made.fullmatch(text) if whole else made.search(text)
        assert found is not None, f"\nexpected {fill(pattern, known)}\n     got {text}"
        self.values |= {name[2:]: value for name, value in found.groupdict().items()}
        self._check_tails()

    def _regex(self, pattern: str, known: Known) -> str:
        parts: list[str] = []
        seen: set[str] = set()
        at = 0
        text = fill(pattern, {**known, **self.values})
        for mark in MARK.finditer(text):
            kind = self.patterns.get(mark[1].rstrip("0123456789"))
            if kind is None:
                continue
            parts.append(re.escape(text[at : mark.start()]))
            parts.append(_group(mark[1], kind, seen))
            at = mark.end()
        return "".join(parts) + re.escape(text[at:])

    def _check_tails(self) -> None:
        for name, tail in self.values.items():
            key = self.values.get(name.replace("tail", "key"), tail)
            assert not name.startswith("tail") or key.endswith(tail), (key, tail)


def _group(name: str, kind: str, seen: set[str]) -> str:
    """What matches the placeholder *name*; the same text again where it was *seen*."""
    if name == ANY:
        return kind
    again = name in seen
    seen.add(name)
    return f"(?P=p_{name})" if again else f"(?P<p_{name}>{kind})"


def fill(text: str, known: Known) -> str:
    """*text* with every known placeholder replaced."""
    return MARK.sub(lambda mark: known.get(mark[1], mark[0]), text)


@cache
def world(product: str) -> World:
    """The world of *product*."""
    raw = tomllib.loads((FOLDER / product / "world.toml").read_text("utf-8"))
    settings = {
        name: {f"TOKENHOUSE_{key}": value for key, value in table.items()}
        for name, table in raw["settings"].items()
    }
    name, _, value = raw.get("credential", "Authorization: Token <key>").partition(": ")
    return World(
        policy=raw["policy"],
        credential=(name, value),
        patterns={**UNKNOWN, **raw.get("patterns", {})},
        settings=settings,
        users=raw.get("user", []),
        tokens=raw.get("token", []),
    )


def cases() -> Iterator[Case]:
    """Every case of every product. BadCase."""
    for path in sorted(FOLDER.glob("*/*.toml")):
        if path.name != "world.toml":
            yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Case]:
    raw = tomllib.loads(path.read_text("utf-8"))
    if set(raw) - TOP:
        raise BadCase(f"{path}: {sorted(set(raw) - TOP)}")
    product = path.parent.name
    for table in raw["case"]:
        data = {key: raw[key] for key in ("settings", "source") if key in raw} | table
        data["headers"] = {**raw.get("headers", {}), **table.get("headers", {})}
        data["answer"] = {**raw.get("answer", {}), **table.get("answer", {})}
        lost = {"name", "source", "settings", "request", "status"} - set(data)
        odd = set(data) - CASE
        if lost or odd or data["settings"] not in world(product).settings:
            raise BadCase(f"{path}: {table.get('name')}: {sorted(lost)} {sorted(odd)}")
        yield Case(product, path.stem, data)


def question(table: Mapping[str, Any], known: Known, made: World) -> Question:
    """The request that *table* asks for in the world *made*."""
    method, _, path = fill(table["request"], known).partition(" ")
    kind, content = _content(table, known)
    headers = {"Content-Type": kind} if kind else {}
    if "as" in table:
        name, value = made.credential
        headers[name] = value.replace("<key>", known[f"{table['as']}.key"])
    headers |= table.get("headers", {})
    sent = [
        (name.encode(), fill(value, known).encode("latin-1"))
        for name, value in headers.items()
        if value
    ]
    return Question(method, path, sent, content, table.get("keep", ""))


def _content(table: Mapping[str, Any], known: Known) -> tuple[str, bytes]:
    if "json" in table:
        return "application/json", fill(json.dumps(table["json"]), known).encode()
    if "form" in table:
        pairs = {name: fill(value, known) for name, value in table["form"].items()}
        return "application/x-www-form-urlencoded", urlencode(pairs).encode()
    if "multipart" in table:
        return f"multipart/form-data; boundary={BOUNDARY}", _multipart(table["multipart"], known)
    if "raw" in table:
        return "", table["raw"].encode("latin-1")
    return "", fill(table.get("body", ""), known).encode()


def _multipart(fields: Mapping[str, str], known: Known) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return fill("".join(parts) + f"--{BOUNDARY}--\r\n", known).encode()


def kept(name: str, value: object) -> Iterator[tuple[str, str]]:
    """(placeholder, text) of everything in *value*, the JSON of an answer called *name*."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from kept(f"{name}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from kept(f"{name}.{index}", inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
