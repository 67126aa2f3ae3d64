"""How the lane reaches its server: password, user, database, unix socket, TLS."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.store.lane import Lane
from service.store.verify import VerifyTail
from tests.certs import Authority
from tests.conftest import ServerFactory
from tests.makers import CURL, HOME, Made, Rig
from tests.servers import Server, kinds
from tests.unit.store.liar import Asked, lane_to
from tests.unit.store.test_client_tls import relay

PASSWORD, OTHER = "s3cret", "0th3r"
# Least privilege: what a node sends on its own paths, and nothing else.
RIGHTS = "~* +@read +@write +@scripting +time +hello +client +ping"

NUMBERS = itertools.count()


class House:
    """A token on a server, and a lane that may reach it another way."""

    def __init__(self, rig: Rig, made: Made, lane: Lane) -> None:
        self.rig = rig
        self.lane = lane
        self._made = made

    async def word(self) -> str:
        """What the lane says of a use of the token, in time."""
        made, asker = self._made, Asked(self._made.digest)
        tail = VerifyTail(self.rig.keys, self.rig.store.rules)
        seen, now = tail.seen(HOME, CURL), asyncio.get_running_loop().time()
        asked = tail(made.shard, made.digest, seen, write=True, now=now)
        self.lane.ask(asker, made.digest[:4], asked, now=now)
        told = await asker.told()
        return told.word


@asynccontextmanager
async def house(url: str, lane_url: str = "") -> AsyncIterator[House]:
    """A house on *url* whose lane goes to *lane_url*."""
    async with Rig(url) as rig, lane_to(lane_url or url, timeout_s=1) as lane:
        owner = await rig.owner(f"user{next(NUMBERS)}")
        yield House(rig, await rig.make(owner), lane)


def at(server: Server, credentials: str, db: int = 0) -> str:
    """A URL with user and password."""
    return f"redis://{credentials}@127.0.0.1:{server.port}/{db}"


@pytest.mark.parametrize("kind", kinds()[1:])
async def test_a_password_opens_the_lane_and_a_wrong_one_decides_nothing(
    server_factory: ServerFactory, kind: str
):
    """With the wrong one, or none, everybody is told in time."""
    server = server_factory(kind, conf={"requirepass": PASSWORD})
    right = at(server, f":{PASSWORD}")
    async with house(right) as made:
        assert "ok" == await made.word()
    for wrong in (at(server, f":{OTHER}"), server.url, at(server, f"nobody:{PASSWORD}")):
        async with house(right, wrong) as made:
            words = {await made.word() for _ in range(3)}

            # Who comes while an attempt is under way may see his time run out before it fails.
            assert words <= {"503 unreachable", "503 timeout"}


async def test_the_password_is_in_no_log(
    server_factory: ServerFactory, caplog: pytest.LogCaptureFixture
):
    """Neither the right one nor a wrong one."""
    caplog.set_level("DEBUG")
    server = server_factory(conf={"requirepass": PASSWORD})
    async with house(at(server, f":{PASSWORD}"), at(server, f":{OTHER}")) as made:
        await made.word()

    assert PASSWORD not in caplog.text
    assert OTHER not in caplog.text


@pytest.mark.parametrize("kind", kinds()[1:])
async def test_a_user_with_the_rights_that_the_pool_needs_is_enough(
    server_factory: ServerFactory, kind: str
):
    """An ACL that lets the rest of the house work lets the lane work."""
    users = ["default on nopass ~* +@all", f"gate on >{PASSWORD} {RIGHTS}"]
    server = server_factory(kind, conf={"user": users})
    async with house(at(server, f"gate:{PASSWORD}")) as made:
        assert "ok" == await made.word()


async def test_a_user_without_the_right_decides_nothing(server_factory: ServerFactory):
    """The lane may connect and not ask; taking the right away later is seen too."""
    users = ["default on nopass ~* +@all", f"gate on >{PASSWORD} ~* +@all"]
    server = server_factory(conf={"user": users})
    async with house(server.url, at(server, f"gate:{PASSWORD}")) as made:
        assert "ok" == await made.word()
        server.cli("ACL", "SETUSER", "gate", "-evalsha", "-eval")
        assert "503 noperm" == await made.word()
        server.cli("ACL", "SETUSER", "gate", "+evalsha", "+eval")
        assert "ok" == await made.word()
        server.cli("ACL", "SETUSER", "gate", "-hmget")

        assert (await made.word()).startswith("503 ")


async def test_a_password_changed_under_way_is_noticed_and_so_is_its_return(
    server_factory: ServerFactory,
):
    """While ours is wrong nobody is let in and nobody waits; no restart is needed."""
    server = server_factory(conf={"requirepass": PASSWORD})
    async with house(at(server, f":{PASSWORD}")) as made:
        assert "ok" == await made.word()
        with server.client() as link:
            for words in (
                ("CONFIG", "SET", "requirepass", OTHER),
                ("CLIENT", "KILL", "TYPE", "normal"),
            ):
                link.send_command(*words)
                link.read_response()
            assert {"503 unreachable"} == {await made.word() for _ in range(3)}
            link.send_command("CONFIG", "SET", "requirepass", PASSWORD)
            link.read_response()
        await asyncio.sleep(0.1)

        assert "ok" == await made.word()


async def test_the_lane_works_in_the_database_of_its_url(redis_server: Server):
    """Number 3 has the token; in number 0 there is not even the mark of birth."""
    base = redis_server.url.rpartition("/")[0]
    async with house(f"{base}/3") as made:
        assert "ok" == await made.word()
    async with house(f"{base}/3", f"{base}/0") as made:
        assert "503 not set up" == await made.word()


@pytest.mark.parametrize("kind", kinds()[1:])
async def test_the_lane_goes_through_a_unix_socket(server_factory: ServerFactory, kind: str):
    """Also with a password and in another database."""
    server = server_factory(kind, conf={"requirepass": PASSWORD})
    for url in (
        f"unix://:{PASSWORD}@{server.socket}?db=0",
        f"unix://:{PASSWORD}@{server.socket}?db=2",
    ):
        async with house(url) as made:
            assert "ok" == await made.word()


async def test_the_lane_speaks_tls(redis_server: Server, tmp_path: Path):
    """The right CA is believed, no other is, and a lost connection is made again."""
    right, other = Authority(tmp_path / "right"), Authority(tmp_path / "other")
    async with relay(redis_server, right.server()) as port:
        where = f"rediss://127.0.0.1:{port}/1"
        async with house(f"{where}?ssl_ca_certs={right.file}") as made:
            for _ in range(5):
                assert "ok" == await made.word()
                redis_server.cli("CLIENT", "KILL", "TYPE", "normal")
        for wrong in (
            f"{where}?ssl_ca_certs={other.file}",
            where,
            where.replace("rediss", "redis"),
        ):
            async with house(redis_server.url, wrong) as made:
                assert "503 unreachable" == await made.word()
