"""Frozen values of ours -> JSON, and back. Pure.

Only what is named here is ever made: a letter cannot bring anything else to life.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from pydantic import BaseModel

from ovserve import errors, ran, requests, tensors
from ovserve.config import (
    declared,
    dynamic_batching,
    layouts,
    model,
    pipeline,
    preprocessing,
    settings,
    shapes,
    version_policy,
)
from ovserve.engine import core_budget
from ovserve.observability import exposition
from ovserve.security import refusals
from ovserve.seeing import outcome
from ovserve.serving import histogram, readings, registry, statistics
from ovserve.workers.letters import counts, described

Json: TypeAlias = Any

_MODULES = (
    core_budget,
    counts,
    declared,
    described,
    dynamic_batching,
    layouts,
    model,
    pipeline,
    preprocessing,
    settings,
    shapes,
    version_policy,
    errors,
    exposition,
    histogram,
    outcome,
    ran,
    readings,
    refusals,
    registry,
    requests,
    statistics,
    tensors,
)
_KIND, _OF, _SET = "$", "of", "set"


def _kinds(module: ModuleType) -> Iterator[tuple[str, type]]:
    for name, kind in vars(module).items():
        if not isinstance(kind, type) or kind.__module__ != module.__name__:
            continue
        if dataclasses.is_dataclass(kind) or issubclass(kind, Enum | BaseModel) or _is_named_tuple(kind):
            yield f"{module.__name__.removeprefix('ovserve.')}.{name}", kind


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


_KINDS: Mapping[str, type] = dict(pair for module in _MODULES for pair in _kinds(module))
_NAMES: Mapping[type, str] = {kind: name for name, kind in _KINDS.items()}


def write(value: Any) -> Json:  # noqa: PLR0911 - one for each kind
    """Write a value; raises `TypeError` for what no letter may hold."""
    if isinstance(value, Enum):
        return {_KIND: _NAMES[type(value)], _OF: value.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if type(value) in _NAMES:
        return _write_fields(value)
    if isinstance(value, tuple):
        return [write(each) for each in value]
    if isinstance(value, list):
        return {_KIND: "list", _OF: [write(each) for each in value]}
    if isinstance(value, frozenset | set):
        return {_KIND: "set", _OF: [write(each) for each in value]}
    if isinstance(value, Path):
        return {_KIND: "path", _OF: str(value)}
    if isinstance(value, Mapping):
        return {_KIND: "map", _OF: [[write(key), write(each)] for key, each in value.items()]}
    raise TypeError(f"{type(value).__name__} is nothing that goes into a letter")


def _write_fields(value: Any) -> Json:
    if isinstance(value, BaseModel):
        fields = {name: write(getattr(value, name)) for name in type(value).model_fields}
        return {_KIND: _NAMES[type(value)], _OF: fields, _SET: sorted(value.model_fields_set)}
    names = getattr(value, "_fields", None) or [each.name for each in dataclasses.fields(value)]
    return {_KIND: _NAMES[type(value)], _OF: {name: write(getattr(value, name)) for name in names}}


def read(written: Json) -> Any:  # noqa: PLR0911 - likewise
    """Read what `write` wrote; raises `LookupError`, `TypeError` or `ValueError` for anything else."""
    if isinstance(written, list):
        return tuple(read(each) for each in written)
    if not isinstance(written, dict):
        return written
    of = written[_OF]
    match written[_KIND]:
        case "list":
            return [read(each) for each in of]
        case "set":
            return frozenset(read(each) for each in of)
        case "path":
            return Path(of)
        case "map":
            return {read(key): read(each) for key, each in of}
        case name:
            return _read_kind(_KINDS[name], of, written)


def _read_kind(kind: Any, of: Any, written: Json) -> Any:
    if issubclass(kind, Enum):
        return kind[of]
    fields = {name: read(each) for name, each in of.items()}
    if issubclass(kind, BaseModel):  # it was checked where it was made, from texts that are values by now
        return kind.model_construct(set(written[_SET]), **fields)
    return kind(**fields)
