"""``tokenhouse token``: issue, look at and revoke tokens. A text is shown once, when new."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import click

from service.cli.importing import import_tokens
from service.cli.intake import one_line
from service.cli.options import FAULTY, REFUSED, Length, Text, json_wanted, named_file, stop
from service.cli.session import operate, shared
from service.cli.shown import heard, print_facts, print_json, print_table, say, utc
from service.config import Config
from service.core.address import pack
from service.core.amending import Change
from service.core.importing import LONGEST
from service.core.secret import agent_digest
from service.core.tokens import Wish
from service.house import House
from service.model import NO_AGENT, Issued, Level, Policy, Token, canonical_name

COLUMNS = (
    "id",
    "owner",
    "policy",
    "state",
    "write",
    "created",
    "expires",
    "last_used",
    "label",
)


@click.group()
def token() -> None:
    """Issue, look at and revoke tokens.

    \b
    Example:
      tokenhouse token list --user alice
    """


token.add_command(import_tokens)


@token.command("list")
@named_file
@click.option("--user", "owner", metavar="NAME", help="Only the tokens of this user.")
@click.option("--policy", metavar="POLICY", help="Only the tokens of this policy.")
@json_wanted
def list_tokens(*, path: str | None, owner: str | None, policy: str | None, as_json: bool) -> None:
    """Print tokens by user, newest first; never their texts.

    \b
    Example:
      tokenhouse token list --user alice --policy netbox
    """
    config = shared(path)
    if policy is not None:
        named_policy(config, policy)

    async def look(house: House) -> list[Token]:
        users = await house.users.all() if owner is None else [await house.users.get(owner)]
        return [found for user in users for found in await house.tokens.of_owner(user.name)]

    found = operate(config, look)
    records = [record(each) for each in found if policy in (None, each.policy)]
    if as_json:
        print_json(records)
    else:
        head = [name.replace("_", " ") for name in COLUMNS]
        print_table(head, ([each[name] for name in COLUMNS] for each in records))


@token.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@named_file
@json_wanted
def show(number: int, *, path: str | None, as_json: bool) -> None:
    """Print what is known of the token with this ID; never its text.

    \b
    Example:
      tokenhouse token show 262291
    """
    facts = record(operate(shared(path), lambda house: house.tokens.get(number)))
    (print_json if as_json else print_facts)(facts)


@token.command()
@named_file
@click.option("--id", "number", metavar="ID", type=click.IntRange(min=1), help="This token.")
@click.option("--user", "owner", metavar="NAME", help="Every token of this user.")
@click.option("--label", type=Text(), help="With --user: only the token with this label.")
@click.option("--stdin", "from_stdin", is_flag=True, help="The token whose text is piped in.")
def revoke(
    *,
    path: str | None,
    number: int | None,
    owner: str | None,
    label: str | None,
    from_stdin: bool,
) -> None:
    """Kill one token, or all of a user.

    \b
    Example:
      tokenhouse token revoke --id 262291
      tokenhouse token revoke --user alice
      tokenhouse token revoke --user alice --label ci
      tokenhouse token revoke --stdin < leaked-token
    """
    if (number is not None) + (owner is not None) + from_stdin != 1:
        stop(FAULTY, "say which token by exactly one of --id, --user and --stdin")
    if label is not None and owner is None:
        stop(FAULTY, "--label needs --user: labels are unique for one user only")
    config = shared(path)
    if number is not None:
        operate(config, lambda house: house.tokens.revoke_id(number))
        click.echo(f"token {number} revoked")
    elif owner is not None:
        _revoke_of(config, owner, label)
    else:
        _revoke_text(config, one_line("token"))


def _revoke_of(config: Config, owner: str, label: str | None) -> None:
    # An empty label is a label that nobody has, and not the wish to revoke everything.
    async def kill(house: House) -> None:
        name = (await house.users.get(owner)).name
        if label is None:
            await house.tokens.revoke_owner(name)
        else:
            await house.tokens.revoke_label(name, label)

    operate(config, kill)
    which = "every token" if label is None else f"the token labelled {label!r}"
    click.echo(f"{which} of user {owner!r} revoked")


def _revoke_text(config: Config, text: str) -> None:
    if not operate(config, lambda house: house.tokens.revoke(text.encode())):
        stop(REFUSED, "no live token has this text")
    click.echo("token revoked")


@token.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@named_file
def disable(number: int, *, path: str | None) -> None:
    """Refuse the token with this ID, until it is enabled again.

    \b
    Example:
      tokenhouse token disable 262291
    """
    operate(shared(path), lambda house: _switch(house, number, on=False))
    click.echo(f"token {number} disabled")


@token.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@named_file
def enable(number: int, *, path: str | None) -> None:
    """Let the token with this ID work again, also one that was imported as disabled.

    \b
    Example:
      tokenhouse token enable 262291
    """
    operate(shared(path), lambda house: _switch(house, number, on=True))
    click.echo(f"token {number} enabled")


async def _switch(house: House, number: int, *, on: bool) -> None:
    await house.tokens.amend(await house.tokens.get(number), Change(enabled=on))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The options of ``token issue`` that describe the token."""

    user: str
    policy: str
    label: str
    description: str
    read_only: bool
    lifetime: int | None
    address: str | None
    agent: str | None

    def wish(self, policy: Policy) -> Wish:
        """What to ask the core for, under *policy*."""
        return Wish(
            owner=canonical_name(self.user),
            # An operator who issues a token wants a new one, not the one some login has.
            policy=replace(policy, reuse=False),
            address=pack(self.address or ""),
            agent=NO_AGENT if self.agent is None else agent_digest(self.raw_agent),
            write=False if self.read_only else None,
            lifetime_ms=self.lifetime or 0,
            label=self.label,
            description=self.description,
            client="tokenhouse token issue",
        )

    @property
    def raw_agent(self) -> bytes:
        """The agent as a client would send it; bytes that are not UTF-8 stay what they are."""
        return (self.agent or "").encode(errors="surrogateescape")

    def fault(self, policy: Policy) -> str | None:
        """Why this cannot be asked for under *policy*."""
        if self.address is not None and not pack(self.address):
            return f"--address: {self.address!r} is not an IP address"
        most = LONGEST.get(policy.name)
        if most is not None and len(self.description) > most:
            return f"--description: policy {policy.name} takes {most} characters at most"
        bound = (
            ("--address", self.address, policy.bind_ip),
            ("--agent", self.agent, policy.bind_agent),
        )
        for option, value, level in bound:
            if level is Level.ENFORCE and value is None:
                return f"policy {policy.name} binds its tokens: {option} is needed"
            if level is Level.OFF and value is not None:
                return f"policy {policy.name} does not bind its tokens: {option} means nothing"
        return None


@token.command()
@named_file
@json_wanted
@click.option("--user", required=True, metavar="NAME", help="Whose token it is.")
@click.option("--policy", default="oauth", metavar="POLICY", help="Which rules it lives under.")
@click.option("--label", type=Text(), default="", help="A name, unique for this user.")
@click.option("--description", type=Text(), default="", help="What it is for.")
@click.option("--read-only", is_flag=True, help="It may read only.")
@click.option("--lifetime", type=Length(), help="How long it lives (30m, 12h, 7d).")
@click.option("--address", metavar="IP", help="The address it is bound to, if the policy binds.")
@click.option("--agent", metavar="UA", help="The user agent it is bound to, if the policy binds.")
def issue(*, path: str | None, as_json: bool, **given: Any) -> None:
    """Make a token. Its text is all that goes to standard output, and is never shown again.

    \b
    Example:
      TOKEN=$(tokenhouse token issue --user alice --label ci --lifetime 12h)
      tokenhouse token issue --user alice --policy tower --address 192.0.2.7 --agent curl/8.5.0
    """
    order = Order(**given)
    config = shared(path)
    policy = named_policy(config, order.policy)
    fault = order.fault(policy)
    if fault is not None:
        stop(FAULTY, fault)
    heard()
    issued = operate(config, lambda house: _issue(house, order, policy))
    facts = _facts(issued, order)
    try:
        if as_json:
            print_json({"token": issued.text, **facts})
        else:
            say(issued.text)
    except OSError:
        _take_back(config, issued)
        raise
    if not as_json:
        for key, value in facts.items():
            click.echo(f"{key}: {value if isinstance(value, int) else value or '-'}", err=True)


def _take_back(config: Config, issued: Issued) -> None:
    """Revoke a token whose text nobody got."""
    with suppress(OSError):  # standard error may be what was lost
        click.echo(f"nobody got the text of token {issued.token_id}: revoking it", err=True)
    operate(config, lambda house: house.tokens.revoke_id(issued.token_id))


async def _issue(house: House, order: Order, policy: Policy) -> Issued:
    return await house.tokens.issue(order.wish(policy))


def _facts(issued: Issued, order: Order) -> dict[str, object]:
    told: dict[str, object] = {
        "id": issued.token_id,
        "policy": order.policy,
        "created": utc(issued.created_ms),
        "expires": utc(issued.expires_ms),
    }
    return told if issued.replicas is None else {**told, "replicas": issued.replicas}


def named_policy(config: Config, name: str) -> Policy:
    """The policy called *name*; ends when there is none."""
    policies = config.policies()
    if name not in policies:
        stop(FAULTY, f"no policy is called {name!r}; there are {', '.join(policies)}")
    return policies[name]


def record(found: Token) -> dict[str, object]:
    """*found* for people and programs."""
    return {
        "id": found.token_id,
        "owner": found.owner,
        "policy": found.policy,
        "state": found.state,
        "write": found.write,
        "created": utc(found.created_ms),
        "expires": utc(found.expires_ms),
        "last_used": utc(found.last_used_ms),
        "label": found.label,
        "description": found.description,
        "allowed_networks": None if found.networks is None else [*map(str, found.networks)],
    }
