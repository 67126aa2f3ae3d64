"""Every module says what it is, and every test says which behaviour it holds us to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "service").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def named(path: Path) -> str:
    """How *path* is called in a test's id."""
    return str(path.relative_to(ROOT))


def parse(path: Path) -> ast.Module:
    """The syntax tree of the file at *path*."""
    return ast.parse(path.read_text("utf-8"))


def cases(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every test function of *path*, those in classes too."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test"
        ):
            yield node


def says_little(docstring: str | None) -> bool:
    """True when there is no sentence, or one about testing instead of about behaviour."""
    text = (docstring or "").strip()
    return not text or text.lower().startswith("test") or text.splitlines()[0][-1] not in ".?!"


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=named)
def test_a_module_says_what_it_is(path: Path):
    """Each module of the service, and each file of tests, begins with a docstring."""
    assert ast.get_docstring(parse(path))


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_a_test_says_the_behaviour_in_a_sentence(path: Path):
    """A test's docstring begins with a sentence, and not with the word "test"."""
    poor = [node.name for node in cases(path) if says_little(ast.get_docstring(node))]

    assert [] == poor
