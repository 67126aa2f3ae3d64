"""The two fields of a login: what may be in them, and what is said when it is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from service.dialects.tower import texts
from service.wire.json import Number

USERNAME, PASSWORD = "username", "password"

FACTS: Mapping[str, object] = {
    "actions": {
        "POST": {
            USERNAME: {"type": "string", "required": True, "label": "Username"},
            PASSWORD: {"type": "string", "required": True, "label": "Password"},
        }
    },
    "added_in_version": "1.2",
    "added_in_api_version": "v1",
}


class Fields:
    """A login as it was asked for; *errors* is empty when it may be tried."""

    __slots__ = ("errors", "password", "username")

    def __init__(self, data: Mapping[str, object]) -> None:
        self.errors: dict[str, list[str]] = {}
        self.username = self._take(data, USERNAME)
        self.password = self._take(data, PASSWORD)

    def _take(self, data: Mapping[str, object], name: str) -> str:
        text, error = _checked(data[name]) if name in data else ("", texts.REQUIRED)
        if error:
            self.errors[name] = [error]
        return text


def _checked(value: object) -> tuple[str, str]:
    """(the text of *value* with its ends trimmed, what is wrong with it)."""
    if value is None:
        return "", texts.NULL
    if isinstance(value, Number):
        # tower-cli turns a password of digits into a number before it sends it.
        return value.text, ""
    if not isinstance(value, str):
        return "", texts.NOT_A_STRING
    text = value.strip()
    return text, "" if text else texts.BLANK
