"""Who am I, and who else is there: the two resources of users. Superusers see everybody."""

from __future__ import annotations

from collections.abc import Mapping

from service.dialects.tower import shape, texts
from service.dialects.tower.refusal import Invalid, NotFound
from service.dialects.tower.view import Call, View, reading
from service.errors import BadName, NoSuchUser
from service.model import User
from service.wire.reply import Reply

FILTERS = ("id", "username", "first_name", "last_name", "email", "is_superuser")
PAGING = ("page", "page_size")
IGNORED = ("format", "order", "order_by", "type", "token")


async def me(call: Call) -> Reply:
    """The list of one that the caller is."""
    page = shape.Page(1, shape.PAGE_SIZE, 1)
    return Reply(200, page.envelope([_shown(call, call.me)], call.link("me"), {}))


async def users(call: Call) -> Reply:
    """The users that the caller may see and the query selects, a page at a time."""
    query = dict(call.request.query_params)
    wanted = _filters(query)
    kept = {name: text for name, text in query.items() if name in (*FILTERS, *PAGING)}
    if call.me.superuser and not wanted:
        page = shape.Page.of(query, await call.service.users.count())
        found = await call.service.users.page(page.start, page.size)
    else:
        matching = [user for user in await _pool(call, wanted) if _fits(user, wanted)]
        page = shape.Page.of(query, len(matching))
        found = matching[page.start : page.start + page.size]
    results = [_shown(call, user) for user in found]
    return Reply(200, page.envelope(results, call.link("users"), kept))


async def one_user(call: Call) -> Reply:
    """One user by number; who may not see him learns as little as if he did not exist."""
    number = int(call.argument)
    found: User | None = call.me
    if call.me.user_id != number:
        found = await call.service.users.by_id(number) if call.me.superuser else None
    if found is None:
        raise NotFound(texts.NOT_FOUND)
    return Reply(200, _shown(call, found))


def _filters(query: Mapping[str, str]) -> dict[str, str]:
    """What *query* selects by. Invalid when it is something we cannot select by.

    To ignore such a filter would be to hand out more users than were asked for.
    """
    for name in query:
        if name not in (*FILTERS, *PAGING, *IGNORED):
            raise Invalid(f"User has no field named '{name[:40]}'")
    return {name: query[name] for name in FILTERS if name in query}


async def _pool(call: Call, wanted: Mapping[str, str]) -> list[User]:
    if not call.me.superuser:
        return [call.me]
    if "username" not in wanted:
        return await call.service.users.all()
    try:
        return [await call.service.users.get(wanted["username"])]
    except (NoSuchUser, BadName):
        return []


def _fits(user: User, wanted: Mapping[str, str]) -> bool:
    """Whether *user* has every value that is *wanted*."""
    has = {
        "id": str(user.user_id),
        "username": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
    }
    truth = {"true": True, "1": True, "false": False, "0": False}
    return all(
        truth.get(text.lower()) is user.superuser if name == "is_superuser" else has[name] == text
        for name, text in wanted.items()
    )


def _shown(call: Call, user: User) -> dict[str, object]:
    return shape.user(user, call.link("users", str(user.user_id)))


ME = View(
    name="Me",
    description="Who is asking: a list of exactly one user.",
    handlers=reading(me),
    protected=True,
)
USERS = View(
    name="User List",
    description=(
        "The users you may see: everybody for a superuser, yourself otherwise. "
        "`page` and `page_size` (at most 200) choose a part of the list; `id`, `username`, "
        "`first_name`, `last_name`, `email` and `is_superuser` select by an exact value."
    ),
    handlers=reading(users),
    protected=True,
)
USER = View(name="User Detail", description="One user.", handlers=reading(one_user), protected=True)
