"""Which of a model's versions are served: `model_version_policy` (spec D, N.6) <-> policies. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

_FORMS = 'one of {"latest": {"num_versions": 2}}, {"all": {}} and {"specific": {"versions": [1, 3]}}'


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `num_versions` versions."""

    num_versions: int = 1

    def select(self, available: Iterable[int]) -> list[int]:
        """Pick from `available`, highest first."""
        return _highest_first(available)[: self.num_versions]


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def select(self, available: Iterable[int]) -> list[int]:
        """Pick from `available`, highest first."""
        return _highest_first(available)


@dataclass(frozen=True, slots=True)
class Specific:
    """The versions named, as far as they exist."""

    versions: frozenset[int]

    def select(self, available: Iterable[int]) -> list[int]:
        """Pick from `available`, highest first."""
        return _highest_first(self.versions.intersection(available))


VersionPolicy: TypeAlias = Latest | All | Specific


def parse_version_policy(text: str) -> VersionPolicy:
    """Read a policy as OVMS writes it in JSON; raises `ValueError`."""
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"'{text}' is not a version policy: expected {_FORMS}; it is not JSON: {error}") from error
    match document:
        case {"latest": {**options}} if len(document) == 1 and options.keys() <= {"num_versions"}:
            return Latest(_number(options.get("num_versions", 1), "num_versions"))
        case {"all": {**options}} if len(document) == 1 and not options:
            return All()
        case {"specific": {"versions": [*versions], **others}} if len(document) == 1 and not others:
            return Specific(frozenset(_number(version, "each of versions") for version in versions))
        case _:
            raise ValueError(f"'{text}' is not a version policy: expected {_FORMS}")


def show_version_policy(policy: VersionPolicy) -> str:
    """Write what `parse_version_policy` reads."""
    match policy:
        case Latest(num_versions):
            return json.dumps({"latest": {"num_versions": num_versions}})
        case Specific(versions):
            return json.dumps({"specific": {"versions": sorted(versions)}})
        case All():
            return json.dumps({"all": {}})


def _highest_first(versions: Iterable[int]) -> list[int]:
    return sorted(set(versions), reverse=True)


def _number(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{what} must be a whole number from 1, got {json.dumps(value)}")
    return value


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a version policy names a key twice")
    return values
