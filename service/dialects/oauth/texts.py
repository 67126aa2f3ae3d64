"""Words that clients compare, with where they are defined."""

from __future__ import annotations

POLICY = "oauth"
METADATA = "/.well-known/oauth-authorization-server"
"""RFC 8414 §3."""

REALM = "tokenhouse"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PROBLEM = "application/problem+json"
"""RFC 9457 §3."""

INVALID_REQUEST = "invalid_request"
"""RFC 6749 §5.2, RFC 6750 §3.1: a parameter is missing, repeated or malformed."""
INVALID_CLIENT = "invalid_client"
"""RFC 6749 §5.2: name and password are wrong, or nobody says who asks."""
INVALID_TOKEN = "invalid_token"  # noqa: S105 - RFC 6750 §3.1
UNAVAILABLE = "temporarily_unavailable"
"""RFC 6749 §4.1.2.1, where it stands for 503."""
SLOW_DOWN = "slow_down"
"""RFC 8628 §3.5."""

CHALLENGES = {
    INVALID_CLIENT: f'Basic realm="{REALM}", charset="UTF-8"',
    INVALID_TOKEN: f'Bearer realm="{REALM}", error="{INVALID_TOKEN}"',
}

NO_TOKEN = "The parameter token is missing."  # noqa: S105 - a sentence about a token
TWICE = "A parameter stands there more than once."
NOT_A_FORM = "The body is not application/x-www-form-urlencoded."
NOT_KNOWN = "Name and password, or the token, of whoever asks are missing or wrong."
NO_ADDRESS = "client_ip is no address."
BAD_TOKEN = "The token of whoever asks is not good (any more)."  # noqa: S105 - a sentence
