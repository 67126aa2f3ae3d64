"""Any sequence of operations, held against a model of a few lines of Python."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from service.model import Word
from service.store.keys import shard_of
from tests.conftest import or_skip
from tests.makers import NETBOX, TOWER, Made, Rig
from tests.servers import Pool

OWNERS = ("alice", "bob")
LIMITS = (1, 2, 4)


@dataclass
class Known:
    """What the model knows of a token: why it must be refused, nothing while it lives."""

    made: Made
    letter: str
    because: set[Word] = field(default_factory=set)


@dataclass
class Person:
    """What the model knows of an owner."""

    exists: bool = True
    active: bool = True
    tokens: list[Known] = field(default_factory=list)
    names: dict[bytes, Known] = field(default_factory=dict)


class House(RuleBasedStateMachine):
    """One store and the model of it."""

    url = "memory://"
    server_pool: Pool
    kind = "fake"

    tokens = Bundle("tokens")
    owners = st.sampled_from(OWNERS)

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        url = self.server_pool.get(self.kind).url
        self.limit = 4
        self.people = {name: Person() for name in OWNERS}
        self.rig = self.runner.run(self.opened(url))

    async def opened(self, url: str) -> Rig:
        """A rig with two owners."""
        rig = await Rig(url, replace(TOWER, per_user=self.limit), NETBOX).__aenter__()
        for name in OWNERS:
            await rig.owner(name)
        return rig

    def teardown(self) -> None:
        """Close what this example opened."""
        self.runner.run(self.rig.client.aclose())
        self.rig.passwords.close()
        self.runner.close()

    def node(self) -> Rig:
        """A node that has the limit of now."""
        return self.rig.node(replace(TOWER, per_user=self.limit), NETBOX)

    def hold(self, person: Person, stay: int) -> None:
        """Evict all tower tokens older than the newest *stay* live ones."""
        towers = [token for token in person.tokens if token.letter == "t"]
        live = [token for token in towers if not token.because]
        if len(live) > stay:
            last = towers.index(live[-stay - 1])
            for token in towers[: last + 1]:
                token.because.add(Word.EVICTED)

    @rule(target=tokens, owner=owners, tower=st.booleans(), named=st.booleans())
    def issue(self, owner: str, tower: bool, named: bool):
        """A wish for a token, under a name or not."""
        person, node = self.people[owner], self.node()
        policy = node.policies[0] if tower else NETBOX
        name = b"bind:" + policy.letter.encode() if named else b""
        made = self.runner.run(node.make(owner, policy=policy, name=name))
        word = made.outcome.word
        node.passwords.close()

        if not person.exists or not person.active:
            assert (Word.INACTIVE if person.exists else Word.UNKNOWN) == word
            return multiple()
        same = person.names.get(name)
        if same is not None and not same.because:
            assert (Word.REUSED, same.made.digest) == (word, made.digest)
            return multiple()
        assert Word.ISSUED == word
        token = Known(made, policy.letter)
        person.tokens.append(token)
        if tower:
            self.hold(person, self.limit)
        if named:
            person.names[name] = token
        return token

    @rule(token=tokens)
    def verify(self, token: Known) -> None:
        """A use: accepted exactly while the model knows no reason against it."""
        node = self.node()
        word = self.runner.run(node.word(token.made))
        node.passwords.close()
        assert word in self.allowed(token)

    def allowed(self, token: Known) -> set[Word]:
        """The words verify may say of *token*."""
        person = self.people[token.made.owner]
        if not person.exists:
            return {Word.UNKNOWN}
        reasons = token.because | (set() if person.active else {Word.INACTIVE})
        return reasons or {Word.OK}

    @rule(token=tokens)
    def revoke(self, token: Known) -> None:
        """One token is revoked."""
        word = self.runner.run(self.rig.store.revoke(token.made.shard, token.made.digest)).word
        assert word in (Word.OK, Word.REVOKED)
        token.because.add(Word.REVOKED)

    @rule(owner=owners)
    def revoke_owner(self, owner: str) -> None:
        """All tokens of an owner are revoked."""
        person = self.people[owner]
        word, _ = self.runner.run(self.rig.store.revoke_owner(owner))
        assert (Word.OK if person.exists else Word.UNKNOWN) == word
        for token in person.tokens if person.exists else ():
            token.because.add(Word.REVOKED)

    @rule(owner=owners, active=st.booleans())
    def switch(self, owner: str, active: bool) -> None:
        """An owner is disabled or enabled."""
        person = self.people[owner]
        if person.exists:
            flag = "a" if active else "d"
            self.runner.run(self.rig.owners.change(owner, {}, state=flag))
            person.active = active

    @rule(owner=owners)
    def delete_or_make(self, owner: str) -> None:
        """An owner is deleted, or made when there is none of that name."""
        person = self.people[owner]
        if person.exists:
            self.runner.run(self.rig.owners.delete(owner))
            person.names.clear()
            for token in person.tokens:
                token.because.add(Word.REVOKED)
        else:
            self.runner.run(self.rig.owner(owner))
            person.active = True
        person.exists = not person.exists

    @rule(token=tokens)
    def expire(self, token: Known) -> None:
        """A sliding token is not used for its whole idle time."""
        if token.letter == "t" and not token.because:
            self.runner.run(self.rig.run(b"PEXPIRE", token.made.key, TOWER.grave_ms))
            token.because.add(Word.EXPIRED)

    @rule(owner=owners)
    def bury(self, owner: str) -> None:
        """What is dead is tidied."""
        self.runner.run(self.rig.store.bury_all(owner))

    @rule(limit=st.sampled_from(LIMITS))
    def set_limit(self, limit: int) -> None:
        """The config's limit becomes another; each owner meets it."""
        lowered, self.limit = limit < self.limit, limit
        node = self.node()
        for name, person in self.people.items():
            if lowered and person.exists:
                self.runner.run(node.store.trim(name, node.policies[0]))
                self.hold(person, limit)
        node.passwords.close()

    @invariant()
    def only_the_endless_are_immortal(self) -> None:
        """No key is without a TTL but those of netbox tokens."""
        endless = {
            token.made.key
            for person in self.people.values()
            for token in person.tokens
            if token.letter == "n"
        }
        assert set(self.runner.run(self.rig.immortals())) <= endless

    @invariant()
    def the_limit_holds(self) -> None:
        """No owner has more live tower tokens than the limit of now, nor ids given twice."""
        for name, person in self.people.items():
            live = [t for t in person.tokens if t.letter == "t" and not t.because]
            assert len(live) <= 4, shard_of(name)
            counters = [t.made.outcome.counter for t in person.tokens]
            assert len(counters) == len(set(counters))


@pytest.mark.parametrize("kind", ["fake", "redis8"])
def test_every_sequence_agrees_with_the_model(kind: str, server_pool: Pool):
    """Eighty sequences of forty operations answer word for word what the model says."""
    or_skip(lambda: server_pool.get(kind))
    machine = type("House", (House,), {"kind": kind, "server_pool": server_pool})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
