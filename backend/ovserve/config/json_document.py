"""A JSON text -> values, with the place of whatever is wrong. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

_MOST_SHOWN = 80


class _Object(dict[str, Any]):
    """An object that remembers which keys it was given twice."""

    twice: tuple[str, ...] = ()


def parse_document(text: str) -> Any:
    """Read JSON in which no object names a key twice; raises `ValueError` with the place, in one sentence."""
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
        duplicate = next(_duplicates(document, ()), None)
        json.dumps(document, ensure_ascii=False).encode()  # which shows whether every text is one
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise ValueError("it is not JSON: a text in it has half a character (a lone surrogate)") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if duplicate is not None:
        raise ValueError(f"{show_place(duplicate)}: the key stands twice in its object")
    return document


def show_place(place: Sequence[str | int]) -> str:
    """Write `('models', 2, 'name')` as `models[2].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def show_value(value: Any) -> str:
    """Write a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    values = _Object(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        values.twice = tuple(name for name in values if names.count(name) > 1)
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it is not JSON: {name} is no number of JSON")


def _duplicates(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, _Object):
        for name in value.twice:
            yield (*place, name)
        for name, part in value.items():
            yield from _duplicates(part, (*place, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _duplicates(part, (*place, index))
