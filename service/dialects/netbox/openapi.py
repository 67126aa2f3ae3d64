"""What NetBox's paths take and answer, by the contract that is spoken, for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping

from service.config import Config
from service.core.secret import KEY_LETTERS, LEAST_DIFFERENT
from service.dialects.netbox import about, provision, shape, texts, tokens, users
from service.dialects.netbox.fields import (
    DESCRIPTION_SIZE,
    KEY_SIZE,
    MOST_NETWORKS,
)
from service.dialects.netbox.view import View
from service.wire import openapi as api
from service.wire.openapi import Described, Json
from service.wire.rest import openapi as rest
from service.wire.rest.filters import Kind
from service.wire.rest.reply import MULTIPART

NUMBER = api.part("id", "The number of it.", api.NUMBER)


def describe(config: Config) -> Described:
    """Everything below ``/api/``."""
    settings = config.dialects.netbox
    new = settings.contract == texts.NEW
    masked = settings.show_key == "once" and not new
    paths = {
        "/api/": _map(about.ROOT, new=new),
        "/api/status/": _reading(about.STATUS, api.ref("NetboxStatus"), new=new),
        "/api/users/": _map(about.USERS, new=new),
        "/api/users/tokens/": _tokens(new=new, masked=masked),
        "/api/users/tokens/{id}/": _token(new=new),
        "/api/users/tokens/provision/": _provision(new=new),
        "/api/users/users/": _users(new=new),
        "/api/users/users/{id}/": _user(new=new),
    }
    if new:
        check = _reading(about.CHECK, api.ref("NetboxUser"), new=new)
        paths["/api/authentication-check/"] = check
        paths["/api/schema/"] = _schema()
    shared = rest.components()
    own = _schemas(new=new, masked=masked)
    return Described(
        title=f"NetBox {settings.contract}: tokens",
        paths=paths,
        components={**shared, "schemas": {**shared["schemas"], **own}},
    )


# -- path items --------------------------------------------------------------------------------


def _ways(*, new: bool) -> list[Json]:
    """How a token is sent; without one it depends on the config what may be done."""
    return api.by("token", *(("bearer",) if new else ()), optional=True)


def _reading(view: View, schema: Json, *parameters: Json, new: bool) -> Json:
    """A resource that can only be looked at."""
    named = [each for each in parameters if each["in"] == "path"]
    return api.reading(
        _get(view.name, schema, *parameters, new=new),
        rest.options(view.name, _ways(new=new), *named),
    )


def _get(summary: str, schema: Json, *parameters: Json, new: bool) -> Json:
    return api.operation(
        summary,
        {"200": api.answer(summary, schema), **rest.failures(s400="RestInvalid")},
        security=_ways(new=new),
        parameters=[*parameters, rest.FORMAT],
    )


def _map(view: View, *, new: bool) -> Json:
    return _reading(view, api.LINKS, new=new)


def _schema() -> Json:
    headers = {"Location": api.header("Where this document is.")}
    found = {"302": api.answer("It is elsewhere.", headers=headers)}
    get = api.operation(
        about.SCHEMA.name,
        {**found, **rest.failures()},
        security=_ways(new=True),
        parameters=[rest.FORMAT],
    )
    return api.reading(get, rest.options(about.SCHEMA.name, _ways(new=True)))


def _tokens(*, new: bool, masked: bool) -> Json:
    """*masked* is whether keys are shown only once, and then nobody searches in them."""
    columns = rest.selecting(_columns(new=new), {"key": ()} if masked else {})
    start = [api.query("start", "Only from this number on, uncounted.", api.NUMBER)] if new else []
    parameters = [*rest.PAGING, *start, *_members_shown(new=new), *_order(), *columns]
    found = api.ref("NetboxTokenPart")
    get = _get(
        "The tokens that one may see", rest.envelope(found, counted=not new), *parameters, new=new
    )
    entries = rest.entries(api.ref("NetboxTokenChange"))
    changed = {"200": api.answer("Those that were found.", api.many(api.ref("NetboxTokenShown")))}
    gone = rest.entries(api.record({"id": api.NUMBER}, closed=False))
    change = _change("Change several tokens, all or none", changed, entries, new=new)
    return {
        "get": get,
        "head": get,
        "post": _make(new=new),
        "put": change,
        "patch": change,
        "delete": _change("Delete several tokens", {"204": rest.DELETED}, gone, new=new),
        "options": rest.options(tokens.LIST.name, _ways(new=new)),
    }


def _make(*, new: bool) -> Json:
    made = api.ref("NetboxTokenMade")
    headers = {**rest.LOCATION, **rest.REPLICAS}
    answer = api.answer("With the key.", api.either(made, api.many(made)), headers)
    wanted = rest.body(api.ref("NetboxTokenWanted"), MULTIPART, lists=True)
    return _change("Make a token, or several", {"201": answer}, wanted, new=new)


def _change(
    summary: str, good: Mapping[str, Json], request: Json, *parameters: Json, new: bool
) -> Json:
    return api.operation(
        summary,
        {**good, **rest.writing(**_stale(*parameters, new=new))},
        security=_ways(new=new),
        parameters=[*parameters, rest.FORMAT],
        request=request,
    )


def _stale(*parameters: Json, new: bool) -> dict[str, str]:
    """The answer to a change of one token that is not any more what its sender saw."""
    return {"s412": "Changed"} if new and NUMBER in parameters else {}


def _token(*, new: bool) -> Json:
    shown = {"200": api.answer("The token.", api.ref("NetboxTokenShown"), _tagged(new=new))}
    said = rest.body(api.ref("NetboxTokenSaid"), MULTIPART)
    whole = rest.body(api.ref("NetboxTokenWhole"), MULTIPART)
    get = _get("One token", api.ref("NetboxTokenPart"), NUMBER, *_members_shown(new=new), new=new)
    get["responses"]["200"] |= {"headers": _tagged(new=new)} if new else {}
    gone = api.operation(
        "Delete a token",
        {"204": rest.DELETED, **rest.failures(**_stale(NUMBER, new=new))},
        security=_ways(new=new),
        parameters=[NUMBER, rest.FORMAT],
    )
    return {
        "get": get,
        "head": get,
        "put": _change("Change a token", shown, whole, NUMBER, new=new),
        "patch": _change("Change a token", shown, said, NUMBER, new=new),
        "delete": gone,
        "options": rest.options(tokens.ONE.name, _ways(new=new), NUMBER),
    }


def _tagged(*, new: bool) -> Json:
    """The headers of one token."""
    return {"ETag": api.header("Another one after each change.", always=False)} if new else {}


def _members_shown(*, new: bool) -> list[Json]:
    """How much of each token is shown."""
    members = [
        api.query("fields", "Only these members, by commas."),
        api.query("omit", "Without these members, by commas."),
    ]
    return [rest.BRIEF, *(members if new else ())]


def _order() -> list[Json]:
    return [
        api.query("q", "Only with this in the user's name or the description."),
        api.query("ordering", "Members to sort by, by commas; - before one turns it round."),
    ]


def _columns(*, new: bool) -> dict[str, Kind]:
    old = {
        "id": Kind.NUMBER,
        "key": Kind.TEXT,
        "description": Kind.TEXT,
        "write_enabled": Kind.TRUTH,
        "user": Kind.CHOICE,
        "user_id": Kind.CHOICE,
        "created": Kind.MOMENT,
        "expires": Kind.MOMENT,
    }
    more = {"last_used": Kind.MOMENT, "version": Kind.NUMBER, "enabled": Kind.TRUTH}
    return {**old, **more} if new else old


def _provision(*, new: bool) -> Json:
    name = provision.PROVISION.name
    answer = api.answer("A new token.", api.ref("NetboxTokenMade"), rest.REPLICAS)
    return {
        "post": api.operation(
            "A token for a name and a password",
            {"201": answer, **rest.writing(s429="Throttled")},
            security=_ways(new=new),
            parameters=[rest.FORMAT],
            request=rest.body(api.ref("NetboxLogin"), MULTIPART),
        ),
        "options": rest.options(name, _ways(new=new)),
    }


def _users(*, new: bool) -> Json:
    kinds = {
        "id": Kind.NUMBER,
        **dict.fromkeys(("username", "first_name", "last_name", "email"), Kind.TEXT),
        "is_active": Kind.TRUTH,
    }
    listed = rest.envelope(_full_or_brief())
    parameters = [*rest.PAGING, rest.BRIEF, *_order(), *rest.selecting(kinds)]
    return _reading(users.LIST, listed, *parameters, new=new)


def _user(*, new: bool) -> Json:
    return _reading(users.ONE, _full_or_brief(), NUMBER, rest.BRIEF, new=new)


def _full_or_brief() -> Json:
    return api.either(api.ref("NetboxUser"), api.ref("NetboxUserNested"))


# -- components --------------------------------------------------------------------------------


def _schemas(*, new: bool, masked: bool) -> dict[str, Json]:
    """*masked* is whether a key is shown only when its token is made."""
    shown = _newer_members() if new else _members()
    made = {**shown, "token": api.TEXT} if new else shown
    # The newer contract shows the members that are asked for, whatever these are.
    least = () if new else [name for name in shape.BRIEF if not (masked and name == "key")]
    always = [name for name in shown if not (masked and name == "key")]
    said = {"user": _reference(), **(_newer_said() if new else _said())}
    wanted = {**said, "token" if new else "key": _key(new=new)}
    return {
        "NetboxStatus": _status(new=new),
        "NetboxTokenShown": api.record(shown, always),
        "NetboxTokenMade": api.record(made),
        "NetboxTokenPart": api.record(shown, least),
        "NetboxTokenSaid": api.record(said, (), closed=False),
        "NetboxTokenWhole": api.record(said, ("user",), closed=False),
        "NetboxTokenWanted": api.record(wanted, ("user",), closed=False),
        "NetboxTokenChange": rest.numbered(api.record(said, (), closed=False), api.NUMBER),
        "NetboxLogin": _login(said),
        "NetboxUser": _whole_user(new=new),
        "NetboxUserNested": api.record(_nested()),
    }


def _status(*, new: bool) -> Json:
    fixed = {
        "django-version": api.TEXT,
        "netbox-version": api.TEXT,
        "plugins": api.OBJECT,
        "python-version": api.TEXT,
        "rq-workers-running": api.WHOLE,
    }
    more = {"hostname": api.TEXT, "netbox-full-version": api.TEXT, "installed_apps": api.OBJECT}
    return api.record({**fixed, **(more if new else {"installed-apps": api.OBJECT})})


def _members() -> dict[str, Json]:
    return {
        "id": api.NUMBER,
        "url": api.URL,
        "display": api.TEXT,
        "user": api.ref("NetboxUserNested"),
        "created": api.MOMENT,
        "expires": api.nullable(api.MOMENT),
        "last_used": api.nullable(api.MOMENT),
        "key": api.nullable(api.TEXT),
        "write_enabled": api.TRUTH,
        "description": api.TEXT,
        "allowed_ips": api.nullable(api.many(api.TEXT)),
    }


def _newer_members() -> dict[str, Json]:
    return {
        **_members(),
        "display_url": api.URL,
        "version": {"type": "integer", "enum": [1, 2]},
        "enabled": api.TRUTH,
        "allowed_ips": api.many(api.TEXT),
    }


def _said() -> dict[str, Json]:
    """What a client may say of a token."""
    return {
        "expires": api.nullable(api.MOMENT),
        "write_enabled": api.TRUTH,
        "description": api.short(DESCRIPTION_SIZE),
        "allowed_ips": api.many(_network(), maxItems=MOST_NETWORKS),
    }


def _network() -> Json:
    network = {
        "type": "string",
        "pattern": "^[0-9A-Fa-f:.]{2,39}/[0-9]{1,3}$",
        "description": "A network, without bits behind its prefix.",
    }
    address = ({"type": "string", "format": form} for form in ("ipv4", "ipv6"))
    return api.either(*address, network)


def _key(*, new: bool) -> Json:
    """A key that the client chooses, where it may."""
    letters = "0-9A-Za-z" if new else KEY_LETTERS
    return {
        "type": "string",
        "pattern": f"^[{letters}]{{{KEY_SIZE}}}$",
        "description": f"At least {LEAST_DIFFERENT} different characters.",
    }


def _newer_said() -> dict[str, Json]:
    version = {"type": "integer", "enum": [1, 2], "default": 2}
    return {**_said(), "version": version, "enabled": api.TRUTH}


def _reference() -> Json:
    """A user by number, or by one attribute."""
    by_name = api.record({"username": api.short(150, 1)})
    return api.either(api.NUMBER, api.record({"id": api.NUMBER}), by_name)


def _login(said: Mapping[str, Json]) -> Json:
    pair = {"username": api.short(150, 1), "password": api.short(1024, 1)}
    free = {name: schema for name, schema in said.items() if name != "user"}
    return api.record({**pair, **free}, pair, closed=False)


def _nested() -> dict[str, Json]:
    return {"id": api.NUMBER, "url": api.URL, "display": api.TEXT, "username": api.TEXT}


def _whole_user(*, new: bool) -> Json:
    both = {
        **_nested(),
        **dict.fromkeys(("first_name", "last_name", "email"), api.TEXT),
        "is_active": api.TRUTH,
        "date_joined": api.MOMENT,
        "groups": api.many({}),
    }
    more = {"display_url": api.URL, "last_login": api.NOTHING, "permissions": api.many({})}
    return api.record({**both, **(more if new else {"is_staff": api.TRUTH})})
