"""Certificates for tests and for trying TLS out: a CA of one's own, and what it signs.

``make certs`` calls this module. The keys are for one machine and are never committed.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")
CA_DAYS = 3650
LEAF_DAYS = 365
KEY_MODE = 0o600

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and of its key."""

    certificate: Path
    key: Path

    @property
    def files(self) -> tuple[str, str]:
        """Both as clients in Python take them."""
        return str(self.certificate), str(self.key)

    @property
    def settings(self) -> dict[str, str]:
        """A node's settings for it as the server's."""
        return {
            "TOKENHOUSE_SERVER__SSL_CERTFILE": str(self.certificate),
            "TOKENHOUSE_SERVER__SSL_KEYFILE": str(self.key),
        }


def on_p256() -> Key:
    """A new key for ECDSA."""
    return ec.generate_private_key(ec.SECP256R1())


def of_rsa() -> Key:
    """A new key for RSA, the only kind that Puppet's own clients can load."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def named(text: str) -> x509.Name:
    """A subject of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A CA that keeps its key to itself and its files in *folder*."""

    def __init__(self, folder: Path, name: str = "Tokenhouse local CA") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = on_p256()
        self._name = named(name)
        ca = x509.BasicConstraints(ca=True, path_length=0)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        signed = (
            self._begin(self._name, self._key, CA_DAYS)
            .add_extension(ca, critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(
        self,
        stem: str = "server",
        names: Sequence[str] = SERVER_NAMES,
        days: float = LEAF_DAYS,
        *,
        key: Key | None = None,
    ) -> Pair:
        """A certificate for a server that is reached under *names* (hosts and addresses).

        The *key* is on P-256 when none is given, which is the quickest to make.
        """
        key = key or on_p256()
        builder = self._leaf(named(names[0]), days, key=key, purpose=SERVER)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        return self._write(stem, builder.add_extension(alternatives, critical=False), key)

    def client(
        self,
        stem: str = "client",
        subject: x509.Name | str = "client",
        days: float = LEAF_DAYS,
        *,
        key: Key | None = None,
    ) -> Pair:
        """A certificate for a client of this *subject*, or of this common name; *key* as above."""
        name, key = named(subject) if isinstance(subject, str) else subject, key or on_p256()
        return self._write(stem, self._leaf(name, days, key=key, purpose=CLIENT), key)

    def trusted(self, own: Pair | None = None) -> ssl.SSLContext:
        """What a client has that trusts this CA and nobody else, and shows *own*."""
        context = ssl.create_default_context(cafile=str(self.file))
        if own is not None:
            context.load_cert_chain(*own.files)
        return context

    def _leaf(
        self, subject: x509.Name, days: float, *, key: Key, purpose: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        return (
            self._begin(subject, key, days)
            .add_extension(leaf, critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )

    def _begin(self, subject: x509.Name, key: Key, days: float) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        # A few days back: clocks differ, and a certificate of the past is wanted as well.
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(own, critical=False)
            .add_extension(issuer, critical=False)
        )

    def _write(self, stem: str, builder: x509.CertificateBuilder, key: Key) -> Pair:
        signed = builder.sign(self._key, hashes.SHA256())
        pair = Pair(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        write_key(pair.key, key)
        return pair


def write_key(path: Path, key: Key, passphrase: bytes = b"") -> None:
    """Write *key* where only its owner can read it."""
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else None
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        locked or serialization.NoEncryption(),
    )
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE), "wb") as file:
        file.write(text)


def _usage(**wanted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def main(folder: Path) -> None:
    """Make a CA, a server's and a client's certificate in *folder*, unless there is a CA."""
    if (folder / "ca.pem").exists():
        print(f"{folder}/ca.pem is there already; remove {folder} to begin anew")
        return
    authority = Authority(folder)
    server, client = authority.server(), authority.client(key=of_rsa())
    print(f"CA      {authority.file}   (its key was not kept: it signs nothing more)")
    print(f"server  {server.certificate}  {server.key}  for {', '.join(SERVER_NAMES)}")
    print(f"client  {client.certificate}  {client.key}  common name client")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
