"""Every word of Tower that a client may compare, and the constants it was said with."""

from __future__ import annotations

from service.model import Word

POLICY = "tower"
VERSIONS = ("v1", "v2")

TOWER_VERSION = "3.2.0"
"""Which Tower this is, for clients that look: the last but for fixes that has these tokens."""
ANSIBLE_VERSION = "2.4.1.0"

NON_FIELD = "__all__"
BAD_LOGIN = "Unable to login with provided credentials."
REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NULL = "This field may not be null."
NOT_A_STRING = "Not a valid string."

NOT_AN_OBJECT = "JSON parse error - not a JSON object"
BAD_JSON = "JSON parse error - {}\nPossible cause: trailing comma."
BAD_FORM = "Form parse error - {}"

NO_SUCH_PAGE = "The requested resource could not be found."
NOT_FOUND = "Not found."
NOT_ACCEPTABLE = "Could not satisfy the request Accept header."
BROKEN = "A server error has occurred."
FORBIDDEN = "You do not have permission to perform this action."

NO_CREDENTIALS = "Authentication credentials were not provided."
BAD_BASIC = "Invalid username/password."
BAD_TOKEN = "Invalid token"  # noqa: S105 - a sentence about a token
EXPIRED = "Token is expired"
OVER_LIMIT = "The maximum number of allowed sessions for this user has been exceeded."
INACTIVE = "User inactive or deleted"

REFUSED = {
    Word.UNKNOWN: BAD_TOKEN,
    Word.MISMATCH: BAD_TOKEN,
    Word.NETWORK: BAD_TOKEN,
    Word.REVOKED: EXPIRED,
    Word.EXPIRED: EXPIRED,
    Word.EVICTED: OVER_LIMIT,
    Word.INACTIVE: INACTIVE,
    Word.DISABLED: BAD_TOKEN,
}
"""What a token's holder is told for each word of verify but ``ok`` and ``read_only``."""


def method_not_allowed(method: str) -> str:
    """In the quotes of the documentation."""
    return f"Method '{method}' not allowed."


def unsupported(content_type: str) -> str:
    """For a body in a format that is not read."""
    return f'Unsupported media type "{content_type}" in request.'
