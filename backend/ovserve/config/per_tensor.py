"""A setting that holds for a model's only tensor, or for its tensors by name: `VALUE` or `{name: VALUE, ...}`."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

ValueT = TypeVar("ValueT")

PerTensor: TypeAlias = ValueT | Mapping[str, ValueT]

_COMMA_BETWEEN_ENTRIES = re.compile(r",(?![^(]*\))")


def parse(given: str | Mapping[str, Any], parse_value: Callable[[str], ValueT]) -> PerTensor[ValueT]:
    """Read a value, or an object of values: JSON, or without quotes as in `{a:(1,3),b:auto}`, or a mapping of texts.

    Raises `ValueError` with one sentence.
    """
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        return parse_value(given)
    entries = _entries(given) if isinstance(given, str) else list(given.items())
    if not entries:
        raise ValueError("the object names no tensor")
    values: dict[str, ValueT] = {}
    for name, value in entries:
        if not isinstance(value, str):
            raise ValueError(f"the value of '{name}' must be text, for instance in quotes: {json.dumps(value)}")  # noqa: TRY004 - for pydantic
        if name in values:
            raise ValueError(f"'{name}' is named twice")
        values[name] = parse_value(value)
    return MappingProxyType(values)


def show(value: PerTensor[Any], show_value: Callable[[Any], str]) -> str:
    """Write what `parse` reads."""
    if isinstance(value, Mapping):
        return json.dumps({name: show_value(part) for name, part in value.items()})
    return show_value(value)


def _entries(text: str) -> list[tuple[str, Any]]:
    try:
        return list(json.loads(text, object_pairs_hook=list))
    except json.JSONDecodeError as error:
        inside = text.strip()
        if not inside.endswith("}"):
            raise ValueError(f"'{text}' is an object without an end: {error}") from error
    return [_entry(part) for part in _COMMA_BETWEEN_ENTRIES.split(inside[1:-1]) if inside[1:-1].strip()]


def _entry(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not value.strip():
        raise ValueError(f"'{text.strip()}' is not an entry of an object: expected NAME:VALUE")
    return _unquoted(name), _unquoted(value)


def _unquoted(text: str) -> str:
    stripped = text.strip()
    return stripped[1:-1] if len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "\"'" else stripped
