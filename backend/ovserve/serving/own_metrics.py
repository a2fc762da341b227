"""Metrics that Python models make of their own, shown beside the server's."""

import re
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from math import isfinite

from ovserve.errors import InvalidInput, Overloaded
from ovserve.observability.exposition import Family, Sample, histogram

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_RESERVED = ("ovms_", "nv_", "ovserve_")
_MOST = 1000
_MOST_LABELS = 16
_MOST_BUCKETS = 100
_LONGEST = 200
_OPERATIONS = {"counter": ("increment",), "gauge": ("increment", "set"), "histogram": ("observe",)}

_Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Series:
    key: _Key
    kind: str
    description: str
    bounds: tuple[float, ...]
    counts: list[int]
    value: float = 0.0
    holders: int = field(default=0)


class OwnMetrics:
    """Counters, gauges and histograms by name and labels: at most 1000, each as long as somebody holds it."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._held: dict[int, _Series] = {}
        self._series: dict[_Key, _Series] = {}
        # Taken again by the same thread where a garbage collection drops a metric.
        self._lock = threading.RLock()

    def make(self, name: str, kind: str, description: str, labels: Mapping[str, str], buckets: Sequence[float]) -> int:
        """Make a metric, or find the same one; raises `InvalidInput`, and `Overloaded` where there are too many."""
        made = _checked(name, kind, description, labels, buckets)
        with self._lock:
            other = next((each.kind for each in self._series.values() if each.key[0] == name), kind)
            if other != kind:
                raise InvalidInput(f"metric '{name}' is a {other} already, expected no {kind} of that name")
            if made.key not in self._series and len(self._series) >= _MOST:
                raise Overloaded(f"metric '{name}': models have {_MOST} metrics already, as many as there may be")
            series = self._series.setdefault(made.key, made)
            series.holders += 1
            number = next(self._numbers)
            self._held[number] = series
            return number

    def change(self, metric: int, operation: str, value: float) -> None:
        """Do `increment`, `set` or `observe`; raises `InvalidInput`."""
        series = self._find(metric)
        name = series.key[0]
        if operation not in _OPERATIONS[series.kind]:
            raise InvalidInput(f"metric '{name}' is a {series.kind}, which cannot {operation}")
        if not isfinite(value) or (series.kind == "counter" and value < 0):
            expected = "a number from 0 on" if series.kind == "counter" else "a finite number"
            raise InvalidInput(f"metric '{name}': {operation} expects {expected}, got {value}")
        with self._lock:
            series.value = value if operation == "set" else series.value + value
            if series.kind == "histogram":
                series.counts[bisect_left(series.bounds, value)] += 1

    def read(self, metric: int) -> float:
        series = self._find(metric)
        if series.kind == "histogram":
            raise InvalidInput(f"metric '{series.key[0]}' is a histogram, which has no single value")
        return series.value

    def drop(self, metric: int) -> None:
        with self._lock:
            series = self._held.pop(metric, None)
            if series is None:
                return
            series.holders -= 1
            if series.holders == 0:
                self._series.pop(series.key, None)

    def families(self) -> list[Family]:
        """Read all, by name."""
        with self._lock:
            found = sorted(self._series.values(), key=lambda series: series.key)
            families: dict[str, Family] = {}
            for series in found:
                name = series.key[0]
                before = families.get(name, Family(name, series.kind, series.description, ()))
                families[name] = replace(before, samples=[*before.samples, *_samples(series)])
            return list(families.values())

    def _find(self, metric: int) -> _Series:
        try:
            return self._held[metric]
        except KeyError:
            raise InvalidInput(f"there is no metric {metric}") from None


def _samples(series: _Series) -> list[Sample]:
    labels = dict(series.key[1])
    if series.kind == "histogram":
        return histogram(labels, series.bounds, series.counts, series.value)
    return [Sample(labels, series.value)]


def _checked(name: str, kind: str, description: str, labels: Mapping[str, str], buckets: Sequence[float]) -> _Series:
    label = f"metric '{name:.80}'"
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise InvalidInput(f"{label}: expected letters, digits and _, and none of {', '.join(_RESERVED)} before it")
    if len(labels) > _MOST_LABELS:
        raise InvalidInput(f"{label} has {len(labels)} labels, expected at most {_MOST_LABELS}")
    for key, value in labels.items():
        if not _LABEL.fullmatch(str(key)) or key == "le" or len(str(value)) > _LONGEST:
            raise InvalidInput(f"{label}: label '{key!s:.80}' expects a name of letters and digits, and a short text")
    bounds = tuple(map(float, buckets))
    if (kind == "histogram") != bool(bounds) or len(bounds) > _MOST_BUCKETS:
        raise InvalidInput(f"{label}: a histogram expects 1 to {_MOST_BUCKETS} buckets, others none, got {len(bounds)}")
    if not all(map(isfinite, bounds)) or any(low >= high for low, high in pairwise(bounds)):
        raise InvalidInput(f"{label}: expected buckets that rise, got {list(bounds)}")
    named = tuple(sorted((str(each), str(value)) for each, value in labels.items()))
    return _Series((name, named), kind, " ".join(description[:_LONGEST].split()), bounds, [0] * (len(bounds) + 1))
