"""``tokenhouse explain``: which rule decides about a token, and why."""

from __future__ import annotations

from dataclasses import dataclass

import click

from service.cli.intake import one_line
from service.cli.options import FAULTY, json_wanted, named_file, stop
from service.cli.session import operate, shared
from service.cli.shown import print_facts, print_json
from service.cli.token import record
from service.core.address import pack, unpack
from service.core.secret import agent_digest
from service.gate.question import READS, Missing, may_be_token
from service.gate.reasons import REASONS
from service.house import House
from service.model import NO_AGENT, Level, Token, Trace, Verdict, Word, split_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A use of a token, as it is imagined."""

    address: bytes
    agent: bytes
    write: bool

    @classmethod
    def of(cls, address: str, agent: str, method: str) -> Use:
        """As the options describe it; ends when they do not."""
        if address and not pack(address):
            stop(FAULTY, f"--address: {address!r} is not an IP address")
        return cls(
            address=pack(address),
            agent=agent_digest(agent.encode(errors="surrogateescape")),
            write=method.encode(errors="surrogateescape") not in READS,
        )


@click.command()
@named_file
@json_wanted
@click.option("--id", "number", metavar="ID", type=click.IntRange(min=1), help="This token.")
@click.option("--stdin", "from_stdin", is_flag=True, help="The token whose text is piped in.")
@click.option("--address", default="", metavar="IP", help="Where the client is.")
@click.option("--agent", default="", metavar="UA", help="The user agent that it sends.")
@click.option("--method", default="GET", metavar="METHOD", help="What it wants to do.")
def explain(
    *, path: str | None, as_json: bool, number: int | None, from_stdin: bool, **given: str
) -> None:
    """Say what the gate would decide about a use of a token, and by which rule.

    Nothing is written: the token does not slide and is not used.

    \b
    Example:
      tokenhouse explain --id 262291 --address 192.0.2.7 --agent curl/8.5.0 --method POST
      tokenhouse explain --stdin --address 192.0.2.7 < token
    """
    if (number is not None) + from_stdin != 1:
        stop(FAULTY, "say which token by exactly one of --id and --stdin")
    use = Use.of(**given)
    text = one_line("token").encode() if from_stdin else b""
    facts = operate(shared(path), lambda house: _explained(house, number, text, use))
    (print_json if as_json else print_facts)(facts)


async def _explained(house: House, number: int | None, text: bytes, use: Use) -> dict[str, object]:
    token = await (house.tokens.get(number) if number is not None else house.tokens.find(text))
    if token is None:
        reason = Word.UNKNOWN if may_be_token(text) else Missing.MALFORMED
        return {"reason": reason.value, "means": REASONS[reason]}
    word = (await _verdict(house, token, use)).word
    told: dict[str, object] = {"reason": word.value, "means": REASONS[word]}
    return {**told, **record(token), **_bounds(house, token, use)}


async def _verdict(house: House, token: Token, use: Use) -> Verdict:
    _, shard = split_id(token.token_id)
    return await house.tokens.store.verify(
        shard,
        token.digest,
        address=use.address,
        agent=use.agent,
        write=use.write,
        trace=Trace.NONE,
    )


def _bounds(house: House, token: Token, use: Use) -> dict[str, object]:
    """What the token is held to, and whether this use fits."""
    policy = house.policies.get(token.policy)
    told: dict[str, object] = {}
    if policy is not None and policy.bind_ip is not Level.OFF and token.prefix:
        fits = use.address.startswith(token.prefix)
        bound = f"{unpack(token.prefix.ljust(16, bytes(1)))}/{8 * len(token.prefix)}"
        told["bound_to_address"] = f"{bound} as IPv6 ({_fits(policy.bind_ip, fits=fits)})"
    if policy is not None and policy.bind_agent is not Level.OFF and token.agent != NO_AGENT:
        fits = use.agent == token.agent
        told["bound_to_agent"] = (
            f"digest {token.agent.hex()} ({_fits(policy.bind_agent, fits=fits)})"
        )
    return told


def _fits(level: Level, *, fits: bool) -> str:
    if fits:
        return "fits"
    return "does not fit" if level is Level.ENFORCE else "does not fit, and is only logged"
