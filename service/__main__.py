"""The command ``tokenhouse``: puts the commands together and does nothing itself."""

from __future__ import annotations

import click

from service import __version__
from service.cli.config import config
from service.cli.doctor import doctor
from service.cli.explain import explain
from service.cli.output import Commands
from service.cli.serve import serve
from service.cli.store import store
from service.cli.token import token
from service.cli.user import user


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="tokenhouse")
def main() -> None:
    """Opaque API tokens in Redis, with every rule decided there.

    Exit status: 0 good, 1 refused, the store is down or the output is lost, 2 wrong usage or
    configuration.

    \b
    Example:
      tokenhouse serve
      tokenhouse user add alice
      tokenhouse token issue --user alice --policy netbox
    """


for command in (serve, user, token, explain, store, config, doctor):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="tokenhouse")
