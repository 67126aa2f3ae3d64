"""Where values come from: the file, over it the environment, over both the command line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from service.config.hidden import resolve
from service.config.kinds import Kind, quote
from service.config.knob import Clash, kind_of
from service.config.sections import Config
from service.errors import ConfigError

PREFIX = "TOKENHOUSE_"
FILE_VARIABLE = "TOKENHOUSE_CONFIG"
DEFAULT_FILE = "./tokenhouse.toml"

_SERVICE_LINKS = re.compile(
    r"TOKENHOUSE_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)


@dataclass(frozen=True)
class Knob:
    """One setting, as the manual and ``config show`` speak of it."""

    key: str
    kind: Kind
    default: Any
    description: str

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.key.upper().replace(".", "__")


@dataclass
class Layer:
    """What one place says: values by key, where each stands, and what could not be understood."""

    values: dict[str, object] = field(default_factory=dict, repr=False)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, key: str, value: object, origin: str) -> None:
        """Take *value* for *key*, or note that there is no such key."""
        if key in knobs():
            self.values[key] = value
            self.origins[key] = origin
        else:
            self.faults.append(f"{_unknown(key)} (from {origin})")

    def cover(self, upper: Layer) -> None:
        """Let *upper* win over what is here."""
        self.values |= upper.values
        self.origins |= upper.origins
        self.faults += upper.faults


@cache
def knobs() -> dict[str, Knob]:
    """Every setting by its dotted key, in the order of the manual."""
    return {knob.key: knob for knob in _walk(Config, "")}


def load(
    path: str | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """The config of file *path*, *env* and the command line's *overrides* (dotted keys).

    An override of None counts as not given. ConfigError has one line for each fault.
    """
    return trace(path, env, overrides)[0]


def trace(
    path: str | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> tuple[Config, dict[str, str]]:
    """As ``load``, and where the value of each key comes from."""
    env = os.environ if env is None else env
    given = Layer()
    given.cover(_file_layer(path, env))
    given.cover(_environment_layer(env))
    given.cover(_override_layer(overrides or {}))
    config = _build(given, env)
    if config is None or given.faults:
        raise ConfigError("\n".join(given.faults))
    return config, {key: given.origins.get(key, "default") for key in knobs()}


def config_file(path: str | None = None, env: Mapping[str, str] | None = None) -> str | None:
    """The file that ``load`` would read; None when there is none."""
    named = path or (os.environ if env is None else env).get(FILE_VARIABLE)
    return named or (DEFAULT_FILE if Path(DEFAULT_FILE).exists() else None)


def _walk(section: type[BaseModel], prefix: str) -> Iterator[Knob]:
    for name, info in section.model_fields.items():
        kind = kind_of(info.metadata)
        if kind is not None:
            yield Knob(prefix + name, kind, info.default, info.description or "")
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _walk(info.annotation, f"{prefix}{name}.")


def _file_layer(path: str | None, env: Mapping[str, str]) -> Layer:
    layer = Layer()
    file = config_file(path, env)
    if file is not None:
        for key, value in _flat(_read(file), ""):
            layer.add(key, value, file)
    return layer


def _read(file: str) -> dict[str, object]:
    """The tables of *file*. The causes are not chained: they may quote a secret."""
    try:
        return tomllib.loads(Path(file).read_bytes().decode())
    except OSError as error:
        reason = error.strerror or "not a file"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = f"it is not TOML: {quote(str(error))}"
    raise ConfigError(f"config file {file} cannot be read: {reason}")


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    """The dotted keys of *table*; an unknown section is named once, and also when it is empty."""
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, dict) and any(known.startswith(f"{key}.") for known in knobs()):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _environment_layer(env: Mapping[str, str]) -> Layer:
    layer = Layer()
    keys = {knob.env: knob.key for knob in knobs().values()}
    for name, value in env.items():
        if name in keys:
            layer.add(keys[name], value, name)
        elif name.startswith(PREFIX) and name != FILE_VARIABLE and not _linked(name, value, env):
            near = get_close_matches(name, keys, 1, 0.8)
            layer.faults.append(f"{_printable(name)}: no such setting{_meant(near)}")
    return layer


def _linked(name: str, value: str, env: Mapping[str, str]) -> bool:
    """Whether Kubernetes put *name* there, as it does in every pod near a service of our name."""
    if "KUBERNETES_SERVICE_HOST" not in env or not _SERVICE_LINKS.fullmatch(name):
        return False
    return name != "TOKENHOUSE_PORT" or "://" in value


def _override_layer(overrides: Mapping[str, object]) -> Layer:
    layer = Layer()
    for key, value in overrides.items():
        if value is not None:
            layer.add(key, value, "command line")
    return layer


def _unknown(key: str) -> str:
    if any(known.startswith(f"{key}.") for known in knobs()):
        return f"{key}: this is a section, not a setting"
    return f"{_printable(key)}: no such setting{_meant(get_close_matches(key, knobs(), 1, 0.8))}"


def _meant(near: list[str]) -> str:
    return f"; did you mean {near[0]}?" if near else ""


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def _build(given: Layer, env: Mapping[str, str]) -> Config | None:
    """The config of *given*; None with the faults noted."""
    values = dict(given.values)
    if "secret.keys" in values:
        values["secret.keys"] = resolve(values["secret.keys"], env)
    try:
        return Config(**_nested(values))
    except ValidationError as error:
        given.faults += _explained(error, given.origins)
        return None


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return tree


def _explained(error: ValidationError, origins: Mapping[str, str]) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"])
        cause = item.get("ctx", {}).get("error")
        for name, text in (
            cause.found if isinstance(cause, Clash) else (("", cause or item["msg"]),)
        ):
            full = ".".join(part for part in (key, name) if part)
            yield f"{full}: {text} (from {origins.get(full, 'default')})"
