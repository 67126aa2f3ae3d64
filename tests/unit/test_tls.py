"""TLS of the server: which files it takes, what it says of others, how it writes a subject."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ConfigError
from service.tls import SHORT, Tls, Unverified, distinguished_name, extension, loop_factory
from tests.certs import Authority, Key, Pair, main, of_rsa, on_p256, write_key
from tests.loopback import Wire

DAY_S = 86_400


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA whose files the tests of this module share."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    """A server's certificate and key."""
    return authority.server()


def tls_of(pair: Pair, **more: Any) -> Tls:
    """How a server is told of *pair*."""
    return Tls(certfile=str(pair.certificate), keyfile=str(pair.key), **more)


def fault(tls: Tls) -> str:
    """The one line with which *tls* is refused."""
    with pytest.raises(ConfigError) as caught:
        tls.context()
    (line,) = str(caught.value).splitlines()
    return line


def test_nothing_older_than_tls_1_2_is_spoken(pair: Pair) -> None:
    """Whatever the machine's own OpenSSL settings allow."""
    context = tls_of(pair).context()

    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert ssl.OP_NO_RENEGOTIATION & context.options
    assert ssl.CERT_NONE == context.verify_mode


@pytest.mark.parametrize(
    ("word", "mode"), [("optional", ssl.CERT_OPTIONAL), ("required", ssl.CERT_REQUIRED)]
)
def test_clients_are_asked_as_configured(
    authority: Authority, pair: Pair, word: str, mode: ssl.VerifyMode
) -> None:
    """And only certificates of the given CA are believed."""
    context = tls_of(pair, ca=str(authority.file), client_certs=word).context()

    assert mode == context.verify_mode
    assert 1 == len(context.get_ca_certs())


def test_the_key_may_stand_in_the_file_of_the_certificate(pair: Pair, tmp_path: Path) -> None:
    """As some tools write it."""
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())

    assert Tls(certfile=str(both)).context()


def test_a_file_that_is_missing_is_named(pair: Pair, authority: Authority) -> None:
    """Each with the setting that it stands in."""
    lost = Pair(Path("/no/cert"), Path("/no/key"))
    why = "cannot be read: No such file or directory"

    assert f"server.ssl_certfile: /no/cert {why}" == fault(tls_of(Pair(lost.certificate, pair.key)))
    assert f"server.ssl_keyfile: /no/key {why}" == fault(tls_of(Pair(pair.certificate, lost.key)))
    assert f"server.ssl_ca: /no/ca {why}" == fault(
        tls_of(pair, ca="/no/ca", client_certs="optional")
    )


def test_a_directory_is_no_file(pair: Pair, tmp_path: Path) -> None:
    """A file that may not be read is told alike."""
    line = fault(tls_of(Pair(tmp_path, pair.key)))

    assert f"server.ssl_certfile: {tmp_path} cannot be read: Is a directory" == line


def test_a_path_that_is_none_is_told_so(pair: Pair) -> None:
    """Python itself has no words for it."""
    line = fault(tls_of(Pair(Path("a\0b"), pair.key)))

    assert line.endswith(" cannot be read: not a path")


def test_a_file_without_a_certificate_is_told_so(pair: Pair, tmp_path: Path) -> None:
    """Be it empty, a key, or something else in PEM's clothes."""
    empty, torn = tmp_path / "empty", tmp_path / "torn"
    empty.touch()
    torn.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    for wrong in (empty, torn, pair.key):
        assert f"server.ssl_certfile: {wrong} holds no certificate in PEM (" in fault(
            tls_of(Pair(wrong, pair.key))
        )
    assert "server.ssl_ca: " in fault(tls_of(pair, ca=str(empty), client_certs="required"))


def test_a_ca_that_is_none_is_told_so(pair: Pair) -> None:
    """With the server's own certificate there no client would ever be believed."""
    line = fault(tls_of(pair, ca=str(pair.certificate), client_certs="optional"))

    assert f"server.ssl_ca: {pair.certificate} holds no certificate of a CA" == line


def test_a_key_that_is_not_the_certificates_is_told_so(pair: Pair, authority: Authority) -> None:
    """The line names both files."""
    other = authority.server("other")

    assert (
        f"server.ssl_keyfile: {other.key} does not belong to the certificate in {pair.certificate}"
        == fault(tls_of(Pair(pair.certificate, other.key)))
    )


def test_a_key_that_is_none_is_told_so(pair: Pair) -> None:
    """A certificate in its place, for one."""
    line = fault(tls_of(Pair(pair.certificate, pair.certificate)))

    assert f"server.ssl_keyfile: {pair.certificate} is no private key in PEM that can be" in line


def test_nobody_is_asked_for_a_passphrase(pair: Pair, tmp_path: Path) -> None:
    """A server has no terminal: an encrypted key is an error and not a question."""
    key = tmp_path / "locked.key"
    write_key(key, ec.generate_private_key(ec.SECP256R1()), b"secret")

    assert (
        f"server.ssl_keyfile: {key} is encrypted; only a key without a passphrase can be used"
        == fault(tls_of(Pair(pair.certificate, key)))
    )


def test_a_bad_renewal_changes_nothing(authority: Authority, tmp_path: Path) -> None:
    """The old certificate goes on until both files are good again."""
    pair, other = authority.server("renewed"), authority.server("meanwhile")
    tls = tls_of(pair)
    live = tls.listening()
    before = presented(live)
    other.certificate.rename(pair.certificate)
    with pytest.raises(ConfigError, match="does not belong"):
        tls.renew(live)

    assert before == presented(live)

    other.key.rename(pair.key)
    tls.renew(live)

    assert before != presented(live)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kinds", [(on_p256, of_rsa), (of_rsa, on_p256), (of_rsa, of_rsa)])
def test_a_renewal_may_change_the_kind_of_key(
    authority: Authority, kinds: tuple[Callable[[], Key], ...], version: ssl.TLSVersion
) -> None:
    """Clients that could take the old one as well are shown the new one."""
    old, new = (authority.server(f"kind{n}", key=kind()) for n, kind in enumerate(kinds))
    tls = tls_of(old)
    live = tls.listening()

    assert der_of(old) == presented(live, version)

    new.certificate.rename(old.certificate)
    new.key.rename(old.key)
    tls.renew(live)

    assert der_of(old) == presented(live, version)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_renewal_takes_up_other_authorities_and_forgets_sessions(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Whom only an old CA vouched for is a stranger then, with a session of before as well."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    file = tmp_path / "believed.pem"
    file.write_bytes(old.file.read_bytes())
    tls = tls_of(authority.server("believing"), ca=str(file), client_certs="optional")
    live = tls.listening()
    known = authority.trusted(old.client())
    known.maximum_version = version
    before = told(live, known)

    assert told(live, known, before.session).session_reused

    file.write_bytes(new.file.read_bytes())
    tls.renew(live)
    with pytest.raises(Unverified, match="unable to get local issuer certificate"):
        told(live, known, before.session)
    nobody, other = authority.trusted(), authority.trusted(new.client())

    assert not told(live, other).session_reused
    assert not told(live, nobody).session_reused


def der_of(pair: Pair) -> bytes:
    """The certificate of *pair*, in DER."""
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def presented(server: ssl.SSLContext, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """The certificate that *server* shows to a client who names no host, in DER."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = version
    return told(server, client, name=None).getpeercert(binary_form=True) or b""


def told(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
    *,
    name: str | None = "localhost",
) -> ssl.SSLObject:
    """The client's side of a connection to *server* that has come about, tickets and all."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=name, session=session)
    serving = server.wrap_bio(up, down, server_side=True)
    for side in (asking, serving) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    serving.write(b"hello")
    assert b"hello" == asking.read()
    return asking


@pytest.mark.parametrize("days", [-1, 5, 100])
def test_ends_are_known_past_ones_too(authority: Authority, days: int) -> None:
    """To the second, as OpenSSL compares them."""
    pair = authority.server(f"days{days}", days=days)
    ends = tls_of(pair).ends()

    assert ["server.ssl_certfile"] == list(ends)
    assert abs(ends["server.ssl_certfile"] - time.time() - days * DAY_S) < 60


def test_the_first_end_of_a_chain_counts(authority: Authority, tmp_path: Path) -> None:
    """The CA's too, when clients' certificates must come from it."""
    pair = authority.server("chained", days=9000)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pair.certificate.read_bytes() + authority.file.read_bytes())
    tls = tls_of(Pair(chain, pair.key), ca=str(authority.file), client_certs="optional")
    ends = tls.ends()

    assert ends["server.ssl_ca"] == ends["server.ssl_certfile"]
    assert ends["server.ssl_ca"] < time.time() + 4000 * DAY_S


def test_a_certificate_that_is_not_for_servers_is_told_so(authority: Authority) -> None:
    """No client would take it."""
    with pytest.raises(ConfigError, match=r"no client will take .*purpose"):
        tls_of(authority.client("wrong")).ends()


def test_a_connection_without_tls_has_no_extension() -> None:
    """As ASGI wants it."""
    assert extension(Wire()) is None


def test_the_loop_has_its_deadlines() -> None:
    """It is made in the process that runs it."""
    loop = loop_factory(Tls(certfile="a", handshake_s=1.5))()
    try:
        assert 1.5 == loop.tls.handshake_s  # type: ignore[attr-defined]
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ([[("commonName", "a")]], "CN=a"),
        ([[("countryName", "DE")], [("organizationName", "b")], [("commonName", "a")]],
         "CN=a,O=b,C=DE"),
        ([[("organizationalUnitName", "b"), ("commonName", "a")]], "OU=b+CN=a"),
        ([[("commonName", 'a,b+c"d\\e<f>g;h=i')]], r"CN=a\,b\+c\"d\\e\<f\>g\;h=i"),
        ([[("commonName", " a ")]], r"CN=\ a\ "),
        ([[("commonName", " ")]], r"CN=\ "),
        ([[("commonName", "#a#")]], r"CN=\#a#"),
        ([[("commonName", "a\0\n\x7f")]], r"CN=a\00\0a\7f"),
        ([[("emailAddress", "a@b")]], "emailAddress=a@b"),
        ([[("1.2.3", "a,b")]], "1.2.3=#0c03612c62"),
        ([[("1.2.3", "x" * 300)]], "1.2.3=#0c82012c" + "78" * 300),
        ([], ""),
    ],
)  # fmt: skip
def test_a_subject_is_written_as_rfc_4514_has_it(subject: Any, text: str) -> None:
    """The last part first; what would end a value is escaped."""
    assert text == distinguished_name(subject)


OIDS = {
    "commonName": NameOID.COMMON_NAME,
    "localityName": NameOID.LOCALITY_NAME,
    "stateOrProvinceName": NameOID.STATE_OR_PROVINCE_NAME,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationalUnitName": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "streetAddress": NameOID.STREET_ADDRESS,
    "domainComponent": NameOID.DOMAIN_COMPONENT,
    "userId": NameOID.USER_ID,
}
PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20)


@given(pairs=st.lists(st.tuples(st.sampled_from(sorted(OIDS)), PRINTED), min_size=1, max_size=4))
def test_another_library_writes_the_same(pairs: list[tuple[str, str]]) -> None:
    """cryptography has no word for OpenSSL's long names, but the same standard."""
    subject = x509.Name([x509.NameAttribute(OIDS[kind], value) for kind, value in pairs])

    assert set(OIDS) | {"countryName"} == set(SHORT)
    assert subject.rfc4514_string() == distinguished_name([[pair] for pair in pairs])


def test_openssl_calls_the_types_by_the_names_we_expect(authority: Authority) -> None:
    """What is in a certificate comes out of a handshake as the text of that subject."""
    subject = x509.Name(
        [x509.NameAttribute(oid, "de") for oid in (*OIDS.values(), NameOID.COUNTRY_NAME)]
        + [x509.NameAttribute(ObjectIdentifier("1.2.3.4"), "de")]
    )
    shown = authority.client("everything", subject)
    read = ssl._ssl._test_decode_cert(str(shown.certificate))  # type: ignore[attr-defined]
    known, unknown = subject.rfc4514_string().split(",")[1:], "1.2.3.4=#0c026465"

    assert ",".join([unknown, *known]) == distinguished_name(read["subject"])


def test_a_folder_for_trying_has_a_client_whom_puppets_tools_can_load(tmp_path: Path) -> None:
    """They read RSA keys only; the CA's own key is nowhere."""
    main(tmp_path)

    key = serialization.load_pem_private_key((tmp_path / "client.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    names = {"ca.pem", "client.key", "client.pem", "server.key", "server.pem"}
    assert names == {path.name for path in tmp_path.iterdir()}


def test_a_key_is_written_for_its_owner_only(pair: Pair) -> None:
    """Also where the shell's mask would let others read it."""
    assert 0o600 == os.stat(pair.key).st_mode & 0o777
