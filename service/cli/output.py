"""How a command ends when what it prints gets lost: the disk is full, or nobody reads on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from service.cli.options import REFUSED, stop

UNREAD = 128 + 13
"""The exit status of a program that SIGPIPE ends: whoever closed the pipe has read enough."""

LOST = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Why a line cannot be written."""


class Commands(click.Group):
    """The commands; each ends with one line when what it prints gets lost, or with none."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As in click; prints the help."""
        with _printing():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """As in click; runs the command."""
        with _printing():
            return super().invoke(ctx)


@contextmanager
def _printing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, *LOST):
            raise
        _forget()
        if error.errno == errno.EPIPE:
            raise SystemExit(UNREAD) from None
        with suppress(OSError):
            stop(REFUSED, f"standard output: {error.strerror}")
        raise SystemExit(REFUSED) from None


def _forget() -> None:
    """Let nobody try again at the end what standard output still holds."""
    with suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
