"""Nodes that speak HTTPS, for tests: called by clients who know whom to trust."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import httpx

from tests.nodes import PATIENCE_S, Node


class SecureNode(Node):
    """A ``tokenhouse serve`` over HTTPS, its certificate in *settings* or *words*.

    *trust* is what its callers have: ``http`` uses it, and ``connect`` unless told otherwise.
    """

    def __init__(
        self,
        store: str,
        trust: ssl.SSLContext,
        settings: Mapping[str, str] | None = None,
        *words: str,
    ) -> None:
        self.trust = trust
        super().__init__(store, settings, *words)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def _wait_until_alive(self) -> None:
        self.http.close()
        self.http = httpx.Client(
            base_url=self.url, timeout=PATIENCE_S, trust_env=False, verify=self.trust
        )
        super()._wait_until_alive()

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A connection of one's own; an end without TLS's goodbye is an error there."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return (context or self.trust).wrap_socket(
            sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False
        )
