"""``/openapi.json``: what this node serves, as its dialects, the gate and the probes say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import __version__
from service.config import Config
from service.gate.question import MOUNTS, Mount
from service.ops import echo, events, metrics
from service.wire import openapi as api
from service.wire.dialect import Dialect
from service.wire.openapi import Described, Json

PATH = "/openapi.json"
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
ANSWERS = {
    "200": "GatePass",
    "401": "GateDenied",
    "403": "GateForbidden",
    "503": "GateUnavailable",
    **dict.fromkeys(("400", "408", "413", "431"), "GateRefused"),
}
"""What the gate says, by status."""
SECTIONS = ("schemas", "responses", "securitySchemes")

DESCRIPTION = """\
Every path is described as this node is configured. What several products have below `/api/` is
answered by one of them at the root; each is always also below its own name. Where NetBox and
Nautobot have a path that ends in a slash, `.json` may stand in the slash's place. A path without
its slash is redirected to the one with it. A method that a path does not list is 405, with `Allow`
and in the shape of the path's other refusals; the gate answers any method alike.
"""


class Document:
    """Answers GET and HEAD with the description (405 for any other method); it asks nobody."""

    def __init__(self, config: Config, dialects: Sequence[Dialect], owner: str) -> None:
        self.body = orjson.dumps(document(config, dialects, owner))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            response = Response(self.body, media_type=api.JSON)
        else:
            response = Response(status_code=405, headers={"allow": "GET, HEAD"})
        await response(scope, receive, send)


def document(config: Config, dialects: Sequence[Dialect], owner: str) -> Json:
    """The whole document; *owner* is the name of the dialect that owns the root."""
    parts = [(dialect, dialect.openapi(config)) for dialect in dialects]
    paths: dict[str, Json] = {}
    for dialect, described in parts:
        for path, item in described.paths.items():
            for place in _places(dialect, path, dialects, owner):
                paths[place] = _tagged(item, dialect.name)
    tags = [{"name": dialect.name, "description": said.title} for dialect, said in parts]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tokenhouse", "version": __version__, "description": DESCRIPTION},
        "tags": [*tags, {"name": "gate"}, {"name": "node"}],
        "paths": dict(sorted({**paths, **_gate(config), **_node(config)}.items())),
        "components": _components(config, [said for _, said in parts]),
    }


def _places(dialect: Dialect, path: str, dialects: Sequence[Dialect], owner: str) -> Iterator[str]:
    """Where *path* of *dialect* is served: below its name, and at the root if it is its own."""
    yield f"/{dialect.name}{path}"
    claims = [
        (len(prefix), one.name)
        for one in dialects
        for prefix in (*one.paths, *(one.root_paths if one.name == owner else ()))
        if f"{path}/".startswith(f"{prefix.rstrip('/')}/")
    ]
    if claims and max(claims)[1] == dialect.name:
        yield path


def _tagged(item: Json, tag: str) -> Json:
    return {method: {"tags": [tag], **operation} for method, operation in item.items()}


def _components(config: Config, parts: Sequence[Described]) -> dict[str, Any]:
    shared: Mapping[str, Mapping[str, Json]] = {
        "schemas": api.SCHEMAS,
        "responses": {**api.RESPONSES, **_verdicts(config)},
        "securitySchemes": api.SECURITY,
    }
    everything = [shared, *(said.components for said in parts)]
    return {
        section: {name: made for part in everything for name, made in part.get(section, {}).items()}
        for section in SECTIONS
    }


# -- the gate ----------------------------------------------------------------------------------


def _gate(config: Config) -> dict[str, Json]:
    paths = {}
    for mount in MOUNTS:
        paths[mount.path] = _asked(config, mount)
        if mount.method_header is None:
            rest = api.part("path", "Any path, with slashes in it too.", api.TEXT)
            paths[mount.path + "/{path}"] = _asked(config, mount, rest)
    return {path: _tagged(item, "gate") for path, item in paths.items()}


def _asked(config: Config, mount: Mount, *parameters: Json) -> Json:
    """A path of the gate: every method is the same question."""
    more = [name for name in ("cookie", "query") if getattr(config.gate, name)]
    ways = api.by("token", "bearer", "x-auth-token", "x-authentication", *more, optional=True)
    method = [] if mount.method_header is None else [_method(mount.method_header.decode())]
    responses = {status: api.shared(name) for status, name in ANSWERS.items()}
    return {
        each: api.operation(
            "May this request pass?",
            responses,
            security=ways,
            parameters=[*parameters, *method],
        )
        for each in METHODS
    }


def _method(name: str) -> Json:
    said = "The method of the request in question; without it, it counts as one that writes."
    return {"name": name.title(), "in": "header", "description": said, "schema": api.TEXT}


def _verdicts(config: Config) -> dict[str, Json]:
    """The gate's answers by name; none of them has a body."""
    gate = config.gate
    why = {"X-Auth-Reason": api.header("Why.")} if gate.reason_header else {}
    kept = {"Cache-Control": api.header("How long it may be kept.")} if gate.staleness else {}
    passing = "The token passes." + (" Or a preflight does, as nobody." if gate.preflight else "")
    refused = {"WWW-Authenticate": api.header("How to do better."), **why}
    return {
        "GatePass": api.answer(passing, headers={**_identity(nobody=gate.preflight), **kept}),
        "GateDenied": api.answer("There is no token, or none that passes.", headers=refused),
        "GateForbidden": api.answer("Another token, or network, would do.", headers=refused),
        "GateUnavailable": api.answer("Nothing was decided.", headers=api.WAIT),
        "GateRefused": api.answer("The gate was not asked: the request is malformed or too big."),
    }


def _identity(*, nobody: bool) -> dict[str, Json]:
    """Whose token it is; with *nobody* all of them may be ``-``."""
    left: Json = {"type": "string", "pattern": "^(-|[0-9]+)$"}
    scopes = api.one_of("read", "read write", *(["-"] if nobody else []))
    return {
        "X-Auth-User": api.header("The owner's name, percent-encoded."),
        "X-Auth-Token-Id": api.header("The token's number.", left if nobody else api.WHOLE),
        "X-Auth-Policy": api.header("The policy it lives under."),
        "X-Auth-Scopes": api.header("What it is good for.", scopes),
        "X-Auth-Expires-In": api.header("Seconds it has left unused; - for ever.", left),
    }


# -- the probes, and this ----------------------------------------------------------------------


def _node(config: Config) -> dict[str, Json]:
    alive = {"200": api.answer("It is there.", api.record({"status": api.TEXT}))}
    ready = {"200": api.answer("It may be asked.", api.record({"status": api.TEXT}))}
    trouble = api.record({"status": api.TEXT, "reason": api.TEXT})
    waiting = {"503": api.answer("Not at the moment.", trouble, api.WAIT)}
    paths = {
        "/livez": _plain("Is the process there?", alive),
        echo.PATH: _echo(),
        events.PATH: _events(),
        "/readyz": _plain("May the node be asked?", {**ready, **waiting}),
        PATH: _plain("This document", {"200": api.answer("It.", api.OBJECT)}),
    }
    if config.metrics.enabled:
        counted = {"description": "Figures.", "content": {"text/plain": {"schema": api.TEXT}}}
        paths[metrics.PATH] = _plain("What is counted", {"200": counted})
    return {path: _tagged(item, "node") for path, item in paths.items()}


def _echo() -> Json:
    """What the gate saw of a request."""
    return _looking("What the gate sees", {"200": api.answer("What it saw.", api.OBJECT)})


def _events() -> Json:
    """The feed of revocations."""
    stream = {
        "description": "Server-sent events, without end.",
        "content": {"text/event-stream": {"schema": api.TEXT}},
    }
    gone = {"404": {"description": "There is no feed."}}
    return _looking("What is revoked, as it happens", {**gone, "200": stream})


def _looking(summary: str, own: Mapping[str, Json]) -> Json:
    """A path for those who may look behind the gate, with the gate's refusals of all others."""
    refused = {status: api.shared(name) for status, name in ANSWERS.items() if status != "200"}
    others = {"WWW-Authenticate": api.header("How to do better.")}
    refused["403"] = api.answer("The token is not of somebody who may look.", headers=others)
    ways = api.by("token", "bearer", "x-auth-token", "x-authentication")
    return {"get": api.operation(summary, {**refused, **own}, security=ways)}


def _plain(summary: str, own: Mapping[str, Json]) -> Json:
    """A path that asks nobody who he is; what it cannot take is refused in plain text."""
    texts = {
        "400": "This is no HTTP request.",
        "408": "The request did not arrive in time.",
        "413": "The body is larger than [server] max_body.",
        "431": "The headers are larger than [server] header_bytes, or too many.",
        "503": "The node is busy.",
    }
    plain = {"text/plain": {"schema": api.TEXT}}
    responses: dict[str, Json] = {
        status: {"description": text, "content": plain} for status, text in texts.items()
    }
    for status, answer in own.items():
        known = responses.get(status, {})
        content = {**known.get("content", {}), **answer["content"]}
        responses[status] = {**known, **answer, "content": content}
    made = api.operation(summary, responses)
    return {"get": made, "head": made}
