"""Every knob once: what it is called, its kind, its range, its default and what it does.

A duration is kept in milliseconds and a size in bytes, whatever unit the file wrote it in.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from service.config.hidden import SecretKey, SecretKeys, StoreUrl
from service.config.kinds import (
    Choice,
    Duration,
    Networks,
    Size,
    Text,
    Texts,
    Whole,
    Words,
)
from service.config.knob import Section, Switch, knob
from service.config.rules import Policies
from service.model import Network, Policy

FilePath = Annotated[str, Text(r"[^\0\r\n]{0,4096}", "a path, or empty for none")]

DIALECTS = ("tower", "netbox", "nautobot", "puppet", "oauth")
"""The folders under ``service/dialects``; a further one is one word here."""


class Server(Section):
    """Where this node listens, whom it believes, and how much it takes on."""

    host: Annotated[str, Text(r"[0-9A-Za-z_.:%-]+", "a host name or an IP address")] = knob(
        "127.0.0.1", "The address this node listens on."
    )
    port: Annotated[int, Whole(0, 65535, "a TCP port")] = knob(
        8000, "The port this node listens on; 0 takes any free one."
    )
    workers: Annotated[int, Whole(1, 256, "processes")] = knob(
        1, "Processes that share the port; memory:// allows one only."
    )
    node: Annotated[str, Text(r"[!-~]{0,255}", "up to 255 visible ASCII characters")] = knob(
        "", "This node's name in X-API-Node and in status pages; empty means <hostname>:<port>."
    )
    trusted_proxies: Annotated[tuple[Network, ...], Networks()] = knob(
        [], "Peers whose headers about the client are believed."
    )
    client_ip_header: Annotated[
        str, Text(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "a header name", lower=True)
    ] = knob(
        "x-forwarded-for",
        "The header, read from the right, in which a trusted proxy names the client's address.",
    )
    bind_ip_fallback: Annotated[str, Choice(("refuse", "peer"))] = knob(
        "refuse",
        "Who the client is when a trusted proxy names no usable address.",
    )
    max_body: Annotated[int, Size("1KiB", "16MiB")] = knob(
        "64KiB", "The largest request body that is read."
    )
    header_bytes: Annotated[int, Size("1KiB", "1MiB")] = knob(
        "16KiB", "The largest request line and headers together."
    )
    header_count: Annotated[int, Whole(10, 1000, "headers")] = knob(
        100, "How many headers a request may have."
    )
    header_timeout: Annotated[int, Duration("100ms", "5m")] = knob(
        "10s", "How long a client may take to send its headers."
    )
    body_timeout: Annotated[int, Duration("100ms", "10m")] = knob(
        "30s", "How long a client may take to send its body."
    )
    idle_timeout: Annotated[int, Duration("1s", "1h")] = knob(
        "75s", "How long a connection may stay open between two requests."
    )
    in_flight: Annotated[int, Whole(1, 100_000, "requests")] = knob(
        1000, "Requests one process works on at a time; a further one is answered 503."
    )
    drain_timeout: Annotated[int, Duration("100ms", "1h", zero=True)] = knob(
        "30s", "How long a stopping node waits for its open requests."
    )
    ssl_certfile: FilePath = knob(
        "", "The certificate, in PEM with its chain, that makes this node speak HTTPS only."
    )
    ssl_keyfile: FilePath = knob(
        "", "The private key of ssl_certfile, in PEM; empty means that it stands in ssl_certfile."
    )
    ssl_ca: FilePath = knob("", "The CAs, in PEM, that client certificates must come from.")
    client_certs: Annotated[str, Choice(("none", "optional", "required"))] = knob(
        "none", "Whether clients may, or must, show a certificate when they connect."
    )

    def clashes(self) -> Iterator[tuple[str, str]]:
        """Settings of TLS that only mean something together."""
        for name in ("ssl_keyfile", "ssl_ca"):
            if getattr(self, name) and not self.ssl_certfile:
                yield name, "means nothing without ssl_certfile"
        wanted = self.client_certs != "none"
        if wanted and not self.ssl_certfile:
            yield "client_certs", f'"{self.client_certs}" means nothing without ssl_certfile'
        elif wanted and not self.ssl_ca:
            yield "client_certs", f'"{self.client_certs}" needs ssl_ca, the CAs to believe'
        elif self.ssl_ca and self.ssl_certfile and not wanted:
            yield "ssl_ca", 'means nothing while client_certs is "none"'

    @field_validator("node")
    @classmethod
    def _named(cls, node: str, info: ValidationInfo) -> str:
        return node or f"{socket.gethostname()}:{info.data.get('port', '')}"


class Store(Section):
    """The Redis that holds every token."""

    url: Annotated[str, StoreUrl()] = knob(
        "memory://", "Where the tokens live; memory:// forgets them when the process ends."
    )
    timeout: Annotated[int, Duration("10ms", "10s")] = knob(
        "150ms", "How long one answer of the store may take; after it the request gets 503."
    )
    wait_replicas: Annotated[int, Whole(0, 10, "replicas")] = knob(
        0, "Replicas that must acknowledge a write before its request is answered."
    )
    prefix: Annotated[
        str, Text(r"[!-z|~]{0,64}", "up to 64 visible ASCII characters, no brace")
    ] = knob("", "What every key begins with, so that a Redis can be shared.")
    pool: Annotated[int, Whole(1, 10_000, "connections")] = knob(
        16, "Connections to the store that one process may hold."
    )


class Secret(Section):
    """What tokens are derived from; never in the store."""

    keys: Annotated[tuple[SecretKey, ...], SecretKeys()] = knob(
        [], "The service secrets: the first makes new tokens, all of them can show old ones."
    )


class LastUsed(Section):
    """How exact "last used" is."""

    interval: Annotated[int, Duration("1s", "1d")] = knob(
        "60s", "A token's last use is written again when the stored one is older than this."
    )


class Tower(Section):
    """What only the Tower dialect knows."""

    auth_basic: Switch = knob(
        True, "Whether a user name and password may stand in for a token on Tower's own paths."
    )


ShowKey = Annotated[str, Choice(("always", "once"))]
ClientKeys = Annotated[str, Choice(("own", "superuser", "never"))]


class RestTokens(Section):
    """What the NetBox and Nautobot dialects have in common."""

    show_key: ShowKey = knob(
        "always", "Whether a token's key is shown whenever the token is, or only when it is made."
    )
    client_keys: ClientKeys = knob(
        "own", "Who may choose a new token's key: users for their own, superusers, nobody."
    )
    explicit_permissions: Switch = knob(
        False, "Whether users need permissions to deal with their own tokens."
    )


class Netbox(RestTokens):
    """What only the NetBox dialect knows."""

    contract: Annotated[str, Choice(("3.3", "4.6"))] = knob(
        "3.3", "The version of NetBox whose answers are given."
    )
    maintenance_mode: Switch = knob(
        False, "Whether the uses of tokens at NetBox's own paths leave no trace in last_used."
    )
    exempt_view: Annotated[
        tuple[str, ...], Words(("*", "users.token", "users.user"), empty=True)
    ] = knob([], "What may be looked at without a permission (EXEMPT_VIEW_PERMISSIONS).")
    login_required: Switch = knob(
        False, "Whether everything but provisioning needs a token (LOGIN_REQUIRED)."
    )


class Nautobot(RestTokens):
    """What only the Nautobot dialect knows."""


class Puppet(Section):
    """What only the Puppet dialect knows."""

    cert_allowlist: Annotated[
        tuple[str, ...], Texts(r"[^\x00-\x1f\x7f]{1,255}", "names of certificates")
    ] = knob([], "Client certificates whose holder is api_user, who may do everything.")
    cert_header: Annotated[
        str, Text(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*", "a header name, or empty", lower=True)
    ] = knob(
        "", "The header in which a trusted proxy names the client certificate that it has verified."
    )


class Dialects(Section):
    """Which token APIs this node speaks."""

    enabled: Annotated[tuple[str, ...], Words(DIALECTS)] = knob(
        [*DIALECTS], "The token APIs that are offered."
    )
    users_tokens: Annotated[str, Choice(("netbox", "nautobot"))] = knob(
        "netbox", "Who answers /api/users/tokens/, a path that two of the products use."
    )
    tower: Tower = Field(default_factory=Tower)
    netbox: Netbox = Field(default_factory=Netbox)
    nautobot: Nautobot = Field(default_factory=Nautobot)
    puppet: Puppet = Field(default_factory=Puppet)


class Login(Section):
    """What a password check may cost, and how guessing is slowed down."""

    attempts: Annotated[int, Whole(0, 10_000, "failed logins")] = knob(
        10, "Failed logins that an account or an address may have before it must wait; 0 is off."
    )
    window: Annotated[int, Duration("1s", "1d")] = knob(
        "5m", "Failed logins are forgotten after this long without another one."
    )
    max_wait: Annotated[int, Duration("1s", "1d")] = knob(
        "15m", "The longest wait after a failed login; each further failure doubles it up to this."
    )
    puppet_lockout: Annotated[str, Choice(("delay", "revoke"))] = knob(
        "delay", "What too many failed logins at Puppet's paths do to the account."
    )
    argon2_time: Annotated[int, Whole(1, 20, "passes")] = knob(
        2, "Argon2id passes of a new password hash."
    )
    argon2_memory: Annotated[int, Size("8KiB", "4GiB")] = knob(
        "19MiB", "Memory of one Argon2id computation of a new password hash."
    )
    argon2_parallelism: Annotated[int, Whole(1, 16, "lanes")] = knob(
        1, "Argon2id lanes of a new password hash."
    )
    hashers: Annotated[int, Whole(0, 256, "threads")] = knob(
        0, "Password checks that run at a time in one process; 0 means one per core."
    )
    queue: Annotated[int, Whole(1, 10_000, "logins")] = knob(
        64, "Logins that may wait for a password check; a further one is answered 503."
    )
    password_cache: Annotated[int, Duration("1s", "1h", zero=True)] = knob(
        "30s", "How long a process remembers a successful password check; 0 is never."
    )

    def clashes(self) -> Iterator[tuple[str, str]]:
        """Argon2 itself refuses less than 8 KiB a lane, but only at the first login."""
        least = 8 * self.argon2_parallelism
        if self.argon2_memory < least << 10:
            given = self.shown("argon2_memory")
            yield "argon2_memory", f"{given} is not {least}KiB or more, 8KiB for each lane"


class Gate(Section):
    """Where the gate looks for tokens besides the headers, what else passes, what it tells."""

    lane: Switch = knob(
        True, "Whether plain gate requests are answered inside the HTTP protocol, past ASGI."
    )
    staleness: Annotated[int, Duration("1s", "1h", zero=True, whole_seconds=True)] = knob(
        "0", "How long a gateway may keep a verdict that lets a token pass; 0 is not at all."
    )
    preflight: Switch = knob(
        False, "Whether a browser's CORS preflight passes the gate without a credential."
    )
    cookie: Switch = knob(False, "Whether the gate takes a token from the cookie.")
    query: Switch = knob(False, "Whether the gate takes a token from ?token= in the URL.")
    reason_header: Switch = knob(False, "Whether a refusal of the gate says why in X-Auth-Reason.")


class OAuth(Section):
    """What only the OAuth dialect knows."""

    introspection_slides: Switch = knob(
        False, "Whether asking about a token counts as a use of it."
    )


class Feed(Section):
    """The feed of revocations, for whoever keeps verdicts."""

    keep: Annotated[int, Whole(0, 10_000_000, "entries")] = knob(
        100_000, "About how many revocations can be told again to whoever was away; 0 is no feed."
    )


class Log(Section):
    """What the node writes down."""

    level: Annotated[str, Choice(("debug", "info", "warning", "error"))] = knob(
        "info", "The least important line that is written."
    )
    format: Annotated[str, Choice(("json", "text"))] = knob(
        "json", "How a line looks: json for machines, text for people."
    )
    refusals: Switch = knob(False, "Whether each refusal of the gate is written, at level info.")


class Metrics(Section):
    """What the node tells Prometheus."""

    enabled: Switch = knob(False, "Whether /metrics answers, and to anybody who asks.")


class Config(Section, BaseSettings):
    """Everything that can be set. Frozen; made by ``load``, or bare for the defaults."""

    server: Server = Field(default_factory=Server)
    store: Store = Field(default_factory=Store)
    secret: Secret = Field(default_factory=Secret)
    last_used: LastUsed = Field(default_factory=LastUsed)
    dialects: Dialects = Field(default_factory=Dialects)
    policy: Policies = Field(default_factory=Policies)
    login: Login = Field(default_factory=Login)
    gate: Gate = Field(default_factory=Gate)
    oauth: OAuth = Field(default_factory=OAuth)
    feed: Feed = Field(default_factory=Feed)
    log: Log = Field(default_factory=Log)
    metrics: Metrics = Field(default_factory=Metrics)

    @property
    def in_memory(self) -> bool:
        """Whether the store is this very process."""
        return self.store.url.startswith("memory:")

    def policies(self) -> dict[str, Policy]:
        """Every policy by name, as the core takes it."""
        names = type(self.policy).model_fields
        return {name: getattr(self.policy, name).policy(name) for name in names}

    def clashes(self) -> Iterator[tuple[str, str]]:
        """What a shared store needs, and what a store in the process cannot give."""
        if not self.in_memory and not self.secret.keys:
            yield "secret.keys", "a shared store needs a key of 32 bytes or more (see the manual)"
        if self.metrics.enabled and self.server.workers > 1:
            many = (
                f"{self.server.workers} is too many: /metrics would tell of one process at a time"
            )
            yield "server.workers", many
        if self.in_memory and self.server.workers > 1:
            yield "server.workers", f"{self.server.workers} is too many: memory:// is one process"
        if self.in_memory and self.store.wait_replicas:
            yield "store.wait_replicas", "memory:// has no replicas, only 0 is possible"

    @classmethod
    def settings_customise_sources(  # called so by pydantic-settings
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` has gathered: it knows where each value is from, and what is odd."""
        return (init_settings,)
