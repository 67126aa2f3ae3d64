"""What a client may say of a token, and the checks of it. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from service.core.secret import fault_of_key
from service.dialects.nautobot import texts
from service.dialects.nautobot.shape import DESCRIPTION_LENGTH, KEY_LENGTH, uuid_of
from service.wire.rest.data import FormData
from service.wire.rest.fields import (
    KEY_FAULTS,
    NULL,
    Reader,
    Wrong,
    an_object,
    moment,
    text,
    truth,
)

_KEY = text(least=KEY_LENGTH, most=KEY_LENGTH, blank=texts.KEY_BLANK)
_MOMENT = moment(bare_date=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said, None for what was not; *end_ms* 0 is "never"."""

    end_ms: int | None = None
    write: bool | None = None
    description: str | None = None
    key: str | None = None


def said(data: object, *, current: str | None = None, choose: bool = True) -> Said:
    """What *data*, a JSON object or a form, says of a token. Invalid.

    *current* is the key that the token has already; a new token has none, and then *choose* is
    whether its key may be chosen.
    """
    fields = an_object(data)
    reader = Reader(fields)
    end = _end_of_form if isinstance(fields, FormData) else _end
    made = Said(
        end_ms=reader.take("expires", end, None),
        write=reader.take("write_enabled", truth, None),
        description=reader.take("description", text(most=DESCRIPTION_LENGTH), None),
        key=reader.take("key", _KEY, None),
    )
    if made.key is not None:
        _check_key(reader, made.key, current, choose=choose)
    reader.done()
    return made


def _check_key(reader: Reader, key: str, current: str | None, *, choose: bool) -> None:
    if current is not None:
        if key != current:
            reader.wrong("key", texts.KEY_STAYS)
    elif not choose:
        reader.wrong("key", texts.KEY_NOT_CHOSEN)
    elif fault := fault_of_key(key):
        reader.wrong("key", KEY_FAULTS[fault])


def _end(value: object) -> int:
    return 0 if value is None else _MOMENT(value)


def _end_of_form(value: object) -> int:
    """A form has no null; an empty field stands for it."""
    return _end(value or None)


def an_id(value: object) -> uuid.UUID:
    """A token's id. Wrong."""
    if value is None:
        raise Wrong(NULL)
    found = uuid_of(value) if isinstance(value, str) else None
    if found is None:
        raise Wrong(texts.BAD_UUID)
    return found
