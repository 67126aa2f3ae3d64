"""What a user may do with tokens, and see of users, in the words of NetBox and Nautobot."""

from __future__ import annotations

from service.model import User

ACTIONS = ("view", "add", "change", "delete", "grant")
GATEWAY = "gateway"
"""What lets a user's tokens ask about everybody's, as gateways do."""
VIEW_USERS = "users.view_user"
PERMISSIONS = (*(f"users.{action}_token" for action in ACTIONS), VIEW_USERS, GATEWAY)
"""Everything that can be granted; ``grant`` is making tokens for other users (NetBox 3.4.8)."""


def may(user: User, action: str, *, explicit: bool) -> bool:
    """Whether *user* may do *action*, one of ``ACTIONS``.

    Superusers may everything. Unless *explicit* permissions are asked for, everybody may deal with
    his own tokens. To grant takes ``add`` as well.
    """
    if user.superuser:
        return True
    if action == "grant":
        return "users.grant_token" in user.permissions and may(user, "add", explicit=explicit)
    return not explicit or f"users.{action}_token" in user.permissions
