"""Settings dataclasses as nested tables of plain values, and back."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from tumorscan.errors import SettingsError

T = TypeVar("T")


def to_table(settings: Any) -> dict[str, Any]:
    """A settings dataclass as nested tables of plain values."""
    return dataclasses.asdict(settings)


def from_table(kind: type[T], table: Mapping[str, Any], where: str = "") -> T:
    """A settings dataclass from nested tables; what is absent keeps its default.

    Raises:
        SettingsError: an unknown key (named with its place), or a value of the wrong kind.
    """
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}{key}"
        if key not in known:
            raise SettingsError(f"unknown setting {place!r}: known here are {', '.join(sorted(known))}")
        values[key] = _convert(hints[key], value, place)
    try:
        return kind(**values)
    except TypeError as error:
        raise SettingsError(f"settings {where.rstrip('.') or kind.__name__!r}: {error}") from error


def _convert(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SettingsError(f"setting {place!r} is a table, not {value!r}")
        return from_table(hint, value, f"{place}.")  # type: ignore[arg-type]
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise SettingsError(
                f"setting {place!r} is {value!r}: choose one of {', '.join(map(str, get_args(hint)))}"
            )
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SettingsError(f"setting {place!r} is {value!r}: it must be of kind {hint.__name__}")
    return value


def value_of(text: str) -> Any:
    """As TOML reads it; what TOML cannot read is a word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables merged; what stands above wins."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = laid_over(under, value) if both else value  # type: ignore[arg-type]
    return merged
