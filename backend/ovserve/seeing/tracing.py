"""Triton's tracing: a log line on each request that is traced, with where its time went.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_trace.md
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ovserve.errors import InvalidInput, Unsupported
from ovserve.observability.logs import get_logger
from ovserve.seeing.outcome import OK, Outcome

# A setting's values by its name; none at all puts it back to the default.
Changes: TypeAlias = Mapping[str, Sequence[str]]

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_UNLIMITED = -1
_US = 1000  # nanoseconds
_FIXED = {
    "log_frequency": ("0", "traces go to the log as they come"),
    "trace_file": ("", "traces go to the log"),
    "trace_mode": ("triton", "OpenTelemetry is chosen at the start, with --otlp_endpoint"),
}

logger = get_logger("ovserve.trace")


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Every `rate`-th request is traced while `is_on`, `count` of them at most (-1: all)."""

    is_on: bool = False
    rate: int = 1000
    count: int = _UNLIMITED

    def shown(self) -> dict[str, str]:
        """Write the settings under Triton's names."""
        return {
            "trace_level": "TIMESTAMPS" if self.is_on else "OFF",
            "trace_rate": str(self.rate),
            "trace_count": str(self.count),
            **{name: value for name, (value, _) in _FIXED.items()},
        }


@dataclass(slots=True)
class _Course:
    """Settings, and how far requests have come under them."""

    settings: TraceSettings
    seen: int = 0
    traced: int = 0
    own: frozenset[str] = field(default_factory=frozenset)  # the settings that a model has for itself

    def takes_next(self) -> bool:
        if not self.settings.is_on or self.traced == self.settings.count:
            return False
        self.seen += 1
        if self.seen % self.settings.rate:
            return False
        self.traced += 1
        return True


class Tracer:
    """Chooses requests and logs them; a model follows the settings of all, but for those that it has itself.

    `changed` is called when settings have changed, with whether anything is traced now.
    """

    def __init__(self, changed: Callable[[bool], None] = lambda _is_on: None) -> None:
        self._changed = changed
        self.is_on = False  # anywhere: all that a request looks at while nothing is traced
        self._all = _Course(TraceSettings())
        self._models: dict[str, _Course] = {}
        self._lock = threading.Lock()

    def settings(self, model: str = "") -> TraceSettings:
        with self._lock:
            return self._models.get(model, self._all).settings

    def change(self, changes: Changes, model: str = "") -> TraceSettings:
        """Change the settings of a model, or of all; raises `InvalidInput` or `Unsupported`, and changes nothing then.

        A count begins anew.
        """
        settings = self._change(changes, model)
        self._changed(self.is_on)
        return settings

    def _change(self, changes: Changes, model: str) -> TraceSettings:
        with self._lock:
            before = self._models.get(model, self._all)
            defaults = self._all.settings if model else TraceSettings()
            settings = before.settings
            for name, values in changes.items():
                settings = _changed(settings, name, values, defaults)
            if not model:
                self._all = _Course(settings)
                for course in self._models.values():
                    course.settings = _followed(course, settings)
            else:
                own = before.own - {name for name, values in changes.items() if not values}
                own |= {name for name, values in changes.items() if values}
                self._models.pop(model, None)
                if own:
                    self._models[model] = _Course(settings, own=own)
            courses = (self._all, *self._models.values())
            self.is_on = any(course.settings.is_on for course in courses)
            return settings

    def trace(self, outcome: Outcome) -> None:
        """Log an answered request, if it is one of those."""
        if outcome.code != OK:
            return
        with self._lock:
            if not self._models.get(outcome.model, self._all).takes_next():
                return
        fields = {"model": outcome.model, "version": outcome.version, "request_id": outcome.request_id}
        times = outcome.times
        if times is not None:
            fields |= {
                "queue_us": times.queue_ns // _US,
                "compute_input_us": times.input_ns // _US,
                "compute_infer_us": times.infer_ns // _US,
                "compute_output_us": times.output_ns // _US,
            }
        logger.info(
            "traced",
            **fields,
            total_us=outcome.total_ns // _US,
            api=outcome.door.api,
            interface=outcome.door.interface,
        )


_FIELDS = {"trace_level": "is_on", "trace_rate": "rate", "trace_count": "count"}


def _followed(course: _Course, general: TraceSettings) -> TraceSettings:
    """Have a model follow the settings of all in what it has none of its own."""
    own = {_FIELDS[name]: getattr(course.settings, _FIELDS[name]) for name in course.own if name in _FIELDS}
    return replace(general, **own)


def _changed(settings: TraceSettings, name: str, values: Sequence[str], defaults: TraceSettings) -> TraceSettings:
    if name in _FIXED:
        fixed, why = _FIXED[name]
        if any(value != fixed for value in values):
            raise Unsupported(f"trace setting '{name}' can only be '{fixed}': {why}")
        return settings
    if name not in _FIELDS:
        raise InvalidInput(f"trace setting '{name[:64]}' is unknown, expected one of {', '.join(settings.shown())}")
    if not values:
        return replace(settings, **{_FIELDS[name]: getattr(defaults, _FIELDS[name])})
    match name:
        case "trace_level":
            return replace(settings, is_on=_is_on(values))
        case "trace_rate":
            return replace(settings, rate=_number(name, values, 1))
    return replace(settings, count=_number(name, values, _UNLIMITED))


def _is_on(values: Sequence[str]) -> bool:
    for value in values:
        if value == "TENSORS":
            raise Unsupported("trace setting 'trace_level' can only be OFF or TIMESTAMPS: tensors are not logged")
        if value not in {"OFF", "TIMESTAMPS"}:
            raise InvalidInput(f"trace setting 'trace_level' expects OFF or TIMESTAMPS, got '{value[:64]}'")
    return "TIMESTAMPS" in values


def _number(name: str, values: Sequence[str], least: int) -> int:
    if len(values) != 1 or not _WHOLE.fullmatch(values[0]) or int(values[0]) < least:
        got = ", ".join(values)[:64]
        raise InvalidInput(f"trace setting '{name}' expects one whole number from {least}, got '{got}'")
    return int(values[0])
