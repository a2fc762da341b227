"""Metrics of a model's own, as a Python model knows them from `triton_python_backend_utils`."""

import weakref
from collections.abc import Mapping, Sequence
from enum import IntEnum

from ovserve.engine.python_backend.instance import Host
from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.errors import OVServeError


class MetricKind(IntEnum):
    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


class Metric:
    """One time series; it is shown as long as somebody has it."""

    def __init__(self, host: Host, number: int) -> None:
        self._host = host
        self._number = number
        weakref.finalize(self, host.drop_metric, number)

    def increment(self, value: float) -> None:
        self._change("increment", value)

    def set(self, value: float) -> None:
        self._change("set", value)

    def observe(self, value: float) -> None:
        self._change("observe", value)

    def value(self) -> float:
        try:
            return self._host.read_metric(self._number)
        except OVServeError as error:
            raise TritonModelException(str(error)) from error

    def _change(self, operation: str, value: float) -> None:
        try:
            self._host.change_metric(self._number, operation, float(value))
        except OVServeError as error:
            raise TritonModelException(str(error)) from error


class MetricFamily:
    """Metrics of one name; `host` is the class's own, one per model."""

    COUNTER = MetricKind.COUNTER
    GAUGE = MetricKind.GAUGE
    HISTOGRAM = MetricKind.HISTOGRAM

    host: Host

    def __init__(self, name: str, description: str, kind: MetricKind) -> None:
        self._name = str(name)
        self._description = str(description)
        self._kind = MetricKind(kind)

    def Metric(  # noqa: N802 - as in Triton
        self, labels: Mapping[str, str] | None = None, buckets: Sequence[float] | None = None
    ) -> Metric:
        """Make a metric, or find the one with these labels; a histogram needs `buckets`, which rise."""
        try:
            number = self.host.make_metric(
                self._name, self._kind.name.lower(), self._description, dict(labels or {}), list(buckets or ())
            )
        except OVServeError as error:
            raise TritonModelException(str(error)) from error
        return Metric(self.host, number)
