"""What log lines look like: one line each, JSON or text, on standard error, without secrets."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from service.cli.shown import json_text, printable
from service.errors import TokenhouseError

FRAMES = 20
"""How many of the innermost frames of an error are told."""

CAUSES = 10


class Line(logging.Formatter):
    """One record as one line; a subclass says how its facts are put together."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole line."""
        return self.line(dict(facts(record)))

    def line(self, told: dict[str, Any]) -> str:
        """*told* as one line."""
        raise NotImplementedError


class Json(Line):
    """For machines."""

    def line(self, told: dict[str, Any]) -> str:
        """One JSON object."""
        return json_text(told)


class Plain(Line):
    """For people."""

    def line(self, told: dict[str, Any]) -> str:
        """Time, level, logger and message; then the error, if any."""
        text = "{time} {level:<7} {logger}: {message}".format_map(told)
        if "error" in told:
            text += f" [{told['error']} at {' < '.join(told['at']) or '?'}]"
        return printable(text)


def facts(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What a line tells of *record*."""
    moment = datetime.fromtimestamp(record.created, UTC)
    yield "time", moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    yield "level", record.levelname.lower()
    yield "logger", record.name
    yield "message", _encodable(record.getMessage())
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        yield "error", _encodable(" from ".join(map(_named, islice(_chain(error), CAUSES))))
        yield "at", list(_places(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _named(error: BaseException) -> str:
    """The class of *error*, and its message if that is ours: another's may quote what we sent."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, TokenhouseError) else name


def _places(error: BaseException) -> Iterator[str]:
    """Where *error* came from, innermost first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)[-FRAMES:]):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def settings(style: str, level: str) -> dict[str, Any]:
    """The log settings for ``dictConfig``; uvicorn applies them in each worker by itself."""
    form = Json if style == "json" else Plain
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{form.__module__}.{form.__qualname__}"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["stderr"], "level": level.upper()},
    }
