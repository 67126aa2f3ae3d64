"""Every word of Nautobot that a client may compare, and the constants it was said with."""

from __future__ import annotations

from service.model import Word
from service.wire.rest.reply import FORM, JSON, MULTIPART

POLICY = "nautobot"
NAUTOBOT_VERSION = "1.4.1"
"""Which Nautobot this is, for clients that look: the last one of the contract."""
DJANGO_VERSION = "3.2.15"

ELSEWHERE = (
    "circuits",
    "dcim",
    "extras",
    "graphql",
    "ipam",
    "plugins",
    "tenancy",
    "users/config",
    "users/groups",
    "users/permissions",
    "users/users",
    "virtualization",
)
"""Parts of the product's API that hold what is not here."""

VERSIONS = ("1.2", "1.3", "1.4")
DEFAULT_VERSION = "1.2"
BAD_VERSION = 'Invalid version in "Accept" header. Supported versions are ' + ", ".join(VERSIONS)
BAD_QUERY_VERSION = "Invalid version in query parameter. Supported versions are " + ", ".join(
    VERSIONS
)
TWO_VERSIONS = 'Version mismatch between "Accept" header and query parameter.'

PARSES = (JSON, FORM, MULTIPART)
VARY = "Accept, Cookie, Origin"
VARY_EARLY = "Accept, Origin"
"""Of answers that are given before anybody is asked who he is."""
VARY_MOVED = "Origin"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

BAD_TOKEN = "Invalid token"  # noqa: S105 - a sentence about a token
EXPIRED = "Token expired"
INACTIVE = "User inactive"
BAD_BASIC = "Invalid username/password."
NO_BASIC = "Invalid basic header. No credentials provided."
BASIC_SPACES = "Invalid basic header. Credentials string should not contain spaces."
BASIC_NOT_BASE64 = "Invalid basic header. Credentials not correctly base64 encoded."

REFUSED = {
    Word.UNKNOWN: BAD_TOKEN,
    Word.MISMATCH: BAD_TOKEN,
    Word.NETWORK: BAD_TOKEN,
    Word.REVOKED: BAD_TOKEN,
    Word.EVICTED: BAD_TOKEN,
    Word.EXPIRED: EXPIRED,
    Word.INACTIVE: INACTIVE,
    Word.DISABLED: BAD_TOKEN,
}
"""What a token's holder is told for each word of verify but ``ok`` and ``read_only``."""

KEY_BLANK = "This field cannot be blank."
KEY_TAKEN = "Token with this Key already exists."
KEY_NOT_CHOSEN = "Keys are made here and cannot be chosen. Leave this field out."
KEY_STAYS = "The key of a token cannot be changed. Create another token."

BAD_UUID = "Must be a valid UUID."
BAD_UUID_FILTER = "Enter a valid UUID."
TOO_MANY = "Ensure this list has no more than {} items."
