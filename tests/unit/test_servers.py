"""The servers and the cluster that other tests run on behave as those tests rely on."""

from __future__ import annotations

import shutil
import subprocess
import sys

import psutil
import pytest
import redis

from tests import servers
from tests.cluster import Cluster
from tests.conftest import ServerFactory
from tests.servers import Memory, Server, wait_until

FAMILY = {"redis6": "6.2.", "redis8": "8.", "valkey9": "9."}


def version(server: Server) -> str:
    """The server's own version (Valkey says a Redis version as well)."""
    fields = server.info("server")
    return fields.get("valkey_version") or fields["redis_version"]


def test_every_real_kind_answers_ping_in_the_version_its_name_says(real_server: Server):
    """Each kind of real server runs, and is of the family it is named after."""
    assert b"PONG" == real_server.cli("PING")
    assert version(real_server).startswith(FAMILY.get(real_server.kind, ""))


def test_every_kind_names_a_url(any_server: Server | Memory):
    """A test may open any kind by its url without knowing which it is."""
    scheme = "memory://" if any_server.kind == "fake" else "redis://127.0.0.1:"

    assert any_server.url.startswith(scheme)


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_shared_server_is_empty_at_the_start_of_each_test(redis_server: Server, attempt: int):
    """What one test leaves behind, keys or scripts, the next does not see."""
    sha = redis_server.cli("SCRIPT", "LOAD", "return 1")

    assert 0 == redis_server.cli("DBSIZE")
    redis_server.cli("SET", "left", attempt)
    redis_server.cli("EVALSHA", sha, 0)


def test_a_server_takes_extra_settings_and_its_password(server_factory: ServerFactory):
    """Settings given by a test reach the server, and its own client knows the password."""
    server = server_factory("redis8", {"maxmemory": "3mb", "requirepass": "hush"})

    assert [b"maxmemory", b"3145728"] == server.cli("CONFIG", "GET", "maxmemory")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=server.port, retry=None).ping()


def test_a_unix_url_reaches_the_same_server(redis_server: Server):
    """The socket and the port are two doors of one server."""
    redis_server.cli("SET", "door", "open")
    with redis.Redis.from_url(redis_server.unix_url) as client:
        assert b"open" == client.get("door")
    with redis.Redis.from_url(redis_server.url) as client:
        assert b"open" == client.get("door")


def test_a_killed_server_comes_back_on_its_port_with_its_file(server_factory: ServerFactory):
    """After a crash and a restart the append-only file is still that server's."""
    server = server_factory("redis8", {"appendonly": "yes", "appendfsync": "always"})
    port = server.port
    server.cli("SET", "kept", "yes")
    server.kill()

    assert not server.running

    server.restart()

    assert (port, b"yes") == (server.port, server.cli("GET", "kept"))


def test_a_paused_server_is_silent_until_it_is_resumed(server_factory: ServerFactory):
    """A pause leaves the connection open and the answer missing."""
    server = server_factory()
    with server.client() as link:
        server.pause()
        link.send_command("PING")

        assert not link.can_read(timeout=0.2)

        server.resume()

        assert link.can_read(timeout=10)
        assert b"PONG" == link.read_response()


def test_a_paused_server_can_be_stopped(server_factory: ServerFactory):
    """No test can leave a frozen process behind."""
    server = server_factory()
    pid = server.pid
    server.pause()
    server.stop()

    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("kind", list(servers.BUNDLED))
def test_a_replica_follows_its_master(server_factory: ServerFactory, kind: str):
    """A replica is in sync when it is handed over, and with a password too."""
    master = server_factory(kind, {"requirepass": "hush"})
    master.cli("SET", "first", "1")
    replica = server_factory(kind, {"requirepass": "hush"}, replica_of=master)

    assert b"1" == replica.cli("GET", "first")

    master.cli("SET", "second", "2")
    wait_until(lambda: replica.cli("GET", "second") == b"2", "second write on the replica")

    assert "slave" == replica.info("replication")["role"]


def test_a_setting_that_is_wrong_is_reported_with_the_servers_own_words(
    server_factory: ServerFactory,
):
    """A server that cannot start fails at once and shows why."""
    with pytest.raises(servers.StartFailed, match=r"(?s)no-such-setting"):
        server_factory("redis8", {"no-such-setting": "1"})


def ended(pid: int) -> bool:
    """True when the process is gone, or only waits for somebody to collect it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_server_dies_with_the_process_that_started_it():
    """Even a test process that is killed leaves no server running."""
    script = (
        "import os; from tests.servers import Server; s = Server();"
        "print(s.pid, s.directory, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    pid, directory = done.stdout.split()

    wait_until(lambda: ended(int(pid)), "orphaned server gone")
    shutil.rmtree(directory)


def test_a_missing_kind_is_named(monkeypatch: pytest.MonkeyPatch):
    """Without its package a kind is missing, and the message names the package."""
    monkeypatch.setitem(servers.BUNDLED, "redis5", ("no_such_package", "bin/redis-server"))

    with pytest.raises(servers.MissingServer, match="no_such_package"):
        Server("redis5")


def test_a_cluster_owns_every_slot_and_redirects(cluster: Cluster):
    """The three masters share all slots; the wrong one answers MOVED."""
    slot = cluster.slot_of("{ab}x")
    owner = cluster.node_of(slot)

    owner.cli("SET", "{ab}x", "1")
    with pytest.raises(redis.exceptions.MovedError):
        cluster.other_than(owner).cli("GET", "{ab}x")


def test_a_half_moved_slot_answers_ask_and_tryagain(cluster: Cluster):
    """Source: present keys are served, gone ones ASK, a mix is TRYAGAIN. Target: after ASKING."""
    slot = cluster.slot_of("{ab}")
    target = cluster.other_than(cluster.node_of(slot))
    cluster.node_of(slot).cli("MSET", "{ab}gone", "1", "{ab}here", "2")
    source = cluster.begin_move(slot, to=target)
    cluster.move_keys("{ab}gone")

    assert b"2" == source.cli("GET", "{ab}here")
    with pytest.raises(redis.exceptions.AskError):
        source.cli("GET", "{ab}gone")
    with pytest.raises(redis.exceptions.TryAgainError):
        source.cli("MGET", "{ab}here", "{ab}gone")
    with target.client() as link:
        assert b"1" == asking(link, "GET", "{ab}gone")
        with pytest.raises(redis.exceptions.TryAgainError):
            asking(link, "MGET", "{ab}here", "{ab}gone")


def asking(link: redis.Connection, *words: str) -> object:
    """The reply to *words* sent right behind ASKING."""
    link.send_command("ASKING")
    link.read_response()
    link.send_command(*words)
    return link.read_response()


def test_a_finished_move_changes_the_owner(cluster: Cluster):
    """After the last step the target owns the slot and has all of its keys."""
    slot = cluster.slot_of("{ab}")
    target = cluster.other_than(cluster.node_of(slot))
    cluster.node_of(slot).cli("MSET", "{ab}x", "1", "{ab}y", "2")
    cluster.begin_move(slot, to=target)
    cluster.finish_move()

    assert [b"1", b"2"] == target.cli("MGET", "{ab}x", "{ab}y")
    wait_until(lambda: cluster.node_of(slot) is target, "new owner known")
