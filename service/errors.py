"""What can go wrong, as words: no HTTP status, no Redis. Each dialect says it in its own shape."""

from __future__ import annotations


class TokenhouseError(Exception):
    """Anything this service says no with."""


class StoreDown(TokenhouseError):
    """The store gave no verdict in time, so nothing may be decided (always 503, never 401).

    *reason* is a short stable word for logs and metrics; the cause is chained, never shown.
    """

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class WriteLost(StoreDown):
    """The store was told to write, and did not say whether it has."""


class NotSetUp(StoreDown):
    """The store answers but carries no mark of birth: emptied, or the wrong one."""

    def __init__(self) -> None:
        super().__init__("not set up")


class Busy(TokenhouseError):
    """More password checks are waiting than we promise to serve (503 with Retry-After)."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__("password checks are queued up")
        self.retry_after_s = retry_after_s


class Refusal(TokenhouseError):
    """A well-formed wish that the rules turn down."""


class OneRefused(TokenhouseError):
    """One of several wishes is refused, and so all of them: *at* is its place, *error* says why."""

    def __init__(self, at: int, error: Exception) -> None:
        super().__init__(f"number {at}: {error}")
        self.at = at
        self.error = error


class TooManyAttempts(Refusal):
    """The login guard makes this account or address wait *retry_after_s* seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many failed logins")
        self.retry_after_s = retry_after_s


class BadCredentials(Refusal):
    """Wrong password, unknown user or disabled user: one answer for all three.

    *used_up* is whether the account had no more guesses than this one.
    """

    used_up = False


class DisabledLogin(BadCredentials):
    """The right password of a disabled user, for products that tell him so."""


class NoSuchUser(Refusal):
    """An operator named a user that does not exist."""


class UserExists(Refusal):
    """An operator wants to make a user whose name is taken."""


class UserDisabled(Refusal):
    """An operator wants a token for a user who is disabled."""


class NoSuchToken(Refusal):
    """An operator named a token that does not exist."""


class TokenChanged(Refusal):
    """A token is not any more what somebody wants to change or to end."""


class TooManyTokens(Refusal):
    """The owner holds as many tokens of this policy as the config allows (*limit*)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"this user already has {limit} tokens")
        self.limit = limit


class LabelTaken(Refusal):
    """The owner already has a live token with this label."""


class KeyTaken(Refusal):
    """The key that a client chose is or was somebody's already."""


class BadName(Refusal, ValueError):
    """A user name outside the rules: 1-150 characters after trimming, no control characters."""


class ClientAddressUnknown(Refusal):
    """A binding policy needs the client's address and no trustworthy one was sent."""


class ConfigError(TokenhouseError):
    """A setting is wrong; the message names the key, the value and what is allowed."""
