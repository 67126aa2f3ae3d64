"""Who is calling: from a request to the address and the agent that tokens are bound to."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from service.core.address import claims_of, client_address, pack
from service.core.secret import agent_digest
from service.wire.dialect import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """All addresses are 16 bytes, or empty when unknown.

    *address* is what a new token is bound to and a use of a token is held to, as at the gate;
    *guard_address* what failed logins are counted by. *agent* is a digest.
    """

    address: bytes
    guard_address: bytes
    agent: bytes


def caller_of(request: Request, service: Service) -> Caller:
    """Who sent *request*, as far as the configured proxies may be believed."""
    server = service.config.server
    peer = pack(request.client.host) if request.client else b""
    claims = claims_of(server.client_ip_header, request.headers.getlist(server.client_ip_header))
    address = client_address(peer, claims, service.trust)
    if server.bind_ip_fallback == "peer":
        address = address or peer
    # Of several agents the last one counts, as at the gate: a token must fit in both places.
    agents = request.headers.getlist("user-agent") or [""]
    return Caller(
        address=address,
        guard_address=address or peer,
        agent=agent_digest(agents[-1].encode("latin-1")),
    )
