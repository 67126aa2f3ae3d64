"""What goes into a log line: client text that cannot forge a line, failures without their data."""

from __future__ import annotations

import logging
import traceback

from service.core.address import unpack
from service.errors import BadCredentials, TokenhouseError

LOGIN = logging.getLogger("tokenhouse.login")
SHOWN = 150
CAUSES = 10


def shown(text: str) -> str:
    """*text* on one line, cut at 150 characters, control and non-ASCII characters escaped."""
    return text[:SHOWN].encode("unicode_escape").decode("ascii")


def login_failed(name: str, address: bytes, error: TokenhouseError) -> None:
    """Write down that *name* could not log in from *address*, and in one word why.

    Every API says it in these words: who bans addresses looks for them.
    """
    reason = "" if isinstance(error, BadCredentials) else f" ({type(error).__name__})"
    LOGIN.warning("login failed for user %s from %s%s", shown(name), unpack(address), reason)


def trace(error: BaseException) -> str:
    """Where *error* came from and of which kind; its message may hold a secret and is left out."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < CAUSES:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{' from '.join(kinds)}\n{frames}"
