"""Every word of Puppet Enterprise that a client may compare, and a few of our own."""

from __future__ import annotations

from service.model import Word

POLICY = "puppet"
JSON = "application/json; charset=utf-8"

ADMIN = "admin"
ADMIN_ID = "42bf351c-f9ec-40af-84ad-e976fec7f4bd"
API_USER = "api_user"
API_USER_ID = "af94921f-bd76-4b58-b5ce-e17c029a2790"
"""The ids that these two have in every Puppet Enterprise."""
ADMINISTRATORS = 1
"""The id of the role that superusers have."""

RBAC = "puppetlabs.rbac/"
"""What the kinds begin with that are about who somebody is; the others are bare."""

MALFORMED = "malformed-request"
SCHEMA = "schema-violation"
INVALID_UUID = "invalid-uuid"
INVALID_FILTER = "invalid-id-filter"
NOT_FOUND = "not-found"
NOT_ALLOWED = "method-not-allowed"
DENIED = "permission-denied"
CONFLICT = "conflict"
TOO_MANY = "too-many-tokens"
TOO_SLOW = "request-timeout"
TOO_LARGE = "request-too-large"
LONG_HEAD = "request-header-too-large"
UNREADABLE = "unsupported-content-encoding"
UNAUTHENTICATED = RBAC + "user-unauthenticated"
REVOKED_USER = RBAC + "user-revoked"
API_LOGIN = RBAC + "api-user-login"
REVOKED_TOKEN = RBAC + "token-revoked"
EXPIRED_TOKEN = RBAC + "token-expired"
INVALID_TOKEN = RBAC + "invalid-token"
SERVER = RBAC + "server-error"
DATABASE = RBAC + "database-token-error"

NOT_JSON = "The request's body is not valid JSON."
NOT_CONFORM = (
    "The object(s) in your request submitted did not conform to the schema. The problem is: {}"
)
NO_LOGIN = "Route requires authentication"
FAILED = "User {} failed to login"
API_CANNOT = "The api_user account cannot log in with a password."
USER_IS_REVOKED = "This account has been revoked."
LOCKED = "This account is locked after too many failed logins. Try again in {}."
TOKEN_IS_REVOKED = "Authentication token has been revoked."  # noqa: S105 - about a token
TOKEN_HAS_EXPIRED = "The provided token has expired."  # noqa: S105 - about a token
TOKEN_IS_INVALID = "The provided token cannot be read as a token."  # noqa: S105 - about a token
LABEL_TAKEN = "There was a database conflict due to the value(s): {}"
FORBIDDEN = "You do not have permission to do this."
NO_SUCH_USER = "There is no user with this id."
NO_SUCH_PATH = "There is nothing at this path."
BAD_METHOD = "This path does not answer to this method."
BAD_UUID = "The id is not a UUID."
BAD_FILTER = "An id in the filter is not a UUID."
WRONG_PASSWORD = "The current password is wrong."  # noqa: S105 - about a password
READ_ONLY = "This token is for reading only."
API_USER_STAYS = "The api_user account cannot be changed."
NO_ADDRESS = (
    "The address of the client is not known: a trusted proxy named none, or none that can be "
    "read. The operator of this service should look at server.trusted_proxies and "
    "server.client_ip_header."
)
FULL = "This user already has {} tokens. Revoke one of them first."
BUSY = "Too many logins are waiting. Try again in {}."
AWAY = "Tokens cannot be checked at the moment. Try again in {}."
BROKEN = "A server error has occurred."

REFUSED: dict[Word, tuple[str, str]] = {
    Word.EXPIRED: (EXPIRED_TOKEN, TOKEN_HAS_EXPIRED),
    Word.INACTIVE: (REVOKED_USER, USER_IS_REVOKED),
}
"""What a token's holder is told: (kind, msg). For every other word it is revoked."""

BEFORE: dict[int, tuple[str, str]] = {
    400: (MALFORMED, "The request could not be understood by the server."),
    408: (TOO_SLOW, "The request did not arrive in time."),
    413: (TOO_LARGE, "The request body is too large."),
    431: (LONG_HEAD, "The headers of the request are too large."),
    503: (SERVER, "The server is busy. Try again shortly."),
}
"""What is said before the application is asked: (kind, msg)."""

BODIES = {400: MALFORMED, 413: TOO_LARGE, 415: UNREADABLE}
"""The kind for a body that cannot be taken."""
