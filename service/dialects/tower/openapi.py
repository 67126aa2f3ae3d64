"""What Tower's paths take and answer, for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping

from service.config import Config
from service.dialects.tower import about, texts, users
from service.dialects.tower.authtoken import AUTHTOKEN, FORM
from service.dialects.tower.reply import JSON, MEDIA
from service.dialects.tower.shape import MAX_PAGE_SIZE, PAGE_SIZE
from service.dialects.tower.view import View
from service.wire import openapi as api
from service.wire.openapi import Described, Json

FORMAT = api.query("format", "The form of the answer; both are JSON.", api.one_of(*MEDIA))


def describe(config: Config) -> Described:
    """Everything below ``/api/``, in both versions."""
    basic = config.dialects.tower.auth_basic
    below = _below(basic=basic)
    paths = {
        "/api/": _public(about.ROOT, "TowerVersions"),
        "/api/o/": _oauth(),
        **{
            f"/api/{version}/{name}": item
            for version in texts.VERSIONS
            for name, item in below.items()
        },
    }
    return Described(
        title="Ansible Tower 3.2: logins and tokens",
        paths=paths,
        components={"schemas": _schemas(), "responses": _responses()},
    )


def _below(*, basic: bool) -> Mapping[str, Json]:
    """The path items of one version."""
    return {
        "": _public(about.MAP, "TowerMap"),
        "authtoken/": _authtoken(),
        "ping/": _public(about.PING, "TowerPing"),
        "auth/": _public(about.SIGN_ON, "TowerNothing"),
        "config/": _protected(about.CONFIG, "TowerConfig", basic=basic),
        "me/": _protected(users.ME, "TowerUsers", basic=basic),
        "users/": _protected(users.USERS, "TowerUsers", *_filters(), basic=basic),
        "users/{id}/": _protected(
            users.USER,
            "TowerUser",
            api.part("id", "The number of a user.", api.NUMBER),
            basic=basic,
        ),
    }


# -- path items --------------------------------------------------------------------------------


def _public(view: View, schema: str) -> Json:
    """A resource that asks nobody who he is."""
    return api.reading(
        _one(view.name, schema, _failures()),
        _one(f"What {view.name} is", "TowerOptions", _failures()),
    )


def _protected(view: View, schema: str, *parameters: Json, basic: bool) -> Json:
    """A resource that takes a credential."""
    ways = api.by("x-auth-token", "token", *(("basic",) if basic else ()), "cookie")
    # A house without Basic has no challenge for whoever sends no credential.
    denied = {} if basic else {"s403": "Forbidden"}
    failures = _failures(s401="TowerDenied", s429="Throttled", **denied)
    described = _one(f"What {view.name} is", "TowerOptions", failures)
    named = [each for each in parameters if each["in"] == "path"]
    return api.reading(
        {**_one(view.name, schema, failures, *parameters), "security": ways},
        {**described, "security": ways, "parameters": [*named, FORMAT]},
    )


def _one(summary: str, schema: str, failures: Mapping[str, Json], *parameters: Json) -> Json:
    responses = {"200": api.answer(summary, api.ref(schema)), **failures}
    return api.operation(summary, responses, parameters=[*parameters, FORMAT])


def _failures(**named: str) -> dict[str, Json]:
    own = {"s400": "TowerBadRequest", "s404": "NotFound", "s406": "NotAcceptable", **named}
    return api.errors(**own)


def _oauth() -> Json:
    """By its absence clients tell that there is no OAuth2."""
    gone = {"404": api.shared("NotFound")}
    return {"get": api.operation("Nothing: there is no OAuth2 here", {**api.errors(), **gone})}


def _authtoken() -> Json:
    headers = {"Auth-Token-Timeout": api.header("Seconds a token lives unused.", api.WHOLE)}
    login = {
        "200": api.answer("The token of this login.", api.ref("TowerToken"), headers),
        **_failures(s400="TowerBadLogin", s415="Unreadable", s429="Throttled"),
    }
    ended = {"204": api.answer("The token, if there was one, is no more."), **_failures()}
    return {
        "post": api.operation(
            "Log in",
            login,
            parameters=[FORMAT],
            request=api.body(api.ref("TowerLogin"), JSON, FORM),
        ),
        "delete": api.operation(
            "Log out: end the token that is sent",
            ended,
            security=api.by("token", optional=True),
            parameters=[FORMAT],
        ),
        "options": _one(f"What {AUTHTOKEN.name} is", "TowerOptions", _failures()),
    }


def _filters() -> list[Json]:
    kinds = {"id": api.NUMBER, "is_superuser": api.TRUTH}
    size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE}
    page = api.either({**api.NUMBER, "minimum": 1}, api.one_of("last"))
    return [
        api.query("page", "Which page of the list.", page),
        api.query("page_size", "Entries of a page.", size),
        *(
            api.query(name, "Only users with this value.", kinds.get(name, api.TEXT))
            for name in users.FILTERS
        ),
    ]


# -- components --------------------------------------------------------------------------------


def _responses() -> dict[str, Json]:
    headers = {"WWW-Authenticate": api.header("How to say who one is.")}
    faults = api.either(api.ref("Detail"), api.ref("Faults"))
    return {
        "TowerBadRequest": api.answer("The request, or its login, is wrong.", faults),
        "TowerBadLogin": api.answer("Wrong name or password, or no login at all.", faults),
        "TowerDenied": api.answer("The credential is missing or bad.", api.ref("Detail"), headers),
    }


def _schemas() -> dict[str, Json]:
    return {
        "TowerVersions": api.record(
            {
                "description": api.TEXT,
                "current_version": api.URL,
                "available_versions": api.LINKS,
            }
        ),
        "TowerMap": api.LINKS,
        "TowerNothing": api.record({}),
        "TowerPing": _ping(),
        "TowerConfig": _config(),
        "TowerLogin": _login(),
        "TowerToken": api.record({"token": api.short(256, 40), "expires": api.MOMENT}),
        "TowerUser": _user(),
        "TowerUsers": api.record(
            {
                "count": api.WHOLE,
                "next": api.nullable(api.URL),
                "previous": api.nullable(api.URL),
                "results": api.many(api.ref("TowerUser")),
            }
        ),
        "TowerOptions": _options(),
    }


def _ping() -> Json:
    instance = {
        "node": api.TEXT,
        "heartbeat": api.NOTHING,
        "capacity": api.WHOLE,
        "version": api.TEXT,
    }
    group = {"name": api.TEXT, "capacity": api.WHOLE, "instances": api.many(api.TEXT)}
    return api.record(
        {
            "ha": api.TRUTH,
            "version": api.TEXT,
            "active_node": api.TEXT,
            "instances": api.many(api.record(instance)),
            "instance_groups": api.many(api.record(group)),
        }
    )


def _config() -> Json:
    always = {
        "time_zone": api.TEXT,
        "license_info": api.record({"license_type": api.TEXT}),
        "version": api.TEXT,
        "ansible_version": api.TEXT,
        "eula": api.TEXT,
        "analytics_status": api.TEXT,
    }
    superusers = {"project_base_dir": api.TEXT, "project_local_paths": api.many(api.TEXT)}
    return api.record({**always, **superusers}, always)


def _login() -> Json:
    # A number is taken as it was typed: tower-cli sends a password of digits so.
    word = {"type": ["string", "number"], "minLength": 1}
    return api.record({"username": word, "password": word}, closed=False)


def _user() -> Json:
    fixed = {"related": api.record({}), "summary_fields": api.record({})}
    texts_of = ("username", "first_name", "last_name", "email", "ldap_dn")
    return api.record(
        {
            "id": api.NUMBER,
            "type": api.one_of("user"),
            "url": api.URL,
            **fixed,
            "created": api.MOMENT,
            **dict.fromkeys(texts_of, api.TEXT),
            "is_superuser": api.TRUTH,
            "is_system_auditor": api.TRUTH,
            "external_account": api.NOTHING,
            "auth": api.many(api.TEXT),
        }
    )


def _options() -> Json:
    always = {
        "name": api.TEXT,
        "description": api.TEXT,
        "renders": api.many(api.TEXT),
        "parses": api.many(api.TEXT),
    }
    return api.record(always, closed=False)
