"""What shall be revoked, as a query and a body say it together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.dialects.puppet import texts
from service.dialects.puppet.fields import label
from service.dialects.puppet.refusal import Refused, echo
from service.wire.json import Number

TOKENS = "revoke_tokens"
USERNAMES = "revoke_tokens_by_usernames"
LABELS = "revoke_tokens_by_labels"
IDS = "revoke_tokens_by_ids"
CREDENTIAL = "token"
"""Stands in the query beside them and is none of them."""
MOST = 1000
"""Items that one request may name."""

MALFORMED_TOKENS = "malformed_tokens"
MALFORMED_LABELS = "malformed_labels"
MALFORMED_USERNAMES = "malformed_usernames"
MALFORMED_IDS = "malformed_ids"
NONEXISTENT_USERNAMES = "nonexistent_usernames"
DENIED_USERNAMES = "permission_denied_usernames"
DENIED_IDS = "permission_denied_ids"
UNRECOGNIZED = "unrecognized_parameters"

PARAMETERS: Mapping[str, str] = {
    TOKENS: MALFORMED_TOKENS,
    USERNAMES: MALFORMED_USERNAMES,
    LABELS: MALFORMED_LABELS,
    IDS: MALFORMED_IDS,
}
"""Every parameter, and the array for what cannot be meant by it."""
SENTENCES: Mapping[str, tuple[str, str]] = {
    MALFORMED_TOKENS: (
        "The following token is malformed: {}. "
        "This can be caused by an error while copying and pasting.",
        "The following tokens are malformed: {}. "
        "This can be caused by an error while copying and pasting.",
    ),
    MALFORMED_LABELS: (
        "The following label is malformed: {}.",
        "The following labels are malformed: {}.",
    ),
    MALFORMED_USERNAMES: (
        "The following username is malformed: {}.",
        "The following usernames are malformed: {}.",
    ),
    MALFORMED_IDS: (
        "The following id is malformed, or nobody's: {}.",
        "The following ids are malformed, or nobody's: {}.",
    ),
    NONEXISTENT_USERNAMES: (
        "The following user does not exist: {}.",
        "The following users do not exist: {}.",
    ),
    DENIED_USERNAMES: (
        "You do not have permission to revoke tokens of the following user: {}.",
        "You do not have permission to revoke tokens of the following users: {}.",
    ),
    DENIED_IDS: (
        "You do not have permission to revoke the tokens of the following id: {}.",
        "You do not have permission to revoke the tokens of the following ids: {}.",
    ),
    UNRECOGNIZED: (
        "The following parameter is not recognized: {}.",
        "The following parameters are not recognized: {}.",
    ),
}
"""Every array of the answer, and what is said of one item in it and of several."""
NOTHING = "Nothing was named that could be revoked."
NONE_REVOKED = "No tokens were revoked."
OTHERS_REVOKED = "All other tokens were successfully revoked."
UNFINISHED = "The database failed, so that some of the tokens may not be revoked. Try again."


@dataclass(slots=True)
class Faults:
    """What could not be revoked, by the array it is told in; *revoked* is whether anything was."""

    arrays: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in SENTENCES})
    revoked: bool = False

    def add(self, array: str, item: str) -> None:
        """*item* belongs into *array*."""
        self.arrays[array].append(echo(item))

    @property
    def forbidden(self) -> bool:
        """Whether anything was not permitted."""
        return bool(self.arrays[DENIED_USERNAMES] or self.arrays[DENIED_IDS])

    def __bool__(self) -> bool:
        return any(self.arrays.values())

    @property
    def details(self) -> dict[str, Any]:
        """The arrays, all of them, and the flag."""
        return {**self.arrays, "other_tokens_revoked": self.revoked}

    @property
    def msg(self) -> str:
        """A sentence for each array that is not empty, and one for the rest."""
        said = [
            sentences[len(items) > 1].format(", ".join(items))
            for (name, sentences) in SENTENCES.items()
            if (items := self.arrays[name])
        ]
        return " ".join([*(said or [NOTHING]), OTHERS_REVOKED if self.revoked else NONE_REVOKED])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whatever is named, each once, by parameter; *wrong* is by array what cannot be meant."""

    items: Mapping[str, list[str]]
    wrong: Mapping[str, list[str]]

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]], body: object) -> Wanted:
        """What *query* (pairs, values with commas) and *body* (JSON, arrays) name. Refused."""
        items: dict[str, dict[str, None]] = {name: {} for name in PARAMETERS}
        wrong: dict[str, dict[str, None]] = {name: {} for name in SENTENCES}
        for name, item in [*_in_query(query), *_in_body(body)]:
            (items if name in items else wrong)[name][item] = None
        if sum(map(len, (*items.values(), *wrong.values()))) > MOST:
            raise _bad(f"more than {MOST} tokens, usernames, labels, ids and parameters")
        return cls(
            {name: list(found) for name, found in items.items()},
            {name: list(found) for name, found in wrong.items()},
        )


def _in_query(query: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(parameter or array, item) of everything in *query*; an empty item is none."""
    for name, value in query:
        if name in PARAMETERS:
            yield from ((name, item) for part in value.split(",") if (item := part.strip()))
        elif name != CREDENTIAL:
            yield UNRECOGNIZED, name


def _in_body(body: object) -> Iterator[tuple[str, str]]:
    """The same of *body*; what is no text, or an empty one, cannot be meant."""
    if not isinstance(body, dict):
        raise _bad("the body is not an object")
    for name, value in body.items():
        if name not in PARAMETERS:
            yield UNRECOGNIZED, name
        elif isinstance(value, list):
            for item in value:
                text = item.strip() if isinstance(item, str) else ""
                yield (name, text) if text else (PARAMETERS[name], _spelled(item))
        elif value is not None:
            raise _bad(f"{name} is not an array")


def _spelled(item: object) -> str:
    """How *item*, which is no text or an empty one, is said back."""
    if isinstance(item, str):
        return item
    return item.text if isinstance(item, Number) else "(not a string)"


def _bad(fault: str) -> Refused:
    msg = f"The request cannot be understood: {fault}."
    return Refused(400, texts.MALFORMED, msg, details=Faults().details)


def is_label(value: str) -> bool:
    """Whether a token could bear the label *value*."""
    try:
        return bool(label(value))
    except ValueError:
        return False
