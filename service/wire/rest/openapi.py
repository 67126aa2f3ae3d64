"""What NetBox's and Nautobot's paths have in common, for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.wire import openapi as api
from service.wire.openapi import Json
from service.wire.rest.accept import MEDIA
from service.wire.rest.filters import Column, Kind, lookups_of
from service.wire.rest.pages import MOST

FORMAT = api.query("format", "The form of the answer; both are JSON.", api.one_of(*MEDIA))
PAGING = (
    api.query("limit", f"Entries of a part, at most {MOST}; 0 is as many as may be.", api.NUMBER),
    api.query("offset", "Entries before the part.", api.NUMBER),
)
BRIEF = api.query("brief", "Whether only the most important members are wanted.", api.TEXT)
REPLICAS = {
    "X-Tokenhouse-Replicas": api.header(
        "How many replicas have the token, with [store] wait_replicas.", api.WHOLE, always=False
    )
}
LOCATION = {"Location": api.header("Where the new one is.", api.URL, always=False)}
_VALUES: Mapping[Kind, Json] = {
    Kind.TEXT: api.TEXT,
    Kind.NUMBER: api.NUMBER,
    Kind.TRUTH: api.TRUTH,
    Kind.MOMENT: api.MOMENT,
    Kind.CHOICE: api.TEXT,
    Kind.UUID: api.TEXT,
}
DELETED = api.answer("It is no more.")


def failures(**named: str) -> dict[str, Json]:
    """What can go wrong wherever a credential may be sent, and the answers *named* besides."""
    always = {"s403": "Forbidden", "s404": "NotFound", "s406": "NotAcceptable"}
    return api.errors(**{**always, **named})


def writing(**named: str) -> dict[str, Json]:
    """What can go wrong, besides that, where a body is read."""
    return failures(**{"s400": "RestInvalid", "s415": "Unreadable", **named})


def components() -> dict[str, Mapping[str, Json]]:
    """What both of them refer to."""
    each = api.either(api.ref("Faults"), api.ref("Detail"))
    faults = api.either(each, api.many(api.either(each, api.TEXT)))
    return {
        "schemas": {"RestOptions": _options()},
        "responses": {"RestInvalid": api.answer("The request, or its data, is wrong.", faults)},
    }


def _options() -> Json:
    always: dict[str, Json] = {
        "name": api.TEXT,
        "description": api.TEXT,
        "renders": api.many(api.TEXT),
        "parses": api.many(api.TEXT),
    }
    return api.record({**always, "actions": {"type": "object"}}, always)


def options(name: str, security: Sequence[Json], *parameters: Json, **more: str) -> Json:
    """The method OPTIONS of the resource *name*."""
    said = {"200": api.answer(f"What {name} is.", api.ref("RestOptions"))}
    return api.operation(
        f"What {name} is",
        {**said, **failures(**more)},
        security=security,
        parameters=[*parameters, FORMAT],
    )


def envelope(entry: Json, *, counted: bool = True) -> Json:
    """A part of a list of *entry*; *counted* is whether its count is always known."""
    return api.record(
        {
            "count": api.WHOLE if counted else api.nullable(api.WHOLE),
            "next": api.nullable(api.URL),
            "previous": api.nullable(api.URL),
            "results": api.many(entry),
        }
    )


def body(schema: Json, *media: str, lists: bool = False) -> Json:
    """A request body of *schema*; *lists* is whether, in JSON, a list of them is taken, too."""
    several = api.either(schema, api.many(schema, maxItems=MOST)) if lists else schema
    content: dict[str, Any] = {kind: {"schema": schema} for kind in media}
    return {"required": True, "content": {api.JSON: {"schema": several}, **content}}


def entries(schema: Json) -> Json:
    """A request body that is a list of *schema*, in JSON."""
    return api.body(api.many(schema, maxItems=MOST), api.JSON)


def numbered(schema: Json, identity: Json) -> Json:
    """*schema*, an object, with the ``id`` of what it is about."""
    properties = {"id": identity, **schema["properties"]}
    return {**schema, "properties": properties, "required": ["id"]}


def selecting(
    columns: Mapping[str, Kind], lookups: Mapping[str, tuple[str, ...]] | None = None
) -> list[Json]:
    """The parameters that select by *columns*, each with its *lookups*, else those of its kind."""
    known = lookups or {}
    return [
        api.query("__".join(filter(None, (name, lookup))), f"Select by {name}.", _of(kind, lookup))
        for name, kind in columns.items()
        for lookup in ("", *lookups_of(Column(kind, str, lookups=known.get(name))))
    ]


def _of(kind: Kind, lookup: str) -> Json:
    if kind is Kind.UUID and lookup in ("", "n"):
        return api.UUID
    return api.TRUTH if lookup == "empty" else _VALUES[kind]
