"""Bodies that are lists: one entry for each object, and errors parallel to them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from service.wire.rest.fields import REQUIRED, Wrong, an_object, kind_of
from service.wire.rest.refusal import Invalid

T = TypeVar("T")
K = TypeVar("K")


def each(items: Iterable[Any], check: Callable[[Any], T]) -> list[T]:
    """What *check* makes of each of *items*.

    Invalid when one is wrong: a list as long as *items*, ``{}`` for those that are right.
    """
    made: list[T] = []
    errors: list[Any] = []
    for item in items:
        try:
            made.append(check(item))
            errors.append({})
        except Invalid as invalid:
            errors.append(invalid.body)
    if any(errors):
        raise Invalid(errors)
    return made


def a_list(data: object) -> list[Any]:
    """*data*, which must be a list. Invalid."""
    if isinstance(data, list):
        return data
    kind = "dict" if isinstance(data, dict) else kind_of(data)
    raise Invalid.whole(f'Expected a list of items but got type "{kind}".')


def numbered(data: object, key_of: Callable[[object], K]) -> list[tuple[K, Mapping[str, object]]]:
    """(id, object) of each entry of *data*; *key_of* checks an id and raises Wrong. Invalid."""

    def one(item: Any) -> tuple[K, Mapping[str, object]]:
        found = an_object(item)
        if "id" not in found:
            raise Invalid({"id": [REQUIRED]})
        try:
            return key_of(found["id"]), found
        except Wrong as wrong:
            raise Invalid({"id": wrong.texts}) from None

    return each(a_list(data), one)
