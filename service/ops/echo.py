"""``/authz/echo``: what the gate saw of a request, for whoever sets up a gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.core.address import claims_of, client_address, unpack
from service.errors import StoreDown
from service.gate.asgi import peer_of
from service.gate.question import EXT, MOUNTS, READS, Asking, Missing, Mount, Question
from service.gate.reasons import REASONS
from service.model import Trace, Verdict, Word
from service.ops.access import Access, bare

PATH = "/authz/echo"
NO_ADDRESS = "(not known)"


class Echo:
    """Answers as ``/authz/…`` would, with what it saw as JSON behind it.

    ``/authz/echo/nginx``, ``…/forward`` and ``…/ext`` read the client's method as the path of that
    name does. Only for superusers and users with the permission ``gateway``, by a token that would
    pass here but for the method; it is not used. 401, 403 and 503 are the gate's own.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        mount = _mount(scope["path"])
        if mount is None:
            return Response(status_code=404)
        question = self._access.asked(mount, scope)
        if isinstance(question, Missing):
            return bare(self._access.answers.deny(question, mount))
        try:
            verdict = await self._access.verdict(question, Trace.NONE)
            known = verdict
            if verdict.word is Word.READ_ONLY:  # a reader who was taken for a writer shall see it
                known = await self._access.verdict(question._replace(write=False), Trace.NONE)
            refusal = await self._access.refusal(known)
        except StoreDown as error:
            return bare(self._access.answers.unavailable(error.retry_after_s))
        if refusal is not None:
            return bare(refusal)
        seen = self._seen(mount, question, scope, verdict)
        body = orjson.dumps(seen, option=orjson.OPT_INDENT_2)
        headers = {"cache-control": "no-store"}
        return Response(body, media_type="application/json", headers=headers)

    def _seen(
        self, mount: Mount, question: Question, scope: Scope, verdict: Verdict
    ) -> dict[str, Any]:
        asking, headers = self._access.questions.asking, scope["headers"]
        peer, trusted = peer_of(self._access.questions, scope)
        values = [
            value.decode("latin-1") for name, value in headers if name == asking.ip_header.encode()
        ]
        claims = claims_of(asking.ip_header, values)
        named = bool(client_address(peer, claims, asking.trust))
        stands_in = not trusted or (asking.fallback and not named)
        source = mount.method_header.decode() if mount.method_header else ""
        methods = [value.decode("latin-1") for name, value in headers if name == source.encode()]
        fields = {name.decode("latin-1") for name, _ in headers}
        return {
            "reason": verdict.word,
            "means": REASONS[verdict.word],
            "path": mount.path,
            "peer": {"address": unpack(peer) if peer else NO_ADDRESS, "trusted": trusted},
            "client": {
                "address": unpack(question.address) if question.address else NO_ADDRESS,
                "read_from": "the peer" if stands_in else asking.ip_header,
                "header": values,
            },
            "agent": [value.decode("latin-1") for name, value in headers if name == b"user-agent"],
            "method": {
                "read_from": source or "the request",
                "header": methods if source else [scope["method"]],
                "writes": question.write,
            },
            "credentials_in": sorted(
                fields & {n.decode() for n in self._access.questions.credentials}
            ),
            "headers": sorted(fields),
            "warnings": list(
                _warnings(
                    trusted=trusted,
                    named=named,
                    claims=claims,
                    asking=asking,
                    methods=methods if source else None,
                )
            ),
        }


def _mount(path: str) -> Mount | None:
    if path in (PATH, f"{PATH}/"):
        return EXT
    names: Mapping[str, Mount] = {mount.path.rpartition("/")[2]: mount for mount in MOUNTS}
    name, _, _ = path.removeprefix(f"{PATH}/").partition("/")
    return names.get(name)


def _warnings(
    *, trusted: bool, named: bool, claims: list[str], asking: Asking, methods: list[str] | None
) -> Iterator[str]:
    """What an operator would want to know, one sentence each."""
    header = asking.ip_header
    so = "it is taken for the client" if asking.fallback else "the client is not known"
    if not trusted and claims:
        yield (
            f"{header} says who the client is, but the peer is not in server.trusted_proxies: "
            "it was not believed."
        )
    if trusted and not claims:
        yield f"The peer is trusted, and sends no {header}: {so}."
    elif trusted and not named:
        yield f"The peer is trusted, and its {header} cannot be read: {so}."
    if methods is None:
        return
    if not trusted:
        yield "The peer is not in server.trusted_proxies: every request counts as one that writes."
    elif len(methods) != 1:
        yield "The header with the client's method is not there exactly once: it counts as a write."
    elif methods[0].encode("latin-1") not in READS:
        yield f"The client's method is {methods[0]}, which writes."
