"""Runs what a command wants on the shared store, and says in one line why it could not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.cli.options import FAULTY, REFUSED, loaded, stop
from service.cli.shown import printable
from service.config import Config
from service.errors import (
    LabelTaken,
    NoSuchToken,
    NoSuchUser,
    NotSetUp,
    StoreDown,
    TokenhouseError,
    UserDisabled,
    UserExists,
)
from service.house import House, build

T = TypeVar("T")
Work = Callable[[House], Awaitable[T]]

LINES: dict[type[TokenhouseError], str] = {
    NoSuchUser: "no user called {}",
    UserExists: "there is a user called {} already",
    UserDisabled: "user {} is disabled",
    NoSuchToken: "no such token: {}",
    LabelTaken: "user {} has a live token with this label already",
}
"""What an error means whose only argument is the name of something."""

# A command says what went wrong in its own line; Python would print the log's lines as well.
logging.getLogger("service").addHandler(logging.NullHandler())


def shared(path: str | None) -> Config:
    """The config at *path*; ends when its store is none that a command can reach."""
    config = loaded(path)
    if config.in_memory:
        line = "store.url is memory://: that store lives inside the serving process only"
        stop(FAULTY, f"{line}, no command can reach it")
    return config


def operate(config: Config, work: Work[T], *, born: bool = True) -> T:
    """What *work* gives; ends when it is refused, the store is down or, if *born*, not set up."""
    try:
        return asyncio.run(_operate(config, work, born))
    except StoreDown as error:
        stop(REFUSED, store_line(error))
    except TokenhouseError as error:
        stop(REFUSED, explained(error))


async def _operate(config: Config, work: Work[T], born: bool) -> T:
    house = build(config)
    try:
        if born and await house.setup.born() is None:
            raise NotSetUp
        return await work(house)
    finally:
        await house.aclose()


def store_line(error: StoreDown) -> str:
    """Why the store gave no answer, and what to do about it where that is known."""
    hint = ": run tokenhouse store init" if isinstance(error, NotSetUp) else ""
    return f"store: {error.reason}{hint}"


def explained(error: TokenhouseError) -> str:
    """*error* as one line; names in it are quoted and cannot steer a terminal."""
    form = LINES.get(type(error))
    return form.format(repr(str(error))) if form else printable(str(error))
