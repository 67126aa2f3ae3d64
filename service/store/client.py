"""One way to talk to Redis: a bounded pool, one deadline a call, one kind of failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from service.errors import StoreDown
from service.store.outage import Outage
from service.store.resp import Wire, code_of
from service.store.scripts import Script

_ELSEWHERE = {"readonly", "noreplicas", "masterdown", "clusterdown"}
"""What a server says that is not, or no longer, the one to ask."""

Part = bytes | str | int
Command = tuple[Part, ...]
Reply = Any
"""What Redis answers: bytes, int, None or a list of these."""


@dataclass(frozen=True, slots=True)
class Call:
    """One script with its keys and arguments."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[Part]

    def by_sha(self, fenced: bool) -> Command:
        """As EVALSHA."""
        sha = self.script.sha_fenced if fenced else self.script.sha_plain
        return (b"EVALSHA", sha, len(self.keys), *self.keys, *self.args)

    def by_source(self, fenced: bool) -> Command:
        """As EVAL, which loads and runs at once and so cannot miss the script."""
        source = self.script.fenced if fenced else self.script.plain
        return (b"EVAL", source, len(self.keys), *self.keys, *self.args)


async def _learn_version(connection: Any) -> None:
    """Finish the handshake and note whether this server knows the ``#!lua`` fence."""
    await connection.on_connect()
    await connection.send_command(b"HELLO")
    reply = await connection.read_response()
    facts = dict(zip(reply[::2], reply[1::2], strict=False))
    connection.fenced = int(bytes(facts[b"version"]).split(b".")[0]) >= 7


class Client:
    """Commands and scripts against one Redis (standalone or embedded).

    Every call ends within *timeout_ms*, or raises StoreDown. redis-py owns the connections, the
    credentials and TLS; its own retries are off, because they run scripts twice.
    """

    def __init__(self, url: str, *, timeout_ms: int = 150, pool: int = 64) -> None:
        self.timeout_s = timeout_ms / 1000
        self.embedded = url.startswith("memory:")
        self._pool = self._embedded_pool() if self.embedded else self._pool_of(url, pool)
        # The pool lets whoever comes just then pass those who wait; here they go in order.
        self._turns = asyncio.Semaphore(pool)
        self.outage = Outage()
        self._background: set[asyncio.Task[None]] = set()

    def _pool_of(self, url: str, size: int) -> BlockingConnectionPool:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=size,
            timeout=self.timeout_s,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,  # the deadline of the whole call holds instead
            socket_connect_timeout=self.timeout_s,
            retry=Retry(NoBackoff(), 0),
            retry_on_timeout=False,
            health_check_interval=0,
            client_name="tokenhouse",
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            redis_connect_func=_learn_version,
        )

    @staticmethod
    def _embedded_pool() -> BlockingConnectionPool:
        # Half a second to import, and only the embedded store needs it.
        from fakeredis import FakeServer
        from fakeredis.aioredis import FakeAsyncRedisConnection

        return BlockingConnectionPool(
            connection_class=FakeAsyncRedisConnection,
            server=FakeServer(version=(7,)),
            protocol=2,
            max_connections=64,
            retry=Retry(NoBackoff(), 0),
        )

    async def run(self, *steps: Call | Command) -> list[Reply]:
        """Send *steps* in one write and return their replies in order.

        A script the server does not have is sent again with its source. StoreDown when the server
        does not answer in time, is not fit to decide, or refuses any of the steps.
        """
        connection: Any = None
        turn = False
        try:
            async with asyncio.timeout(self.timeout_s):
                turn = await self._turns.acquire()
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                replies = await self._exchange(connection, steps)
            await self._give_back(connection)
        except TimeoutError as error:
            self._drop(connection)
            raise self._down("timeout") from error
        except (RedisError, OSError) as error:
            self._drop(connection)
            code = getattr(error, "status_code", None)
            raise self._down(code.lower() if code else "unreachable") from error
        except BaseException:
            self._drop(connection)
            raise
        finally:
            if turn:
                self._turns.release()
        checked = [self._checked(reply) for reply in replies]
        if self.outage.since is not None:
            self.outage.worked(monotonic())
        return checked

    def _down(self, reason: str) -> StoreDown:
        self.outage.failed(reason)
        return StoreDown(reason)

    async def dial(self, factory: Callable[[], Wire]) -> tuple[Wire, bool]:
        """A connection of its own for the lane, greeted; also whether it knows the fence."""
        made: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        if isinstance(made, UnixDomainSocketConnection):
            _, wire = await loop.create_unix_connection(factory, made.path)
        else:
            _, wire = await loop.create_connection(factory, **made._connection_arguments())
        try:
            return wire, await self._greet(wire, made)
        except BaseException:
            wire.drop()
            raise

    @staticmethod
    async def _greet(wire: Wire, made: Any) -> bool:
        """Authenticate, name the connection and choose its database."""
        provider = made.credential_provider
        credentials = (
            await provider.get_credentials_async() if provider else (made.username, made.password)
        )
        user, password = credentials if len(credentials) == 2 else ("", credentials[0])
        auth = (b"AUTH", user or "default", password) if password else ()
        steps: list[Command] = [(b"HELLO", 2, *auth, b"SETNAME", "tokenhouse-verify")]
        if made.db:
            steps.append((b"SELECT", made.db))
        replies = await wire.exchange(b"".join(made.pack_commands(steps)), len(steps))
        facts = dict(zip(replies[0][::2], replies[0][1::2], strict=False))
        return int(bytes(facts[b"version"]).split(b".")[0]) >= 7

    async def _exchange(self, connection: Any, steps: Sequence[Call | Command]) -> list[Reply]:
        fenced = getattr(connection, "fenced", False)
        commands = [step.by_sha(fenced) if isinstance(step, Call) else step for step in steps]
        replies = await self._send(connection, commands)
        late: dict[int, Command] = {}
        for i, step in enumerate(steps):
            if not isinstance(step, Call):
                # A read, or WAIT: behind a script that did not run it saw too little.
                if late:
                    late[i] = step
            elif _missing(replies[i]):
                late[i] = step.by_source(fenced)
        if late:
            again = await self._send(connection, list(late.values()))
            for i, reply in zip(late, again, strict=True):
                replies[i] = reply
        return replies

    @staticmethod
    async def _send(connection: Any, commands: Sequence[Command]) -> list[Reply]:
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        replies: list[Reply] = []
        for _ in commands:
            try:
                replies.append(await connection.read_response(disable_decoding=True))
            except ResponseError as error:
                replies.append(error)
        return replies

    def _checked(self, reply: Reply) -> Reply:
        if isinstance(reply, RedisError):
            reason = _reason(reply)
            if reason in _ELSEWHERE:
                self._later(self._forget_idle())
            raise self._down(reason) from reply
        return reply

    async def _forget_idle(self) -> None:
        """Close idle connections: the next ones may lead to another server under this name."""
        for connection in tuple(self._pool._available_connections):
            # Not waiting for the end of it, or one of them could be lent meanwhile.
            await connection.disconnect(nowait=True)

    async def _give_back(self, connection: AbstractConnection) -> None:
        try:
            await self._pool.release(connection)
        except asyncio.CancelledError:
            self._drop(connection)
            raise

    def _drop(self, connection: AbstractConnection | None) -> None:
        """Close a connection that may still owe a reply, and only then give its place back."""
        if connection is not None:
            self._later(self._discard(connection))

    async def _discard(self, connection: AbstractConnection) -> None:
        try:
            await connection.disconnect(nowait=True)
        finally:
            if connection in self._pool._in_use_connections:
                await self._pool.release(connection)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._background:
            await asyncio.gather(*self._background, return_exceptions=True)
        await self._pool.disconnect()


def _missing(reply: Reply) -> bool:
    # 6.2 wraps error texts and Valkey words them differently: only the prefix is the same.
    return isinstance(reply, NoScriptError) or (
        isinstance(reply, RedisError) and "NOSCRIPT" in str(reply)[:40]
    )


def _reason(error: RedisError) -> str:
    """Redis's code for *error* in lower case; its text may quote what we sent, and stays here.

    redis-py takes the code off where it knows it, and 6.2 wraps what a script met.
    """
    code = code_of(str(error))
    return (code if code.isupper() else error.status_code or code).lower()
