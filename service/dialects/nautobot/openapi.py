"""What Nautobot's paths take and answer, for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping

from service.config import Config
from service.core.secret import KEY_LETTERS, LEAST_DIFFERENT
from service.dialects.nautobot import texts
from service.dialects.nautobot.listing import lookups_of
from service.dialects.nautobot.shape import BRIEF, DESCRIPTION_LENGTH, KEY_LENGTH
from service.dialects.nautobot.tokens import NAME
from service.wire import openapi as api
from service.wire.openapi import Described, Json
from service.wire.rest import openapi as rest
from service.wire.rest.filters import Kind
from service.wire.rest.reply import FORM, MULTIPART

VERSION = api.query("api_version", "The version of the contract.", api.one_of(*texts.VERSIONS))
ONE = api.part("id", "The id of a token.", api.UUID)
TOKEN, LOGIN = api.by("token"), api.by("token", "basic")
ANYBODY = api.by("token", optional=True)
COLUMNS = {
    "id": Kind.UUID,
    "key": Kind.TEXT,
    "write_enabled": Kind.TRUTH,
    "created": Kind.MOMENT,
    "expires": Kind.MOMENT,
}


def describe(config: Config) -> Described:
    """Everything below ``/api/``."""
    shared = rest.components()
    once = config.dialects.nautobot.show_key == "once"
    own = _schemas(once=once)
    return Described(
        title="Nautobot 1.3 and 1.4: tokens",
        paths={
            "/api/": _reading("API Root", api.LINKS, ANYBODY),
            "/api/status/": _reading("Status", api.ref("NautobotStatus"), TOKEN),
            "/api/users/": _reading("Users", api.LINKS, ANYBODY),
            "/api/users/tokens/": _tokens(once=once),
            "/api/users/tokens/{id}/": _token(),
        },
        components={**shared, "schemas": {**shared["schemas"], **own}},
    )


# -- path items --------------------------------------------------------------------------------


def _reading(name: str, schema: Json, security: list[Json]) -> Json:
    """A resource that can only be looked at."""
    get = api.operation(
        name,
        {"200": api.answer(name, schema), **rest.failures()},
        security=security,
        parameters=[VERSION, rest.FORMAT],
    )
    return api.reading(get, rest.options(name, security, VERSION))


def _tokens(*, once: bool) -> Json:
    """*once* is whether keys are shown only once, and then nobody searches in them."""
    listed = rest.envelope(api.ref("NautobotTokenPart"))
    get = _get("One's own tokens", listed, *_selecting(once=once))
    entries = rest.entries(api.ref("NautobotTokenChange"))
    changed = api.many(api.ref("NautobotTokenShown"))
    change = _write("Change several tokens", {"200": api.answer("Those found.", changed)}, entries)
    gone = rest.entries(api.record({"id": api.UUID}, closed=False))
    return {
        "get": get,
        "head": get,
        "post": _make(),
        "put": change,
        "patch": change,
        "delete": _write("Delete several tokens", {"204": rest.DELETED}, gone),
        "options": rest.options(NAME, LOGIN, VERSION, s429="Throttled"),
    }


def _make() -> Json:
    made = api.ref("NautobotToken")
    headers = {**rest.LOCATION, **rest.REPLICAS}
    answer = api.answer("With the key.", api.either(made, api.many(made)), headers)
    wanted = rest.body(api.ref("NautobotTokenWanted"), FORM, MULTIPART, lists=True)
    return _write("Make a token, or several", {"201": answer}, wanted)


def _token() -> Json:
    shown = {"200": api.answer("The token.", api.ref("NautobotTokenShown"))}
    change = rest.body(api.ref("NautobotTokenSaid"), FORM, MULTIPART)
    get = _get("One token", api.ref("NautobotTokenPart"), ONE, rest.BRIEF)
    return {
        "get": get,
        "head": get,
        "put": _write("Change a token", shown, change, ONE),
        "patch": _write("Change a token", shown, change, ONE),
        "delete": _write("Delete a token", {"204": rest.DELETED}, None, ONE),
        "options": rest.options(NAME, LOGIN, ONE, VERSION, s429="Throttled"),
    }


def _get(summary: str, schema: Json, *parameters: Json) -> Json:
    return api.operation(
        summary,
        {"200": api.answer(summary, schema), **rest.failures(s400="RestInvalid", s429="Throttled")},
        security=LOGIN,
        parameters=[*parameters, VERSION, rest.FORMAT],
    )


def _write(summary: str, good: Mapping[str, Json], request: Json | None, *parameters: Json) -> Json:
    return api.operation(
        summary,
        {**good, **(rest.writing if request else rest.failures)(s429="Throttled")},
        security=LOGIN,
        parameters=[*parameters, VERSION, rest.FORMAT],
        request=request,
    )


def _selecting(*, once: bool) -> list[Json]:
    return [
        *rest.PAGING,
        rest.BRIEF,
        api.query("q", "Only with this in the description, or as the id."),
        *rest.selecting(COLUMNS, lookups_of(once=once)),
    ]


# -- components --------------------------------------------------------------------------------


def _schemas(*, once: bool) -> dict[str, Json]:
    """*once* is whether a key is shown only when its token is made."""
    members = _members()
    always = [name for name in members if not (once and name == "key")]
    brief = [name for name in BRIEF if name in always]
    said = api.record(_said(), (), closed=False)
    return {
        "NautobotStatus": _status(),
        "NautobotToken": api.record(members),
        "NautobotTokenShown": api.record(members, always),
        "NautobotTokenPart": api.record(members, brief),
        "NautobotTokenSaid": said,
        "NautobotTokenWanted": api.record({**_said(), "key": _key()}, (), closed=False),
        "NautobotTokenChange": rest.numbered(said, api.UUID),
    }


def _status() -> Json:
    return api.record(
        {
            **dict.fromkeys(("django-version", "nautobot-version", "python-version"), api.TEXT),
            **dict.fromkeys(("installed-apps", "plugins"), api.OBJECT),
            **dict.fromkeys(("rq-workers-running", "celery-workers-running"), api.WHOLE),
        }
    )


def _members() -> dict[str, Json]:
    return {
        "id": api.UUID,
        "url": api.URL,
        "display": api.TEXT,
        "created": api.MOMENT,
        "expires": api.nullable(api.MOMENT),
        "key": api.nullable(api.TEXT),
        "write_enabled": api.TRUTH,
        "description": api.TEXT,
    }


def _said() -> dict[str, Json]:
    """What a client may say of a token."""
    return {
        "expires": api.nullable(api.MOMENT),
        "write_enabled": api.TRUTH,
        "description": api.short(DESCRIPTION_LENGTH),
    }


def _key() -> Json:
    """A key that the client chooses, where it may."""
    return {
        "type": "string",
        "pattern": f"^[{KEY_LETTERS}]{{{KEY_LENGTH}}}$",
        "description": f"At least {LEAST_DIFFERENT} different characters.",
    }
