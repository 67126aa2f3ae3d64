"""``tokenhouse token import``: tokens that NetBox or Nautobot made, from a file."""

from __future__ import annotations

from typing import Any

import click

from service.cli.bulk import Cargo, Order, Tally, bring, bulk_options, carry, fates_of
from service.cli.options import FAULTY, json_wanted, named_file, stop
from service.cli.rows import Line
from service.cli.session import shared
from service.core.arrivals import Fate, Importer
from service.core.cells import Row
from service.core.importing import (
    COLUMNS,
    DIGEST,
    LONGEST,
    binds,
    entry_of,
    looks_like_a_key,
    terms_of,
)
from service.house import House
from service.store.traces import clock


@click.command("import")
@bulk_options
@named_file
@json_wanted
@click.option(
    "--policy",
    required=True,
    type=click.Choice(tuple(LONGEST)),
    help="Which rules the tokens live under: those of the product that made them.",
)
def import_tokens(*, path: str | None, policy: str, **given: Any) -> None:
    """Take in the tokens of FILE: they go on working, their holders notice nothing.

    FILE (- is standard input) is CSV with column names in its first line, or has a JSON object in
    each line. A row has owner, and key or else digest (SHA-256 of the key, in hex) and first4: the
    first four characters of a key of 40 hexadecimal digits in lower case, ---- for any other. It
    may have created, expires, write_enabled, enabled, description and allowed_ips.

    It can be run again: a row that is there already is left as it is, also under another policy,
    and a token that was revoked here stays dead. Exits 1 when rows were refused; the others are
    in.

    \b
    Example:
      tokenhouse token import tokens.csv --policy netbox --dry-run
      tokenhouse token import tokens.csv --policy netbox --report refused.jsonl
      zcat tokens.csv.gz | tokenhouse token import - --format csv --policy netbox
    """
    config = shared(path)
    if binds(config.policies()[policy]):
        line = "binds its tokens to an address or agent, which imported ones cannot be"
        stop(FAULTY, f"policy {policy} {line}")
    order = Order(**given)
    bring(config, order, TOKENS, work=lambda house, tally: _import(house, policy, tally))


async def _import(house: House, policy: str, tally: Tally) -> None:
    terms = terms_of(house.policies[policy], await clock(house.tokens.store))
    importer = Importer(house.users, house.tokens, write=not tally.order.dry_run)

    async def take(lines: list[Line]) -> list[Fate]:
        return await fates_of(lines, lambda row: entry_of(row, terms), importer.take)

    await carry(tally, take)


def _begins(row: Row) -> bool:
    """Whether this begins a row: a text has no key, and more, where a key belongs."""
    key, digest = str(row.get("key", "")), str(row.get("digest", "")).strip()
    return len(row) > 1 and (looks_like_a_key(key) or bool(DIGEST.fullmatch(digest)))


TOKENS = Cargo(
    command="tokenhouse token import",
    columns=COLUMNS,
    owner="owner",
    begins=_begins,
    shows=lambda owner: not looks_like_a_key(owner),
)
