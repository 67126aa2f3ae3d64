"""Pieces that a description of an API is made of (OpenAPI 3.1): plain data, built by functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""An object of the document."""

JSON = "application/json"

TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**53 - 1}
TRUTH: Json = {"type": "boolean"}
URL: Json = {"type": "string", "format": "uri-reference"}
MOMENT: Json = {"type": "string", "format": "date-time"}
UUID: Json = {"type": "string", "format": "uuid"}
OBJECT: Json = {"type": "object"}
LINKS: Json = {"type": "object", "additionalProperties": URL}
NOTHING: Json = {"type": "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a dialect says of itself; the neutral value says nothing.

    *paths* are path items as they are below its own prefix, *components* by section and name
    (names begin with the dialect's, so that two dialects never mean different things by one).
    """

    title: str = ""
    paths: Mapping[str, Json] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


# -- schemas -----------------------------------------------------------------------------------


def ref(name: str) -> Json:
    """The schema *name* among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(
    properties: Mapping[str, Json], required: Iterable[str] | None = None, *, closed: bool = True
) -> Json:
    """An object with *properties*; all of them, unless *required* says which.

    *closed* is whether it has no others.
    """
    needed = list(properties if required is None else required)
    made: Json = {"type": "object", "properties": dict(properties)}
    if needed:
        made["required"] = needed
    return {**made, "additionalProperties": False} if closed else made


def many(items: Json, **facts: Any) -> Json:
    """A list of *items*; *facts* as JSON Schema has them."""
    return {"type": "array", "items": items, **facts}


def either(*schemas: Json) -> Json:
    """One of several shapes."""
    return {"anyOf": list(schemas)}


def nullable(schema: Json) -> Json:
    """*schema*, or null."""
    return either(schema, NOTHING)


def short(most: int, least: int = 0, **facts: Any) -> Json:
    """Text of *least* to *most* characters."""
    return {"type": "string", "minLength": least, "maxLength": most, **facts}


def one_of(*values: str) -> Json:
    """Text with one of *values*."""
    return {"type": "string", "enum": list(values)}


# -- parameters --------------------------------------------------------------------------------


def query(name: str, description: str, schema: Json = TEXT) -> Json:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def part(name: str, description: str, schema: Json) -> Json:
    """A part of the path that varies."""
    facts = {"description": description, "schema": schema}
    return {"name": name, "in": "path", "required": True, **facts}


# -- answers -----------------------------------------------------------------------------------


def answer(
    description: str, schema: Json | None = None, headers: Mapping[str, Json] | None = None
) -> Json:
    """A response; without *schema* its body is not described."""
    made: Json = {"description": description}
    if headers:
        made["headers"] = dict(headers)
    if schema is not None:
        made["content"] = {JSON: {"schema": schema}}
    return made


def header(description: str, schema: Json = TEXT, *, always: bool = True) -> Json:
    """A header of a response."""
    return {"description": description, "required": always, "schema": schema}


def shared(name: str) -> Json:
    """The response *name* among the components."""
    return {"$ref": f"#/components/responses/{name}"}


WAIT = {"Retry-After": header("Seconds until it is worth another try.", WHOLE)}


def _said(description: str, headers: Mapping[str, Json] | None = None) -> Json:
    return answer(description, ref("Detail"), headers)


SCHEMAS: Mapping[str, Json] = {
    "Detail": {
        **record({"detail": {"type": "string", "minLength": 1}}),
        "description": "What is wrong, in one sentence.",
    },
    "Faults": {
        "type": "object",
        "additionalProperties": many(TEXT),
        "description": "What is wrong, by the name of the field.",
    },
}
RESPONSES: Mapping[str, Json] = {
    "BadRequest": _said("The request cannot be understood."),
    "Forbidden": _said("The credential is bad or missing, or allows less."),
    "NotFound": _said("It is not there, or not for this client to see; or an unknown format."),
    "NotAcceptable": _said("Accept asks for what does not exist."),
    "TooSlow": _said("The request did not arrive in time."),
    "TooLarge": _said("The body is larger than [server] max_body."),
    "Changed": _said("The object is not any more what If-Match says."),
    "Unreadable": _said("The body is of a media type, or in a coding, that is not read."),
    "Throttled": _said("Too many logins have failed.", WAIT),
    "LongHead": _said("The headers are larger than [server] header_bytes, or too many."),
    "Unavailable": _said("Nothing was decided: the store is away, or too much waits.", WAIT),
}
"""Answers that several dialects give in one shape."""

ANYWHERE: Mapping[str, str] = {
    "400": "BadRequest",
    "408": "TooSlow",
    "413": "TooLarge",
    "431": "LongHead",
    "503": "Unavailable",
}
"""What a request may be answered before a dialect has seen it, by status."""


def errors(**named: str) -> dict[str, Json]:
    """Responses by status, ``s404="NotFound"``; those of ANYWHERE are always among them."""
    own = {status.removeprefix("s"): name for status, name in named.items()}
    return {status: shared(name) for status, name in sorted({**ANYWHERE, **own}.items())}


# -- security ----------------------------------------------------------------------------------


def key_in(place: str, name: str, description: str) -> Json:
    """A token in the header, cookie or parameter *name*."""
    return {"type": "apiKey", "in": place, "name": name, "description": description}


SECURITY: Mapping[str, Json] = {
    "token": key_in("header", "Authorization", "`Token` and a blank before the token."),
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "x-auth-token": key_in("header", "X-Auth-Token", "`Token` and a blank before the token."),
    "x-authentication": key_in("header", "X-Authentication", "The token."),
    "cookie": key_in("cookie", "token", "The token."),
    "query": key_in("query", "token", "The token."),
}
"""Every way in which a credential is taken anywhere."""


def by(*names: str, optional: bool = False) -> list[Json]:
    """Any one of the credentials *names*; none of them when *optional*."""
    return [*({name: []} for name in names), *([{}] if optional else [])]


# -- operations --------------------------------------------------------------------------------


def body(schema: Json, *media: str, required: bool = True) -> Json:
    """A request body of *schema* in any of *media*."""
    return {"required": required, "content": {kind: {"schema": schema} for kind in media}}


def operation(
    summary: str,
    responses: Mapping[str, Json],
    *,
    security: Sequence[Json] = (),
    parameters: Sequence[Json] = (),
    request: Json | None = None,
) -> Json:
    """One method of a path; without *security* it asks nobody who he is."""
    made: Json = {"summary": summary, "security": list(security)}
    if parameters:
        made["parameters"] = list(parameters)
    if request is not None:
        made["requestBody"] = request
    return {**made, "responses": dict(sorted(responses.items()))}


def reading(get: Json, options: Json) -> Json:
    """The path item of what can only be looked at."""
    return {"get": get, "head": get, "options": options}
