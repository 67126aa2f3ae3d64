"""The HTTP protocol under TLS: the same answers, what applications learn, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import service.tls
from service.tls import TELL_S, Tls, Unverified, loop_factory
from tests.certs import Authority
from tests.loopback import (
    GET,
    LAST,
    SHORT,
    App,
    Wire,
    answers,
    connect,
    drain,
    first_answer,
    head_of,
    serving,
    statuses,
    talk,
    wait_for,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA whose files the tests of this module share."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls(authority: Authority) -> Tls:
    """A server that takes certificates of clients, and waits for nobody."""
    certificate, key = authority.server().files
    return Tls(
        certfile=certificate,
        keyfile=key,
        ca=str(authority.file),
        client_certs="optional",
        handshake_s=0.5,
    )


@pytest.fixture(scope="module")
def port(tls: Tls) -> Iterator[int]:
    """A server with the limits as they are by default."""
    with serving(App(), tls) as number:
        yield number


def test_requests_are_served_one_after_another(port: int, authority: Authority) -> None:
    """Keep-alive is kept, with and without pipelining, however the records are cut."""
    with connect(port, authority.trusted()) as sock:
        sock.sendall(GET % b"one")

        assert [(200, b"one:0")] == first_answer(sock)

        for byte in GET % b"two":
            sock.sendall(bytes([byte]))

        assert [(200, b"two:0")] == first_answer(sock)

        sock.sendall(GET % b"slow" + GET % b"three" + LAST)

        assert [(200, b"slow"), (200, b"three:0"), (200, b"last:0")] == answers(drain(sock))


def test_an_answer_larger_than_every_buffer_arrives_whole(port: int, authority: Authority) -> None:
    """Also when the client takes its time."""
    with connect(port, authority.trusted()) as sock:
        sock.sendall(GET % b"endless")
        time.sleep(0.3)
        came, wanted = 0, 200 * 100_000
        while came < wanted and (part := sock.recv(1 << 20)):
            came += len(part)

    assert wanted <= came


def test_applications_learn_who_the_client_is(tls: Tls, authority: Authority) -> None:
    """Each request of a connection says whose certificate it came with; plain ones say nothing."""
    plain, app = App(), App()
    with serving(plain) as number:
        talk(number, LAST)
    with serving(app, tls) as number:
        talk(number, GET % b"a" + LAST, authority.trusted(authority.client()))
        talk(number, LAST, authority.trusted())

    assert [None] == plain.extensions
    shown = [each["tls"]["client_cert_name"] for each in app.extensions]
    assert ["CN=client", "CN=client", None] == shown
    assert {
        "server_cert": None,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": None,
    } == app.extensions[-1]["tls"]


def test_the_older_version_is_told_apart(tls: Tls, authority: Authority) -> None:
    """By its number on the wire."""
    app, older = App(), authority.trusted()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(app, tls) as number:
        talk(number, LAST, older)

    assert [0x0303] == [each["tls"]["tls_version"] for each in app.extensions]


@pytest.mark.parametrize("data", [b"BAD\r\n\r\n", head_of(20000), GET % b"a" + b"BAD\r\n\r\n"])
def test_a_refusal_is_read_to_its_end_and_ends_at_once(
    tls: Tls, authority: Authority, data: bytes
) -> None:
    """TLS says goodbye right behind it: nobody has to wait, and no answer is cut."""
    with serving(App(linger_s=30), tls) as number:
        begun = time.monotonic()

        assert statuses(talk(number, data, authority.trusted()))[-1] in (400, 431)
        assert time.monotonic() - begun < 5


def test_a_flood_is_answered_all_the_same(port: int, authority: Authority) -> None:
    """What comes behind the refusal is read into the void."""
    with connect(port, authority.trusted()) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (4 << 20))

        assert [431] == statuses(drain(sock))


def test_an_idle_connection_ends_with_a_word(tls: Tls, authority: Authority) -> None:
    """The client knows then that nothing was cut off."""
    with serving(App(**SHORT), tls) as number:
        assert [(200, b"one:0")] == answers(talk(number, GET % b"one", authority.trusted()))


def test_a_client_that_says_goodbye_is_answered_likewise(port: int, authority: Authority) -> None:
    """Both sides then know that the connection ended as it should."""
    with connect(port, authority.trusted()) as sock:
        sock.sendall(GET % b"one")
        first_answer(sock)

        sock.unwrap()  # type: ignore[attr-defined]


def test_a_client_that_breaks_off_is_noticed(tls: Tls, authority: Authority) -> None:
    """The running request is told."""
    app = App()
    with serving(app, tls) as number:
        with connect(number, authority.trusted()) as sock:
            sock.sendall(GET % b"wait")
            wait_for(lambda: "begin wait" in app.seen)
        wait_for(lambda: "end wait" in app.seen)

    assert ["begin wait", "gone wait", "end wait"] == app.seen


@pytest.mark.parametrize("path", [b"endless", b"one"])
def test_an_answer_that_nobody_reads_is_dropped(
    tls: Tls, authority: Authority, path: bytes
) -> None:
    """A client that neither reads nor says goodbye holds nothing."""
    app = App(**SHORT)
    with serving(app, tls) as number, connect(number, authority.trusted()) as sock:
        sock.sendall(GET % path)

        wait_for(lambda: f"end {path.decode()}" in app.seen)


def ended_after(sock: object) -> float:
    """The seconds until the other side ends *sock*, whatever it says first."""
    begun = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while sock.recv(65536):  # type: ignore[attr-defined]
            pass
    return time.monotonic() - begun


def test_a_handshake_has_a_deadline(port: int) -> None:
    """A client that says nothing, or a byte now and then, is cut off."""
    with connect(port) as silent, connect(port) as slow:
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500):
                slow.sendall(bytes([byte]))
                time.sleep(0.02)

        assert time.monotonic() - begun < 5
        assert ended_after(silent) < 5


@pytest.mark.parametrize(
    "data",
    [LAST, b"\x16\x03\x01\x00\x05nonsense", bytes(1000), b"\x16\x03\x01\x02\x00\x01"],
    ids=["plain", "nonsense", "zeros", "half"],
)
def test_a_broken_handshake_harms_nobody(
    port: int, authority: Authority, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The next client is served, and nobody fills the log."""
    with connect(port) as sock:
        sock.sendall(data)
        if data != b"\x16\x03\x01\x02\x00\x01":
            ended_after(sock)

    assert [200] == statuses(talk(port, LAST, authority.trusted()))
    assert [] == [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_what_is_too_old_is_refused(port: int, authority: Authority) -> None:
    """TLS 1.1 is not spoken."""
    old = authority.trusted()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(OSError, match=r"(?i)protocol|reset"):
        talk(port, LAST, old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("stranger", "unable to get local issuer certificate"),
        ("late", "certificate has expired"),
        ("server", "unsuitable certificate purpose"),
    ],
)
def test_a_certificate_that_is_no_good_is_refused_and_told(
    tls: Tls,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    kind: str,
    why: str,
    version: ssl.TLSVersion,
) -> None:
    """One of another CA, one that has ended, one for servers; at once, and then now and then."""
    pairs = {
        "stranger": lambda: Authority(tmp_path).client(),
        "late": lambda: authority.client("late", days=-1),
        "server": lambda: authority.server("not-a-client"),
    }
    shown = authority.trusted(pairs[kind]())
    shown.maximum_version = version
    with serving(App(), tls) as number:
        for _ in range(3):
            with pytest.raises(OSError, match=r"(?i)alert|reset|EOF"):
                talk(number, LAST, shown)
        assert [200] == statuses(talk(number, LAST, authority.trusted()))

    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [f"no good certificate from the client at 127.0.0.1: {why}"] == said


def test_how_many_more_were_refused_is_told(
    tls: Tls, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next line about them; anything else goes where it went."""
    loop = loop_factory(tls)()
    heard = list[str]()
    loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
    try:
        for wait_s in (TELL_S, TELL_S, TELL_S, 0.0):
            monkeypatch.setattr(service.tls, "TELL_S", wait_s)
            context = {"message": "m", "exception": Unverified("no"), "transport": Wire()}
            loop.call_exception_handler(context)
        loop.call_exception_handler({"message": "other"})
    finally:
        loop.close()

    first, second = (record.getMessage() for record in caplog.records)
    assert first.endswith(": no")
    assert second.endswith(": no (and 2 more since the last such line)")
    assert ["other"] == heard


def test_a_certificate_can_be_required(tls: Tls, authority: Authority) -> None:
    """Then nobody gets further without one."""
    must = Tls(certfile=tls.certfile, keyfile=tls.keyfile, ca=tls.ca, client_certs="required")
    with serving(App(), must) as number:
        assert [200] == statuses(talk(number, LAST, authority.trusted(authority.client())))
        with pytest.raises(OSError, match=r"(?i)alert|reset|EOF"):
            talk(number, LAST, authority.trusted())
