"""Builds the floors below HTTP from a config: client, store and core."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from service.config import Config
from service.core.address import Trust
from service.core.feed import Announcer
from service.core.guard import Guard
from service.core.logins import Logins
from service.core.passwords import Passwords
from service.core.secret import Secrets
from service.core.tokens import Tokens
from service.core.users import Users
from service.model import Policy
from service.store.client import Client
from service.store.feed import Feed
from service.store.guard import GuardStore
from service.store.keys import Keys
from service.store.owners import Owners
from service.store.records import Records
from service.store.setup import Setup
from service.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The service without its HTTP; ``aclose`` it in the loop that used it."""

    config: Config
    policies: dict[str, Policy]
    client: Client
    setup: Setup
    passwords: Passwords
    tokens: Tokens
    announcer: Announcer
    users: Users
    logins: Logins
    trust: Trust

    async def aclose(self) -> None:
        """Finish what runs in the background, then close the store's connections."""
        await self.tokens.settle()
        await self.tokens.store.aclose()
        await self.client.aclose()
        self.passwords.close()


def build(config: Config) -> House:
    """A house for *config*; nothing is connected before it is used."""
    policies = config.policies()
    rules = list(policies.values())
    keys = Keys(config.store.prefix.encode())
    client = Client(config.store.url, timeout_ms=config.store.timeout, pool=config.store.pool)
    store = Store(
        client,
        keys,
        rules,
        interval_ms=config.last_used.interval,
        wait_replicas=config.store.wait_replicas,
    )
    announcer = Announcer(Feed(client, keys, config.feed.keep))
    tokens = Tokens(
        store, Records(client, keys, rules), Secrets(_secret_keys(config)), announcer=announcer
    )
    owners = Owners(client, keys, "".join(policy.letter for policy in rules))
    passwords = _passwords(config)
    return House(
        config=config,
        policies=policies,
        client=client,
        setup=Setup(client, keys),
        passwords=passwords,
        tokens=tokens,
        announcer=announcer,
        users=Users(owners, tokens, passwords),
        logins=Logins(
            owners,
            tokens,
            passwords=passwords,
            guard=_guard(config, GuardStore(client, keys)),
        ),
        trust=Trust(config.server.trusted_proxies),
    )


def _secret_keys(config: Config) -> list[bytes]:
    # memory:// forgets its tokens with the process, so its key may go with them.
    return [key.value for key in config.secret.keys] or [secrets.token_bytes(32)]


def _passwords(config: Config) -> Passwords:
    login = config.login
    return Passwords(
        time_cost=login.argon2_time,
        memory_kib=login.argon2_memory // 1024,
        parallelism=login.argon2_parallelism,
        hashers=login.hashers,
        queue=login.queue,
        cache_s=login.password_cache / 1000,
    )


def _guard(config: Config, store: GuardStore) -> Guard:
    login = config.login
    return Guard(
        store,
        attempts=login.attempts,
        window_ms=login.window,
        max_wait_ms=login.max_wait,
    )
