"""What may be asked about tokens: whether one is good, that it be dead, and where to ask."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from service.core.address import pack
from service.core.secret import agent_digest
from service.dialects.oauth import texts
from service.dialects.oauth.refusal import Turned
from service.dialects.oauth.view import Call, Form, View, form_of, sender_of
from service.model import Token, Trace, Verdict
from service.wire.dialect import Service
from service.wire.reply import Reply
from service.wire.rest.links import origin

INACTIVE = {"active": False}
METHODS = ["client_secret_basic", "Bearer"]


async def introspect(call: Call) -> Reply:
    """Whether a token is good, and what is known of it then (RFC 7662 §2).

    One that is bound, or good in some networks only, is good for the ``client_ip`` and
    ``user_agent`` that the request names, as at the gate. Asking is no use of the token unless
    the config says so. Turned; what a login may raise.
    """
    sender = await sender_of(call)
    form = await form_of(call.request, call.service.config.server.max_body)
    text = form.token.encode()
    verdict = await _look(call.service, form, Trace.NONE)
    if verdict.allowed and sender.may_see(verdict.owner):
        if call.service.config.oauth.introspection_slides:
            verdict = await _look(call.service, form, Trace.WHOLE)
        token = await call.service.tokens.used(text, verdict) if verdict.allowed else None
        if token is not None:
            return Reply(200, _known(token, issuer(call.request, call.service)))
    return Reply(200, INACTIVE)


async def _look(service: Service, form: Form, trace: Trace) -> Verdict:
    address = pack(form.client_ip)
    if form.client_ip and not address:
        raise Turned(400, texts.INVALID_REQUEST, texts.NO_ADDRESS)
    return await service.tokens.verify(
        form.token.encode(),
        address=address,
        agent=agent_digest(form.agent),
        write=False,
        trace=trace,
    )


def _known(token: Token, by: str) -> dict[str, Any]:
    """The members of RFC 7662 §2.2, as far as there is something to say; times in whole seconds."""
    said = {
        "active": True,
        "scope": "read write" if token.write else "read",
        "client_id": token.client,
        "username": token.owner,
        "token_type": "Bearer",
        "exp": token.expires_ms // 1000,
        "iat": token.created_ms // 1000,
        "sub": token.owner,
        "iss": by,
        "jti": str(token.token_id),
    }
    return {name: value for name, value in said.items() if value}


async def revoke(call: Call) -> Reply:
    """Kill a token; whoever has its text may (RFC 7009 §2). Turned; what a login may raise.

    A token that nobody has, or that is dead, is as good as revoked (§2.2).
    """
    await sender_of(call)
    form = await form_of(call.request, call.service.config.server.max_body)
    await call.service.tokens.revoke(form.token.encode())
    return Reply(200)


async def metadata(call: Call) -> Reply:
    """Where the endpoints are, and how to authenticate there (RFC 8414 §2)."""
    by = issuer(call.request, call.service)
    return Reply(
        200,
        {
            "issuer": by,
            "response_types_supported": [],
            "grant_types_supported": [],
            "introspection_endpoint": f"{by}/oauth/introspect",
            "introspection_endpoint_auth_methods_supported": METHODS,
            "revocation_endpoint": f"{by}/oauth/revoke",
            "revocation_endpoint_auth_methods_supported": METHODS,
        },
    )


def issuer(request: Request, service: Service) -> str:
    """The issuer identifier (RFC 8414 §2): this service as the client reaches it."""
    return origin(request, service).removesuffix(request.scope.get("root_path", ""))


INTROSPECTION = View(handlers={"POST": introspect})
REVOCATION = View(handlers={"POST": revoke})
SERVER = View(handlers={"GET": metadata, "HEAD": metadata})
