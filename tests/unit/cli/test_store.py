"""``tokenhouse store``: the mark of birth is written once, and only where nothing else is."""

from __future__ import annotations

import re
from typing import Any

from tests.servers import Server


def test_init_writes_the_mark_and_names_it(unborn: Any) -> None:
    """The id that is printed is the one in the store."""
    found = re.fullmatch(r"store is set up, id ([0-9a-f]{16})\n", unborn.ok("store", "init"))

    assert found
    assert found[1] == unborn.within(lambda house: house.setup.born())


def test_init_is_refused_a_second_time(run: Any) -> None:
    """The mark stays what it is."""
    before = run.within(lambda house: house.setup.born())

    result = run("store", "init")

    assert (1, "", "this store is already set up\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert before == run.within(lambda house: house.setup.born())


def test_init_is_refused_where_there_are_users(run: Any, redis_server: Server) -> None:
    """A store that lost its mark only may be a restored copy."""
    run.add("bob")
    redis_server.cli("DEL", "born")

    result = run("store", "init")

    assert (1, True) == (result.exit_code, "a restored copy?" in result.stderr)
