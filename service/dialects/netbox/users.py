"""Users, to look at: the caller himself, and everybody for those who may see them."""

from __future__ import annotations

from service.core.permissions import VIEW_USERS
from service.dialects.netbox import shape, texts
from service.dialects.netbox.view import Call, View, reading, turned_away
from service.model import User
from service.wire.reply import Reply
from service.wire.rest.filters import Column, Kind, ordered, query_of, select
from service.wire.rest.links import absolute
from service.wire.rest.pages import Page, number
from service.wire.rest.refusal import NotFound

NAMED = "users.user"

_COLUMNS: dict[str, Column[User]] = {
    "id": Column(Kind.NUMBER, lambda user: user.user_id),
    "username": Column(Kind.TEXT, lambda user: user.name),
    "first_name": Column(Kind.TEXT, lambda user: user.first_name),
    "last_name": Column(Kind.TEXT, lambda user: user.last_name),
    "email": Column(Kind.TEXT, lambda user: user.email),
    "is_active": Column(Kind.TRUTH, lambda user: user.active),
}


def guard(call: Call) -> None:
    """Let in who may look at himself, or at everybody. Denied; Forbidden."""
    if call.request.method == "OPTIONS":
        closed = call.settings.login_required
        allowed = call.user is not None or not closed
    elif call.request.method not in ("GET", "HEAD"):
        allowed = call.user is not None and call.user.superuser
    else:
        alone = call.user is not None and not call.settings.explicit_permissions
        allowed = alone or _sees_all(call)
    if not allowed:
        raise turned_away(call)


def _sees_all(call: Call) -> bool:
    if call.exempt(NAMED) and (call.user is not None or not call.settings.login_required):
        return True
    me = call.user
    return me is not None and (me.superuser or VIEW_USERS in me.permissions)


async def get_list(call: Call) -> Reply:
    """The users that the caller may see and his query selects, a part at a time."""
    query = call.request.query_params
    sees_all = _sees_all(call)
    pool = await call.service.users.all() if sees_all else [call.me]
    found = select(pool, query_of(query.multi_items()), _COLUMNS)
    keys = {name: column.value for name, column in _COLUMNS.items()}
    found = ordered(found, query.get("ordering", ""), keys)
    words = query.get("q", "").strip().lower()
    found = [user for user in found if words in f"{user.name} {shape.full_name(user)}".lower()]
    page = Page.of(query.get("limit"), query.get("offset"), len(found))
    results = [_shown(call, user) for user in page.part(found)]
    raw = call.request.scope["query_string"].decode("latin-1")
    return Reply(200, page.envelope(results, absolute(call.request, call.service), raw))


async def get(call: Call) -> Reply:
    """One user; who may not see him learns as little as if he did not exist."""
    asked = number(call.argument)
    if asked is None:
        raise NotFound
    found = call.user if call.user is not None and call.user.user_id == asked else None
    if found is None and _sees_all(call):
        found = await call.service.users.by_id(asked)
    if found is None:
        raise NotFound(texts.NO_MATCH.format("User")) if call.new else NotFound
    return Reply(200, _shown(call, found))


async def who_am_i(call: Call) -> Reply:
    """The user who is asking."""
    return Reply(200, shape.user(call.me, call.link, new=call.new))


def _shown(call: Call, user: User) -> dict[str, object]:
    if call.request.query_params.get("brief"):
        return shape.nested_user(user, call.link)
    return shape.user(user, call.link, new=call.new)


LIST = View(name="User", newer_name="User List", handlers=reading(get_list), guard=guard)
ONE = View(name="User", newer_name="User Instance", handlers=reading(get), guard=guard)
