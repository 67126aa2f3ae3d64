"""Every word of NetBox that a client may compare, and what differs between its contracts."""

from __future__ import annotations

import re

POLICY = "netbox"

OLD, NEW = "3.3", "4.6"
"""The contracts: the version of NetBox whose answers are given."""
RELEASE = {OLD: "3.3.10", NEW: "4.6.8"}
DJANGO = {OLD: "4.0.8", NEW: "6.0.8"}

NBT = re.compile(r"nbt_([0-9A-Za-z]{12})\.([0-9A-Za-z]{40})", re.ASCII)
"""A token of version 2: its key, which everybody may see, and its secret."""
PREFIX = "nbt_"

BAD_LOGIN = "Invalid username/password"
NO_LOGIN = "Username and password must be provided to provision a token."

BAD_TOKEN = "Invalid token"  # noqa: S105 - a sentence about a token
BAD_V1 = "Invalid v1 token"
BAD_V2 = "Invalid v2 token"
EXPIRED = "Token expired"
INACTIVE = "User inactive"
DISABLED = "Token disabled"
BAD_SOURCE = "Source IP {} is not permitted to authenticate using this token."
NO_SOURCE = (
    "Client IP address could not be determined for validation. Check that the HTTP server is "
    "correctly configured to pass the required header(s)."
)
BAD_FORM = (
    'Invalid authorization header: Must be in the form "Bearer <key>.<token>" or "Token <token>"'
)
BAD_BYTES = "Invalid authorization header: Token contains invalid characters"
NO_DOT = (
    "Invalid authorization header: Could not parse key from v2 token. "
    "Did you mean to use 'Token' instead of 'Bearer'?"
)

BAD_VERSION = 'Invalid version in "Accept" header.'
NO_MATCH = "No {} matches the given query."

NOT_FOR_OTHERS = "This user does not have permission to create tokens for other users."
NO_SUCH_NUMBER = "Related object not found using the provided numeric ID: {}"
NO_SUCH_OBJECT = "Related object not found using the provided attributes: {}"
NO_REFERENCE = (
    "Related objects must be referenced by numeric ID or by dictionary of attributes. "
    "Received an unrecognized value: {}"
)
BLANK_KEY = "This field cannot be blank."
KEY_TAKEN = {
    "key": "Token with this Key already exists.",
    "token": "Token with this Plaintext already exists.",
}
KEY_NOT_CHOSEN = "You may not choose the key of this token. Leave it out to get a random one."
KEY_NOT_BASE62 = "Ensure this field has letters and digits only."
KEY_STAYS = "The key of a token cannot be changed. Make a new token instead."
USER_STAYS = "The user of a token cannot be changed. Make a new token instead."
USER_DISABLED = "This user is disabled."
VERSION_STAYS = "Constraint “enforce_version_dependent_fields” is violated."
NO_SUCH_VERSION = '"{}" is not a valid choice.'
PAST = "Expiration time must be in the future. Current server time is {} (UTC)."
TWO_WAYS = "'start' and 'offset' are mutually exclusive."
TOO_MANY = "Ensure this list has no more than {} entries."

APPS = ("circuits", "dcim", "extras", "ipam", "tenancy", "virtualization", "wireless")
"""Parts of the product's API that hold what is not here."""
