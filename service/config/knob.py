"""What a knob is, and the table of the file it stands in; each table itself is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, model_validator
from pydantic_settings import SettingsConfigDict

from service.config.kinds import Flag, Kind, quote

Switch = Annotated[bool, Flag()]


class Clash(ValueError):
    """Knobs that are fine alone and wrong together: (key within the section, what is wrong)."""

    def __init__(self, found: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(text for _, text in found))
        self.found = found


class Section(BaseModel):
    """One table of the file. Its values come in as the file writes them and are kept parsed."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    def clashes(self) -> Iterable[tuple[str, str]]:
        """What is wrong between the knobs of this section."""
        return ()

    def shown(self, name: str) -> str:
        """The value of knob *name* as an error line shows it."""
        kind = kind_of(type(self).model_fields[name].metadata)
        value = getattr(self, name)
        return quote(kind.show(value) if kind else value)

    @model_validator(mode="after")
    def _fits(self) -> Section:
        if found := tuple(self.clashes()):
            raise Clash(found)
        return self

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A section may end up in a traceback or a log line, and some values must not.
        for name, field in type(self).model_fields.items():
            value, kind = getattr(self, name), kind_of(field.metadata)
            yield name, kind.show(value) if kind else value


def kind_of(metadata: Iterable[object]) -> Kind | None:
    """The kind in a field's *metadata*; None for a section within a section."""
    return next((item for item in metadata if isinstance(item, Kind)), None)


def knob(default: object, description: str) -> Any:
    """A field with its *default* in the words of the file."""
    return Field(default=default, description=description)


def retuned(base: type[Section], name: str, default: object) -> Any:
    """The knob *name* of *base* with another default."""
    return knob(default, base.model_fields[name].description or "")
