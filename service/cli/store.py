"""``tokenhouse store``: the Redis that all nodes share, before it has users."""

from __future__ import annotations

import click

from service.cli.options import named_file
from service.cli.session import operate, shared


@click.group()
def store() -> None:
    """Prepare the shared store.

    \b
    Example:
      tokenhouse store init --config /etc/tokenhouse.toml
    """


@store.command()
@named_file
def init(*, path: str | None) -> None:
    """Write the mark that says: this store is ours, and empty because it is new.

    Run it once for each store. Without the mark every node answers 503, so that an emptied or
    wrong Redis does not log everybody out.

    \b
    Example:
      tokenhouse store init --config /etc/tokenhouse.toml
    """
    mark = operate(shared(path), lambda house: house.setup.init(), born=False)
    click.echo(f"store is set up, id {mark}")
