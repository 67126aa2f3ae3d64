"""Nothing in this house grows until nobody reads it: the budgets of files, functions, scripts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "service").rglob("*.py"))
SCRIPTS = sorted((ROOT / "lua").rglob("*.lua"))

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_LINES = 10
P95_LINES = 40
PARAMETERS = 6
POSITIONAL = 3
SCRIPT_LINES = 80
HOT_LINES = 120


def named(path: Path) -> str:
    """How *path* is called in a test's id."""
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class Function:
    """What is counted of a function."""

    name: str
    lines: int
    positional: int
    keyword: int
    private: bool
    """Called by its neighbours only."""
    foreign: bool
    """Its signature is another library's: ``# called so by NAME`` stands on its first line."""


def functions(path: Path) -> Iterator[Function]:
    """Every function in *path*, methods and inner ones too; ``self`` and ``cls`` do not count."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [*node.args.posonlyargs, *node.args.args]
            if positional and positional[0].arg in {"self", "cls"}:
                positional.pop(0)
            yield Function(
                f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                (node.end_lineno or node.lineno) - node.lineno + 1,
                len(positional),
                len(node.args.kwonlyargs),
                node.name.startswith("_") and not node.name.endswith("__"),
                "# called so by " in lines[node.lineno - 1],
            )


def body(script: str) -> list[str]:
    """The lines of *script* below its header: shebang, comments, blanks."""
    below = dropwhile(lambda line: not line or line.startswith(("#!", "--")), script.splitlines())
    return list(below)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_one_sitting_long(path: Path):
    """A Python file of the service has at most 400 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_function_fits_a_screen(path: Path):
    """No function has more than 60 lines."""
    assert [] == [each.name for each in functions(path) if each.lines > FUNCTION_LINES]


def told_too_much(each: Function) -> bool:
    """True when a caller could mistake one argument for another."""
    if each.foreign:
        return False
    by_position = PARAMETERS if each.private else POSITIONAL
    return each.positional + each.keyword > PARAMETERS or each.positional > by_position


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_function_is_told_only_what_it_can_remember(path: Path):
    """At most six parameters; what others call takes the fourth and later ones by name only."""
    assert [] == [each.name for each in functions(path) if told_too_much(each)]


def test_most_functions_are_short():
    """Half of all functions have at most 10 lines, and 95 of 100 at most 40."""
    lengths = [each.lines for path in MODULES for each in functions(path)]

    assert median(lengths) <= MEDIAN_LINES
    assert quantiles(lengths, n=20)[-1] <= P95_LINES


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_is_one_decision_long(path: Path):
    """A Lua script has at most 80 lines below its header; the one of every request 120."""
    most = HOT_LINES if path.stem == "verify" else SCRIPT_LINES
    assert len(body(path.read_text("utf-8"))) <= most
