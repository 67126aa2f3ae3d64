"""What Puppet Enterprise's paths take and answer, for ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.config import Config
from service.dialects.puppet import listing, users, wanted
from service.dialects.puppet.checking import NOTED
from service.dialects.puppet.fields import LABEL, TEXT
from service.wire import openapi as api
from service.wire.openapi import Described, Json

UUID = api.UUID
SID = api.part("sid", "The id of a user.", UUID)
WAYS = api.by("x-authentication", "query")
TOKEN: Json = {"type": "string", "pattern": "^0[A-Za-z0-9_-]{43}$"}
LIFETIME: Json = {"type": "string", "pattern": "^[0-9]{1,20}[ydhms]?$"}
MOMENT = api.nullable(api.MOMENT)
NAMED = api.nullable(api.TEXT)

STATUSES: Mapping[str, str] = {
    "400": "The request cannot be understood, or does not fit the schema.",
    "401": "Who is asking is not known, or no longer good; or the login failed.",
    "403": "Who is asking is known, and may not do this; or the token is dead.",
    "404": "There is no such user.",
    "408": "The request did not arrive in time.",
    "409": "A live token has this label already.",
    "413": "The body is larger than [server] max_body.",
    "415": "The body is in a coding that is not read.",
    "431": "The headers are larger than [server] header_bytes, or too many.",
    "500": "The store failed halfway; what was revoked is revoked.",
    "503": "Nothing was decided: the store is away, or too much waits.",
}
WAITING = ("500", "503")
ALWAYS = ("400", "408", "413", "431", "503")
"""What any request may be answered."""


def describe(_: Config) -> Described:
    """Everything below ``/rbac-api/``."""
    return Described(
        title="Puppet Enterprise: tokens and users",
        paths={f"/rbac-api/{path}": item for path, item in _paths().items()},
        components={"schemas": _schemas(), "responses": _responses()},
    )


# -- path items --------------------------------------------------------------------------------


def _paths() -> Mapping[str, Json]:
    return {
        "v1/auth/token": {"post": _make("PuppetLogin", "401", "409", "415")},
        "v1/tokens": {
            "post": {
                **_make("PuppetWish", "401", "403", "409", "415", required=False),
                "security": WAYS,
            }
        },
        "v2/auth/token/authenticate": {"post": _check()},
        "v2/tokens": {"delete": _revoke()},
        "v2/tokens/{token}": {"delete": _revoke_one()},
        "v1/users": _get(
            "Users", "PuppetUsers", api.query("id", "Ids, with commas between them."), others=True
        ),
        "v1/users/current": _get("Who is asking", "PuppetUser"),
        "v1/users/current/password": {"put": _password()},
        "v1/users/{sid}": _get("A user", "PuppetUser", SID, others=True),
        "v1/users/{sid}/tokens": _get(
            "A user's tokens", "PuppetTokens", SID, *_part(), others=True
        ),
        "v1/command/users/revoke": {"post": _command("Revoke a user with every token")},
        "v1/command/users/reinstate": {"post": _command("Let a user in again")},
    }


def _failures(*statuses: str) -> dict[str, Json]:
    return {status: api.shared(f"Puppet{status}") for status in {*ALWAYS, *statuses}}


def _make(schema: str, *statuses: str, required: bool = True) -> Json:
    good = {"200": api.answer("The token.", api.ref("PuppetMade"))}
    request = api.body(api.ref(schema), api.JSON, required=required)
    return api.operation("Make a token", {**good, **_failures(*statuses)}, request=request)


def _check() -> Json:
    good = {"200": api.answer("Token and owner.", api.ref("PuppetSubject"))}
    request = api.body(api.ref("PuppetCheck"), api.JSON)
    responses = {**good, **_failures("403", "415")}
    return api.operation("Whose token is this?", responses, request=request)


def _revoke() -> Json:
    parameters = [api.query(name, "With commas between them.") for name in wanted.PARAMETERS]
    request = api.body(api.ref("PuppetRevoke"), api.JSON, required=False)
    return api.operation(
        "Revoke tokens",
        {"204": api.answer("All of them are revoked."), **_revocation("415")},
        security=WAYS,
        parameters=parameters,
        request=request,
    )


def _revoke_one() -> Json:
    return api.operation(
        "Revoke a token",
        {"204": api.answer("It is revoked."), **_revocation()},
        security=WAYS,
        parameters=[api.part("token", "The token.", api.TEXT)],
    )


def _revocation(*statuses: str) -> dict[str, Json]:
    return _failures("401", "403", "500", *statuses)


def _get(summary: str, schema: str, *parameters: Json, others: bool = False) -> Json:
    statuses = ("401", "403", "404") if others else ("401",)
    made = api.operation(
        summary,
        {"200": api.answer(summary, api.ref(schema)), **_failures(*statuses)},
        security=WAYS,
        parameters=parameters,
    )
    return {"get": made, "head": made}


def _password() -> Json:
    return api.operation(
        "Change one's password",
        {"200": api.answer("It is changed."), **_failures("401", "403", "415")},
        security=WAYS,
        request=api.body(api.ref("PuppetPasswords"), api.JSON),
    )


def _command(summary: str) -> Json:
    return api.operation(
        summary,
        {"204": api.answer("It is done."), **_failures("401", "403", "404", "415")},
        security=WAYS,
        request=api.body(api.record({"user_id": UUID}), api.JSON),
    )


def _part() -> list[Json]:
    number: Json = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    return [
        api.query("limit", "At most so many.", number),
        api.query("offset", "How many to skip.", number),
        api.query("order_by", "What they are sorted by.", api.one_of(*listing.ORDERS)),
        api.query("order", "In which direction.", api.one_of(*listing.WAYS)),
    ]


# -- components --------------------------------------------------------------------------------


def _responses() -> dict[str, Json]:
    error = api.ref("PuppetError")
    return {
        f"Puppet{status}": api.answer(text, error, api.WAIT if status in WAITING else None)
        for status, text in STATUSES.items()
    }


def _schemas() -> dict[str, Json]:
    return {
        "PuppetError": api.record(
            {"kind": api.TEXT, "msg": api.TEXT, "details": api.OBJECT}, ("kind", "msg")
        ),
        "PuppetMade": api.record({"token": TOKEN}),
        "PuppetLogin": api.record(
            {"login": api.TEXT, "password": api.TEXT, **_wish()}, ("login", "password")
        ),
        "PuppetWish": api.record(_wish(), ()),
        "PuppetCheck": api.record({"token": api.TEXT, NOTED: api.nullable(api.TRUTH)}, ("token",)),
        "PuppetRevoke": api.record(
            {name: api.nullable(api.many(api.TEXT, maxItems=100)) for name in wanted.PARAMETERS}, ()
        ),
        "PuppetPasswords": api.record(
            {"current_password": api.TEXT, "password": api.short(1024, users.SHORTEST)}
        ),
        "PuppetUser": api.record(_user()),
        "PuppetUsers": api.many(api.ref("PuppetUser")),
        "PuppetSubject": api.record(
            {
                **_user(),
                "user_id": UUID,
                **dict.fromkeys(("description", "client", "label"), NAMED),
                **dict.fromkeys(("creation", "last_active"), api.MOMENT),
                "expiration": MOMENT,
                "timeout": api.NOTHING,
            }
        ),
        "PuppetTokens": api.record({"items": api.many(_item()), "pagination": _pagination()}),
    }


def _wish() -> dict[str, Json]:
    label: Json = api.short(LABEL, 1, pattern="^[^,]*[^,\\s][^,]*$")
    return {
        "lifetime": api.either(LIFETIME, {"type": "integer", "minimum": 0}, api.NOTHING),
        "label": api.nullable(label),
        **dict.fromkeys(("description", "client"), api.nullable(api.short(TEXT))),
    }


def _user() -> dict[str, Json]:
    truths = ("is_group", "is_remote", "is_superuser", "is_revoked")
    return {
        "id": UUID,
        **dict.fromkeys(("login", "email", "display_name"), api.TEXT),
        "role_ids": api.many(api.WHOLE),
        **dict.fromkeys(truths, api.TRUTH),
        "last_login": MOMENT,
    }


def _item() -> Json:
    moments: dict[str, Any] = dict.fromkeys(("creation_date", "last_active_date"), api.MOMENT)
    return api.record(
        {
            "id": UUID,
            **moments,
            "expiration_date": MOMENT,
            **dict.fromkeys(("client", "description", "label"), NAMED),
            "session_timeout": api.NOTHING,
        }
    )


def _pagination() -> Json:
    return api.record(
        {
            "limit": api.nullable(api.WHOLE),
            "offset": api.WHOLE,
            "order_by": api.one_of(*listing.ORDERS),
            "order": api.one_of(*listing.WAYS),
            "total": api.WHOLE,
        }
    )
