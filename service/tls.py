"""TLS as this server speaks it: its files, its deadlines, and how a client's name is written."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from service.errors import ConfigError

log = logging.getLogger(__name__)

Subject = Sequence[Sequence[tuple[str, str]]]
"""The subject of a certificate as Python's ``ssl`` gives it: parts of (type, value) pairs."""

VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
"""The numbers of the versions on the wire (RFC 8446 §4.1.2)."""

SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""OpenSSL's long names, and the short ones of RFC 4514 §3."""

TELL_S = 60.0
"""No more than one line about clients without a good certificate in this time."""

_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, for which Python has no name
_NONE_SHOWN = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Where certificate and key are, whose clients are believed, and for how long it is waited.

    An empty *keyfile* means that the key stands in *certfile*. *client_certs* is ``none``,
    ``optional`` or ``required``; other than ``none`` needs *ca*, a file of certificates in PEM.
    """

    certfile: str
    keyfile: str = ""
    ca: str = ""
    client_certs: str = "none"
    handshake_s: float = 10.0
    parting_s: float = 30.0

    def context(self) -> ssl.SSLContext:
        """A context as the files are now; ConfigError with one line when they are no good."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION
        made.set_alpn_protocols(["http/1.1"])
        made.sslobject_class = Link
        self._load_pair(made)
        made.verify_mode = _VERIFY[self.client_certs]
        if self.client_certs != "none":
            self._load_authorities(made)
        return made

    def listening(self) -> Listening:
        """What a server listens with, as the files are now. ConfigError as ``context``."""
        made = Listening(ssl.PROTOCOL_TLS_SERVER)
        made.newest = self.context()
        return made

    def renew(self, live: Listening) -> None:
        """Let the next connections to *live* have what the files hold now, or change nothing.

        ConfigError when they are no good. Connections that are open keep what they have.
        """
        live.newest = self.context()

    def ends(self) -> dict[str, int]:
        """When the server's certificate and each CA's end (seconds since 1970), by setting.

        Of a chain or of several CAs the first end counts. ConfigError when a file is no good.
        """
        chain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_certificates(chain, "server.ssl_certfile", self.certfile)
        own = [self._presented(), *chain.get_ca_certs()]
        found = {"server.ssl_certfile": min(map(_end, own))}
        if self.client_certs != "none":
            believed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._load_authorities(believed)
            found |= {"server.ssl_ca": min(map(_end, believed.get_ca_certs()))}
        return found

    def _load_authorities(self, context: ssl.SSLContext) -> None:
        _load_certificates(context, "server.ssl_ca", self.ca)
        if not context.get_ca_certs():
            raise ConfigError(f"server.ssl_ca: {self.ca} holds no certificate of a CA")

    def _load_pair(self, context: ssl.SSLContext) -> None:
        _load_certificates(
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "server.ssl_certfile", self.certfile
        )
        key = self.keyfile or self.certfile
        asked: list[str] = []

        def password() -> str:
            asked.append(key)
            return ""

        try:
            _readable("server.ssl_keyfile", key)
            context.load_cert_chain(self.certfile, key, password)
        except ssl.SSLError as error:
            if asked:
                cause = "is encrypted; only a key without a passphrase can be used"
            elif error.reason in _MISMATCH:
                cause = f"does not belong to the certificate in {self.certfile}"
            else:
                cause = f"is no private key in PEM that can be used ({_reason(error)})"
            raise ConfigError(f"server.ssl_keyfile: {key} {cause}") from None

    def _presented(self) -> dict[str, Any]:
        """The server's certificate as a client sees it that trusts this one, even if it ended."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        client.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        client.load_verify_locations(self.certfile)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_pair(server)
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        asking = client.wrap_bio(down, up)
        try:
            _shake(asking, server.wrap_bio(up, down, server_side=True))
        except ssl.SSLError as error:
            raise ConfigError(
                f"server.ssl_certfile: no client will take {self.certfile} ({_reason(error)})"
            ) from None
        return asking.getpeercert() or {}


class Listening(ssl.SSLContext):
    """Hands every connection to the *newest* context, which can be another one at any time.

    A context in use cannot be renewed itself: OpenSSL keeps one pair for each type of key and
    would go on to show the old one, takes no CA out, and believes the sessions it has given.
    """

    newest: ssl.SSLContext

    def wrap_bio(self, *bios: Any, **options: Any) -> ssl.SSLObject:
        """As ``ssl`` has it; the one thing that event loops ask of a context."""
        return self.newest.wrap_bio(*bios, **options)


class Unverified(Exception):
    """A client's certificate does not pass, and why in OpenSSL's words.

    No SSLError: of those the event loop says nothing to anybody.
    """


class Link(ssl.SSLObject):
    """The server's side of a connection, which tells certificates of clients that do not pass."""

    def do_handshake(self) -> None:
        """As ``ssl`` has it. Unverified."""
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLCertVerificationError) or error.reason == _NONE_SHOWN:
                raise Unverified(_reason(error)) from None
            raise


class Loop(uvloop.Loop):
    """An event loop whose TLS servers wait no longer than *tls* says, and tell who is refused."""

    tls: Tls
    _told_at = -TELL_S
    _untold = 0

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio has it; a client without a good certificate is a line now and then."""
        error = context.get("exception")
        if not isinstance(error, Unverified):
            super().call_exception_handler(context)
        elif self.time() - self._told_at < TELL_S:
            self._untold += 1
        else:
            peer = context["transport"].get_extra_info("peername") or ("?",)
            more = f" (and {self._untold} more since the last such line)" if self._untold else ""
            log.warning("no good certificate from the client at %s: %s%s", peer[0], error, more)
            self._told_at, self._untold = self.time(), 0

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """As asyncio has it; uvicorn passes no deadlines."""
        if options.get("ssl"):
            options.setdefault("ssl_handshake_timeout", self.tls.handshake_s)
            options.setdefault("ssl_shutdown_timeout", self.tls.parting_s)
        return await super().create_server(*args, **options)


def loop_factory(tls: Tls) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes event loops with the deadlines of *tls*; it can be sent to another process."""
    return partial(_loop, tls)


def _loop(tls: Tls) -> asyncio.AbstractEventLoop:
    made = Loop()
    made.tls = tls
    return made


def extension(transport: asyncio.BaseTransport) -> dict[object, object] | None:
    """The TLS extension of ASGI (version 0.2) for a connection; None for one without TLS.

    https://asgi.readthedocs.io/en/latest/specs/tls.html. The server's certificate is not shown,
    and the cipher is not, as Python knows only its name.
    """
    link = transport.get_extra_info("ssl_object")
    if link is None:
        return None
    shown = transport.get_extra_info("peercert")
    return {
        "server_cert": None,
        "client_cert_chain": (),
        "client_cert_name": distinguished_name(shown["subject"]) if shown else None,
        "client_cert_error": None,
        "tls_version": VERSIONS.get(link.version()),
        "cipher_suite": None,
    }


def distinguished_name(subject: Subject) -> str:
    """*subject* as one text (RFC 4514 §2): its last part first."""
    return ",".join("+".join(_attribute(*pair) for pair in part) for part in reversed(subject))


def _attribute(kind: str, value: str) -> str:
    """One type and value. An unknown type is a number, its value then in hex (§2.4)."""
    if kind[:1].isdigit():
        return f"{kind}=#{_utf8_string(value.encode()).hex()}"
    value = re.sub(r'([\\"+,;<>])', r"\\\1", value)
    value = re.sub(r"^([ #])", r"\\\1", value)
    value = re.sub(r"(?<!^)(?<!\\) $", r"\\ ", value)
    value = re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\{ord(match[0]):02x}", value)
    return f"{SHORT.get(kind, kind)}={value}"


def _utf8_string(text: bytes) -> bytes:
    """*text* as a UTF8String in DER (X.690 §8.1.3, §8.23)."""
    size = len(text)
    if size < 0x80:
        return bytes((0x0C, size)) + text
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x0C, 0x80 | len(length))) + length + text


def _readable(setting: str, path: str) -> None:
    """ConfigError when the file at *path* cannot be read."""
    try:
        Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{setting}: {path} cannot be read: {reason}") from None


def _load_certificates(context: ssl.SSLContext, setting: str, path: str) -> None:
    _readable(setting, path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{setting}: {path} holds no certificate in PEM ({_reason(error)})"
        ) from None


def _reason(error: ssl.SSLError) -> str:
    """What OpenSSL says, in words."""
    told = getattr(error, "verify_message", "") or error.reason or "no reason given"
    return told.replace("_", " ").lower()


def _shake(*sides: ssl.SSLObject) -> None:
    """Let two sides agree; each waits for the other's words a few times."""
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def _end(certificate: dict[str, Any]) -> int:
    return ssl.cert_time_to_seconds(certificate["notAfter"])
