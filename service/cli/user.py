"""``tokenhouse user``: the people who own tokens."""

from __future__ import annotations

from typing import Any

import click

from service.cli.intake import new_password, password_option
from service.cli.newcomers import import_users
from service.cli.options import FAULTY, Text, json_wanted, named_file, stop
from service.cli.session import operate, shared
from service.cli.shown import print_facts, print_json, print_table, utc
from service.core.permissions import PERMISSIONS
from service.dialects.puppet.shape import sid
from service.dialects.puppet.texts import API_USER
from service.house import House
from service.model import User

COLUMNS = ("id", "name", "state", "superuser", "email", "created")


@click.group()
def user() -> None:
    """Make, change and delete users.

    \b
    Example:
      tokenhouse user add alice --superuser
    """


user.add_command(import_users)


@user.command()
@click.argument("name")
@named_file
@password_option
@click.option("--superuser", is_flag=True, help="May do everything, for everybody.")
@click.option("--first-name", "first", type=Text(), default="", help="First name.")
@click.option("--last-name", "last", type=Text(), default="", help="Last name.")
@click.option("--email", type=Text(), default="", help="E-mail address.")
@click.option(
    "--grant",
    "granted",
    metavar="PERMISSION",
    multiple=True,
    type=click.Choice(PERMISSIONS),
    help="May do this where permissions are asked for; repeat it for several.",
)
def add(*, path: str | None, from_stdin: bool, granted: tuple[str, ...], **facts: Any) -> None:
    """Make the user NAME. The password is asked for, twice.

    \b
    Example:
      tokenhouse user add alice --email alice@example.org
      pass show alice | tokenhouse user add alice --password-stdin
      tokenhouse user add ops --grant users.add_token --grant users.grant_token
    """
    config = shared(path)
    if "puppet" in config.dialects.enabled and facts["name"].strip() == API_USER:
        stop(
            FAULTY, f"{API_USER} is whoever shows Puppet's API an allowed certificate, and no user"
        )
    password = new_password(from_stdin)
    perms = " ".join(sorted(set(granted)))
    made = operate(config, lambda house: house.users.add(password=password, perms=perms, **facts))
    click.echo(f"user {made.name!r} made, id {made.user_id}")


@user.command("list")
@named_file
@json_wanted
def list_users(*, path: str | None, as_json: bool) -> None:
    """Print all users, oldest first.

    \b
    Example:
      tokenhouse user list --json
    """
    records = [record(found) for found in operate(shared(path), lambda house: house.users.all())]
    if as_json:
        print_json(records)
    else:
        print_table([*COLUMNS], ([each[name] for name in COLUMNS] for each in records))


@user.command()
@click.argument("name")
@named_file
@json_wanted
def show(name: str, *, path: str | None, as_json: bool) -> None:
    """Print what is known of the user NAME.

    puppet_id is the id by which Puppet's API knows the user.

    \b
    Example:
      tokenhouse user show alice
    """

    async def look(house: House) -> dict[str, Any]:
        found = await house.users.get(name)
        tokens = await house.tokens.of_owner(found.name)
        live = sum(1 for each in tokens if each.state == "live")
        puppet_id = sid(found, await house.tokens.born())
        return {**record(found), "puppet_id": puppet_id, "live_tokens": live}

    (print_json if as_json else print_facts)(operate(shared(path), look))


@user.command()
@click.argument("name")
@click.argument(
    "permissions",
    metavar="PERMISSION...",
    nargs=-1,
    required=True,
    type=click.Choice(PERMISSIONS),
)
@click.option("--revoke", is_flag=True, help="Take them away instead.")
@named_file
def grant(name: str, *, path: str | None, permissions: tuple[str, ...], revoke: bool) -> None:
    """Let the user NAME do something with tokens where permissions are asked for.

    PERMISSION is users.view_token, users.add_token, users.change_token, users.delete_token,
    users.grant_token (to make tokens for other users, superusers among them, which takes
    users.add_token as well), users.view_user (to see all users, where NetBox shows them), or
    gateway: to ask about everybody's tokens, as gateways do at /authz/echo and /events.

    \b
    Example:
      tokenhouse user grant alice users.add_token users.grant_token
      tokenhouse user grant alice users.grant_token --revoke
      tokenhouse user grant gw gateway
    """
    found = operate(shared(path), lambda house: house.users.grant(name, permissions, revoke=revoke))
    click.echo(f"user {found.name!r} has {', '.join(found.permissions) or 'no permissions'}")


@user.command()
@click.argument("name")
@named_file
@password_option
def passwd(name: str, *, path: str | None, from_stdin: bool) -> None:
    """Give the user NAME a new password. Tokens live on.

    \b
    Example:
      tokenhouse user passwd alice
    """
    config = shared(path)
    password = new_password(from_stdin)
    operate(config, lambda house: house.users.set_password(name, password))
    click.echo(f"user {name!r} has a new password")


@user.command()
@click.argument("name")
@named_file
def disable(name: str, *, path: str | None) -> None:
    """Refuse logins and tokens of the user NAME, until enabled again.

    \b
    Example:
      tokenhouse user disable alice
    """
    operate(shared(path), lambda house: house.users.disable(name))
    click.echo(f"user {name!r} disabled")


@user.command()
@click.argument("name")
@named_file
def enable(name: str, *, path: str | None) -> None:
    """Let the user NAME in again. Tokens that have not expired work again.

    \b
    Example:
      tokenhouse user enable alice
    """
    operate(shared(path), lambda house: house.users.enable(name))
    click.echo(f"user {name!r} enabled")


@user.command()
@click.argument("name")
@named_file
def revoke(name: str, *, path: str | None) -> None:
    """Refuse logins of the user NAME, and kill every token of that user for good.

    As Puppet Enterprise revokes users: reinstated, they can log in again, but the tokens that they
    had stay dead.

    \b
    Example:
      tokenhouse user revoke alice
    """
    operate(shared(path), lambda house: house.users.revoke(name))
    click.echo(f"user {name!r} revoked with every token")


@user.command()
@click.argument("name")
@named_file
def reinstate(name: str, *, path: str | None) -> None:
    """Let the user NAME log in again, and forget the failed logins.

    \b
    Example:
      tokenhouse user reinstate alice
    """

    async def work(house: House) -> None:
        await house.users.enable(name)
        await house.logins.forgive(name)

    operate(shared(path), work)
    click.echo(f"user {name!r} reinstated")


@user.command()
@click.argument("name")
@named_file
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, *, path: str | None, yes: bool) -> None:
    """Remove the user NAME. Every token of that user is dead at once.

    \b
    Example:
      tokenhouse user delete alice --yes
    """
    config = shared(path)
    if not yes:
        click.confirm(f"Delete user {name!r} and all tokens?", abort=True, err=True)
    operate(config, lambda house: house.users.delete(name))
    click.echo(f"user {name!r} deleted")


def record(found: User) -> dict[str, object]:
    """*found* for people and programs; never the password's hash."""
    return {
        "id": found.user_id,
        "name": found.name,
        "state": "active" if found.active else "disabled",
        "superuser": found.superuser,
        "first_name": found.first_name,
        "last_name": found.last_name,
        "email": found.email,
        "permissions": [*found.permissions],
        "created": utc(found.created_ms),
    }
