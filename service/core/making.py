"""From a wish to what is kept of its token, and to what is said when it is made or not. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from service.core.address import prefix
from service.core.secret import Form, digest_of
from service.errors import KeyTaken, LabelTaken, NoSuchUser, TooManyTokens, UserDisabled
from service.model import (
    NO_AGENT,
    Head,
    Issued,
    Level,
    Life,
    Network,
    Policy,
    Token,
    Word,
    token_id,
)
from service.store.issuing import Outcome
from service.store.keys import shard_of
from service.store.networks import pack_networks
from service.store.records import pack_texts

if TYPE_CHECKING:
    from service.core.tokens import Wish

FORMS = {"puppet": Form.BASE64, "oauth": Form.NATIVE}
"""Policies whose tokens are not 40 hex digits."""


class PasswordChanged(Exception):
    """The password or the user changed after the check: check again."""


def form_of(wish: Wish) -> Form:
    """How the text of the token will be spelled."""
    return wish.form or FORMS.get(wish.policy.name, Form.HEX)


def head_of(wish: Wish) -> Head:
    """The head of the token that *wish* asks for; counter and end are Redis's to fill in."""
    policy = wish.policy
    bound = policy.bind_ip is not Level.OFF
    return Head(
        policy=policy.letter,
        life=_life(wish),
        write=policy.write if wish.write is None else wish.write,
        enabled=wish.enabled,
        grave_s=max(1, policy.grave_ms // 1000),
        prefix=prefix(wish.address, policy.prefix_v4, policy.prefix_v6) if bound else b"",
        agent=NO_AGENT if policy.bind_agent is Level.OFF else wish.agent,
    )


def _life(wish: Wish) -> Life:
    if wish.policy.idle_ms:
        return Life.SLIDING
    return Life.FIXED if age_ms(wish) or wish.end_ms else Life.NEVER


def age_ms(wish: Wish) -> int:
    """How long from now the token may live at all; 0 without end."""
    policy = wish.policy
    wanted = wish.lifetime_ms or (0 if wish.end_ms else policy.lifetime_ms)
    ends = [end for end in (wanted, policy.max_lifetime_ms, policy.max_age_ms) if end]
    return min(ends, default=0)


def end_of(token: Token, policy: Policy | None, end_ms: int) -> tuple[Life, int]:
    """The life and the end of *token* when it shall end at *end_ms* (0: never) from now on.

    No later than its policy lets it live, counted from when it was made.
    """
    most = [age for age in (policy.max_lifetime_ms, policy.max_age_ms) if age] if policy else []
    ends = [token.created_ms + age for age in most] + ([end_ms] if end_ms else [])
    end = min(ends, default=0)
    if token.life is Life.SLIDING:
        return Life.SLIDING, end
    return (Life.FIXED if end else Life.NEVER), end


def name_of(wish: Wish, head: Head) -> bytes:
    """The owner's name that this token claims: its label, or what a same login shares."""
    if wish.label:
        return b"label:" + wish.label.encode()
    if not wish.policy.reuse:
        return b""
    kind = wish.policy.letter.encode() + (b"w" if head.write else b"r")
    bound = kind + head.prefix + b"\0" + head.agent
    return b"bind:" + hashlib.sha256(bound).digest()[:16]


def fields_of(wish: Wish) -> dict[bytes, bytes]:
    """What a record holds of *wish* that verify compares seldom or never."""
    form = wish.form.name if wish.form else ""
    texts = {"label": wish.label, "client": wish.client, "form": form}
    fields = texts_of(texts, wish.description, wish.networks)
    return {name: value for name, value in fields.items() if value}


def texts_of(
    texts: Mapping[str, str], description: str, networks: tuple[Network, ...] | None
) -> dict[bytes, bytes]:
    """The fields for texts and networks; an empty one is to be removed."""
    said = "[]" if networks == () else ""
    whole = {**texts, "description": description, "networks": said}
    return {b"m": pack_texts(whole), b"n": pack_networks(networks or ())}


def issued_of(wish: Wish, outcome: Outcome, text: str) -> Issued:
    """The token *text* that was made, or shown again, as *wish* asked."""
    return Issued(
        text=text,
        token_id=token_id(outcome.counter, shard_of(wish.owner)),
        created_ms=outcome.created_ms,
        expires_ms=outcome.expires_ms,
        reused=outcome.word is Word.REUSED,
        replicas=outcome.replicas,
    )


def token_of(wish: Wish, issued: Issued) -> Token:
    """The token that was just *issued* as *wish* asked (not a reused one), as it would be read.

    Only what its text could be had from again is left out.
    """
    head = head_of(wish)
    return Token(
        token_id=issued.token_id,
        owner=wish.owner,
        policy=wish.policy.name,
        state="live",
        write=head.write,
        enabled=head.enabled,
        prefix=head.prefix,
        agent=head.agent,
        life=head.life,
        created_ms=issued.created_ms,
        expires_ms=issued.expires_ms,
        last_used_ms=0,
        label=wish.label,
        description=wish.description,
        client=wish.client,
        networks=wish.networks,
        form=wish.form.name if wish.form else "",
        digest=digest_of(issued.text.encode()),
    )


_REFUSALS: Mapping[Word, type[Exception]] = {
    Word.UNKNOWN: NoSuchUser,
    Word.INACTIVE: UserDisabled,
    Word.CONFLICT: LabelTaken,
    Word.AGAIN: PasswordChanged,
    Word.EXISTS: KeyTaken,
}


def refusal_of(wish: Wish, word: Word) -> Exception:
    """What to raise when ``issue`` or ``import`` answers *word*."""
    if word is Word.FULL:
        return TooManyTokens(wish.policy.max_tokens)
    if wish.text and word is Word.CONFLICT:
        return KeyTaken(wish.owner)
    return _REFUSALS[word](wish.owner)
