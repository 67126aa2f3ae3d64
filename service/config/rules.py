"""The ``[policy.…]`` tables: how long a token of each kind lives and what it is bound to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from service.config.kinds import Choice, Duration, Whole
from service.config.knob import Section, Switch, knob, retuned
from service.model import ADDRESS_BYTES, Level, Policy

Idle = Annotated[int, Duration("1s", "1y", zero=True)]
Grave = Annotated[int, Duration("1s", "90d", whole_seconds=True)]
Length = Annotated[int, Duration("1s", "100y", zero=True)]
AddressLevel = Annotated[str, Choice(("strict", "subnet", "log", "off"))]
AgentLevel = Annotated[str, Choice(("strict", "log", "off"))]

LETTERS = {"tower": "t", "netbox": "n", "nautobot": "a", "puppet": "p", "oauth": "o"}
"""How a token's head names its policy: a letter is never given to another one."""

_LEVELS = {
    "strict": Level.ENFORCE,
    "subnet": Level.ENFORCE,
    "log": Level.LOG,
    "off": Level.OFF,
}
_SUBNET_V4 = 15
"""A /24, counted in bytes of the address as mapped IPv6."""
_SUBNET_V6 = 8


class Rules(Section):
    """What every policy has."""

    idle: Idle = knob("0", "A token not used for this long is dead; 0 means it does not slide.")
    slide_step: Annotated[int, Duration("1s", "1h", zero=True)] = knob(
        "0", "A use moves the end only when that gains at least this much; 0 is every use."
    )
    max_age: Length = knob("0", "A token is dead at this age, used or not; 0 is never.")
    per_user: Annotated[int, Whole(0, 1000, "tokens", unlimited=True)] = knob(
        -1, "Live tokens a user may hold; one more takes the oldest one's place; 0 lets none live."
    )
    max_tokens: Annotated[int, Whole(1, 100_000, "tokens")] = knob(
        10_000, "Tokens a user may hold at all; one more is refused."
    )
    bind_ip: AddressLevel = knob("off", "How far a token is held to the address it was made for.")
    bind_agent: AgentLevel = knob("off", "How far a token is held to the agent it was made for.")
    reuse: Switch = knob(False, "Whether a repeated login gets the live token it has already.")
    grave: Grave = knob("30d", "How long a dead token is kept, so that a refusal can say why.")

    def clashes(self) -> Iterator[tuple[str, str]]:
        """A step or an end that the idle time makes meaningless."""
        idle = self.shown("idle")
        if self.slide_step and self.slide_step >= self.idle:
            yield "slide_step", f"{self.shown('slide_step')} is not less than idle ({idle})"
        if self.max_age and self.max_age < self.idle:
            yield "max_age", f"{self.shown('max_age')} is less than idle ({idle})"

    def policy(self, name: str) -> Policy:
        """These rules as the core takes them."""
        subnet = self.bind_ip == "subnet"
        return Policy(
            name=name,
            letter=LETTERS[name],
            idle_ms=self.idle,
            slide_step_ms=self.slide_step,
            max_age_ms=self.max_age,
            per_user=self.per_user,
            max_tokens=self.max_tokens,
            bind_ip=_LEVELS[self.bind_ip],
            bind_agent=_LEVELS[self.bind_agent],
            prefix_v4=_SUBNET_V4 if subnet else ADDRESS_BYTES,
            prefix_v6=_SUBNET_V6 if subnet else ADDRESS_BYTES,
            reuse=self.reuse,
            grave_ms=self.grave,
        )


class TowerRules(Rules):
    """Tokens that live while they are used."""

    idle: Annotated[int, Duration("1s", "1y")] = knob(
        "30m", "A token not used for this long is dead."
    )
    bind_ip: AddressLevel = retuned(Rules, "bind_ip", "strict")
    bind_agent: AgentLevel = retuned(Rules, "bind_agent", "strict")
    reuse: Switch = retuned(Rules, "reuse", True)
    grave: Grave = retuned(Rules, "grave", "10m")


class LastingRules(Rules):
    """Tokens that end at a time fixed when they are made, or never."""

    lifetime: Length = knob(
        "0", "How long a token lives whose maker names no end; 0 is as long as max_lifetime."
    )
    max_lifetime: Length = knob(
        "0", "The longest life of a token, whatever its maker asks; 0 is for ever."
    )

    def clashes(self) -> Iterator[tuple[str, str]]:
        """Also a default life that would be cut short at once."""
        yield from super().clashes()
        if 0 < self.max_lifetime < self.lifetime:
            most = self.shown("max_lifetime")
            yield "lifetime", f"{self.shown('lifetime')} is more than max_lifetime ({most})"

    def policy(self, name: str) -> Policy:
        """These rules as the core takes them."""
        base = super().policy(name)
        return replace(base, lifetime_ms=self.lifetime, max_lifetime_ms=self.max_lifetime)


class PuppetRules(LastingRules):
    """Tokens of an hour, or as long as their maker asks."""

    lifetime: Length = retuned(LastingRules, "lifetime", "1h")
    max_lifetime: Length = retuned(LastingRules, "max_lifetime", "10y")
    grave: Grave = retuned(Rules, "grave", "1h")
    label_conflict: Annotated[str, Choice(("return", "reject"))] = knob(
        "return", "What a wish for a label gets that a live token of the same user has already."
    )


class Policies(Section):
    """One table per kind of token."""

    tower: TowerRules = Field(default_factory=TowerRules)
    netbox: LastingRules = Field(default_factory=LastingRules)
    nautobot: LastingRules = Field(default_factory=LastingRules)
    puppet: PuppetRules = Field(default_factory=PuppetRules)
    oauth: LastingRules = Field(default_factory=LastingRules)
