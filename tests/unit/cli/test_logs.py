"""The log's lines: one each, readable, and without what must not be seen."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest

from service.cli.logs import settings
from service.errors import StoreDown

NASTY = 'a\nb\x1b[2J\x9b\u2028\u202e\udcff"'


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was logged."""
    out, err = capsys.readouterr()
    assert "" == out
    return err.splitlines()


def failed() -> None:
    """Fail as the store's client does, with a secret in the cause."""
    try:
        raise ValueError("AUTH hunter2")
    except ValueError as error:
        raise StoreDown("noauth") from error


def test_a_json_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, logger and message are in it."""
    logging.config.dictConfig(settings("json", "info"))

    logging.getLogger("a.b").warning("%d of %s", 1, "x")
    (line,) = lines(capsys)
    told = json.loads(line)

    assert {"time": told["time"], "level": "warning", "logger": "a.b", "message": "1 of x"} == told
    assert len("2026-01-01T00:00:00.000Z") == len(told["time"])


def test_a_text_line_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts, in a row."""
    logging.config.dictConfig(settings("text", "info"))

    logging.getLogger("a.b").warning("%d of %s", 1, "x")

    assert "warning a.b: 1 of x" == lines(capsys)[0].split(" ", 1)[1]


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_message_cannot_forge_a_line_nor_steer_a_terminal(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that is not seen as itself is escaped."""
    logging.config.dictConfig(settings(style, "info"))

    logging.getLogger("x").error("%s", NASTY)
    (line,) = lines(capsys)

    assert line.isprintable()


@pytest.mark.parametrize("style", ["json", "text"])
def test_an_error_is_told_without_the_words_of_others(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes and places, and a message only where it is ours."""
    logging.config.dictConfig(settings(style, "info"))

    try:
        failed()
    except StoreDown:
        logging.getLogger("x").exception("it failed")
    (line,) = lines(capsys)

    assert "StoreDown: noauth from ValueError" in line
    assert "test_logs.py" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("style", ["json", "text"])
def test_an_error_without_a_place_is_still_a_line(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception that was never raised has no traceback."""
    logging.config.dictConfig(settings(style, "info"))

    logging.getLogger("x").error("odd", exc_info=KeyError("k"))

    assert "KeyError" in lines(capsys)[0]


def test_the_level_holds_for_uvicorn_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Its loggers have no handlers of their own, so nothing is written twice."""
    logging.config.dictConfig(settings("json", "warning"))

    for name in ("uvicorn.error", "asyncio", "service.app"):
        logging.getLogger(name).info("no")
        logging.getLogger(name).warning("yes")
    told: list[dict[str, Any]] = [json.loads(line) for line in lines(capsys)]

    assert ["uvicorn.error", "asyncio", "service.app"] == [each["logger"] for each in told]
