"""What the OAuth endpoints take and answer, for ``/openapi.json``."""

from __future__ import annotations

from service.config import Config
from service.dialects.oauth import texts
from service.wire import openapi as api
from service.wire.openapi import Described, Json

WAYS = api.by("basic", "bearer", "token")
NAMES = {
    "400": "OauthBadRequest",
    "404": "OauthProblem",
    "405": "OauthProblem",
    "408": "OauthProblem",
    "413": "OauthProblem",
    "431": "OauthProblem",
    "503": "OauthUnavailable",
}


def describe(_: Config) -> Described:
    """Both endpoints, and where a client learns of them."""
    asked = api.answer("Whether it is good, and what is known of it.", api.ref("OauthToken"))
    return Described(
        title="OAuth 2.0: token introspection and revocation",
        paths={
            "/introspect": {"post": _post("Ask about a token", {"200": asked}, _about())},
            "/revoke": {
                "post": _post(
                    "Revoke a token", {"200": api.answer("It is dead, if it ever lived.")}, _token()
                )
            },
            texts.METADATA: _metadata(),
        },
        components={"schemas": _schemas(), "responses": _responses()},
    )


def _post(summary: str, good: dict[str, Json], form: Json) -> Json:
    refusals = {**NAMES, "401": "OauthUnknown", "415": "OauthProblem", "429": "OauthUnavailable"}
    return api.operation(
        summary,
        {**good, **{status: api.shared(name) for status, name in refusals.items()}},
        security=WAYS,
        request=api.body(form, texts.FORM),
    )


def _metadata() -> Json:
    shared = {status: api.shared(name) for status, name in NAMES.items()}
    known = api.answer("The server's metadata.", api.ref("OauthServer"))
    get = api.operation("Where the endpoints are", {**shared, "200": known})
    return {"get": get, "head": get}


def _token() -> Json:
    fields: dict[str, Json] = {"token": api.short(4096, 1), "token_type_hint": api.TEXT}
    return api.record(fields, ["token"], closed=False)


def _about() -> Json:
    made = _token()
    whence = {"client_ip": api.TEXT, "user_agent": api.TEXT}
    return {**made, "properties": {**made["properties"], **whence}}


def _schemas() -> dict[str, Json]:
    known: dict[str, Json] = {
        "active": api.TRUTH,
        "scope": api.one_of("read", "read write"),
        "client_id": api.TEXT,
        "username": api.TEXT,
        "token_type": api.one_of("Bearer"),
        "exp": api.NUMBER,
        "iat": api.NUMBER,
        "sub": api.TEXT,
        "iss": api.URL,
        "jti": api.TEXT,
    }
    server: dict[str, Json] = {
        "issuer": api.URL,
        "response_types_supported": api.many(api.TEXT),
        "grant_types_supported": api.many(api.TEXT),
        "introspection_endpoint": api.URL,
        "introspection_endpoint_auth_methods_supported": api.many(api.TEXT),
        "revocation_endpoint": api.URL,
        "revocation_endpoint_auth_methods_supported": api.many(api.TEXT),
    }
    problem: dict[str, Json] = {
        "title": api.TEXT,
        "status": api.WHOLE,
        "detail": api.TEXT,
        "error": api.TEXT,
        "error_description": api.TEXT,
    }
    return {
        "OauthToken": api.record(known, ["active"]),
        "OauthServer": api.record(server),
        "OauthProblem": api.record(problem, ["title", "status"]),
    }


def _responses() -> dict[str, Json]:
    challenge = {"WWW-Authenticate": api.header("How to say who one is.")}
    return {
        "OauthProblem": _said("The request cannot be served."),
        "OauthBadRequest": _said("A parameter is missing, repeated or malformed."),
        "OauthUnknown": _said("Nobody knows who asks.", challenge),
        "OauthUnavailable": _said("Not now.", api.WAIT),
    }


def _said(description: str, headers: dict[str, Json] | None = None) -> Json:
    made = api.answer(description, headers=headers)
    return {**made, "content": {texts.PROBLEM: {"schema": api.ref("OauthProblem")}}}
