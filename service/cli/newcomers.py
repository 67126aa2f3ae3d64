"""``tokenhouse user import``: users that another product has, from a file."""

from __future__ import annotations

from typing import Any

import click

from service.cli.bulk import Cargo, Order, Tally, bring, bulk_options, carry, fates_of
from service.cli.options import json_wanted, named_file
from service.cli.rows import Line
from service.cli.session import shared
from service.core.arrivals import Became, Fate
from service.core.importing import looks_like_a_key
from service.core.newcomers import COLUMNS, Newcomers, newcomer_of
from service.house import House


@click.command("import")
@bulk_options
@named_file
@json_wanted
def import_users(*, path: str | None, **given: Any) -> None:
    """Make the users of FILE who are not there yet, without a password.

    FILE (- is standard input) is CSV with column names in its first line, or has a JSON object in
    each line. A row has name; it may have first_name, last_name, email, superuser (true or false)
    and permissions (as "user grant" has them, with blanks between).

    Nobody can log in as one of them until "user passwd". It can be run again: who is there already
    is left as he is. Exits 1 when rows were refused; the others are in.

    \b
    Example:
      tokenhouse user import users.csv --dry-run
      tokenhouse user import users.csv
    """
    bring(shared(path), Order(**given), USERS, work=_import)


async def _import(house: House, tally: Tally) -> None:
    newcomers = Newcomers(house.users, write=not tally.order.dry_run)

    async def take(lines: list[Line]) -> list[Fate]:
        return await fates_of(lines, newcomer_of, newcomers.take)

    await carry(tally, take)


USERS = Cargo(
    command="tokenhouse user import",
    columns=COLUMNS,
    owner="name",
    begins=lambda row: True,  # nothing that is said of a user goes over several lines
    shows=lambda name: not looks_like_a_key(name),
    fates=(Became.IMPORTED, Became.THERE, Became.REFUSED),
)
