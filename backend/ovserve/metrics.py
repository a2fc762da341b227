"""The counts of all versions that serve, as OVMS's metrics and Triton's (spec H, K.4)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ovserve.config.metrics import ON_DEMAND, SHOWN
from ovserve.observability.exposition import Family, Sample, histogram, write
from ovserve.requests import Door, Operation
from ovserve.security.keys import Right
from ovserve.security.refusals import REASONS, Refusal
from ovserve.serving import readings
from ovserve.serving.histogram import BOUNDS_US, Buckets
from ovserve.serving.registry import Registry
from ovserve.serving.sequences import KeepsSequences
from ovserve.serving.servable import Servable
from ovserve.serving.statistics import Outcomes, Snapshot

_US = 1000  # nanoseconds

_METHODS = {
    "KServe": {Operation.INFER: "ModelInfer", Operation.METADATA: "ModelMetadata", Operation.READY: "ModelReady"},
    "TensorFlowServing": {
        Operation.INFER: "Predict",
        Operation.METADATA: "GetModelMetadata",
        Operation.READY: "GetModelStatus",
    },
}
_INTERFACES = ("gRPC", "REST")


@dataclass(frozen=True, slots=True)
class _Version:
    labels: dict[str, str]
    servable: Servable
    reading: readings.Reading

    @property
    def counts(self) -> Snapshot:
        return self.reading.counts

    @property
    def is_model(self) -> bool:
        return self.servable.config.pipeline is None


class Counted(Protocol):
    """Counts of all processes that serve; `reading` brings the others up to date."""

    def reading(self) -> readings.Read: ...

    def refusals(self) -> Mapping[Refusal, int] | None:
        """Count whom keys kept out; None where there are no keys."""
        ...

    def own(self) -> Sequence[Family]:
        """Read the metrics that models made of their own."""
        ...


class Metrics:
    """Reads what the versions count when it is asked; counts of a version that goes go with it.

    `counted` is what is counted in all processes that serve.
    """

    def __init__(
        self,
        registry: Registry,
        counted: Counted,
        families: Collection[str] = SHOWN,
        *,
        triton: bool = False,
    ) -> None:
        self._registry = registry
        self._families = families
        self._triton = triton
        self._counted = counted

    def text(self) -> str:
        read = self._counted.reading()
        refusals = self._counted.refusals()
        versions = [
            _Version({"name": name, "version": str(number)}, servable, read(servable))
            for name, entry in sorted(self._registry.entries.items())
            for number, servable in sorted(entry.available.items())
        ]
        shown = [_OVMS[name](name, versions) for name in (*SHOWN, *ON_DEMAND) if name in self._families]
        ours = [*_sequences(versions), *([] if refusals is None else [_refused(refusals)])]
        ours += self._counted.own()
        return write([*shown, *(_triton(versions) if self._triton else ()), *ours])


_Collect = Callable[[str, list[_Version]], Family]


def _requests(description: str, pick: Callable[[Outcomes], int]) -> _Collect:
    def collect(name: str, versions: list[_Version]) -> Family:
        samples = [
            Sample(labels, pick(version.counts.outcomes.get((door, operation), Outcomes())))
            for version in versions
            for door, operation, labels in _doors(version)
        ]
        return Family(name, "counter", description, samples)

    return collect


def _doors(version: _Version) -> Iterator[tuple[Door, Operation, dict[str, str]]]:
    """Go through all that can be asked, asked or not: a counter that appears with its first count is missed."""
    for api, methods in _METHODS.items():
        for interface in _INTERFACES:
            for operation, method in methods.items():
                labels = {"api": api, "interface": interface, "method": method, **version.labels}
                if operation is Operation.READY:
                    del labels["version"]  # as OVMS
                yield Door(api, interface), operation, labels


def _request_time(name: str, versions: list[_Version]) -> Family:
    none = Buckets((0,) * (len(BOUNDS_US) + 1), 0)
    samples = [
        sample
        for version in versions
        for interface in _INTERFACES
        for sample in _times({"interface": interface, **version.labels}, version.counts.total.get(interface, none))
    ]
    return Family(name, "histogram", "Time from a request's arrival to its answer, in microseconds.", samples)


def _model_times(description: str, pick: Callable[[Snapshot], Buckets]) -> _Collect:
    def collect(name: str, versions: list[_Version]) -> Family:
        models = [version for version in versions if version.is_model]
        samples = [sample for version in models for sample in _times(version.labels, pick(version.counts))]
        return Family(name, "histogram", description, samples)

    return collect


def _times(labels: dict[str, str], found: Buckets) -> list[Sample]:
    return histogram(labels, BOUNDS_US, found.counts, found.total_ns / _US)


def _gauge(description: str, pick: Callable[[readings.Reading], int]) -> _Collect:
    def collect(name: str, versions: list[_Version]) -> Family:
        samples = [Sample(version.labels, pick(version.reading)) for version in versions if version.is_model]
        return Family(name, "gauge", description, samples)

    return collect


_OVMS: dict[str, _Collect] = {
    "ovms_requests_success": _requests("Requests that were answered.", lambda counts: counts.success),
    "ovms_requests_fail": _requests("Requests that got an error.", lambda counts: counts.fail),
    "ovms_request_time_us": _request_time,
    "ovms_inference_time_us": _model_times(
        "Time that the model itself took, in microseconds.", lambda counts: counts.inference
    ),
    "ovms_wait_for_infer_req_time_us": _model_times(
        "Time that requests waited for their turn, in microseconds.", lambda counts: counts.waiting
    ),
    "ovms_streams": _gauge("OpenVINO's streams.", lambda now: now.streams),
    "ovms_current_requests": _gauge("Requests inside, running or waiting.", lambda now: now.in_flight),
    "ovms_infer_req_queue_size": _gauge("Requests that can run at once.", lambda now: now.slots),
    "ovms_infer_req_active": _gauge("Requests that run now.", lambda now: now.running),
}


def _refused(counts: Mapping[Refusal, int]) -> Family:
    """Show whom keys kept out: not by model, whose name such a client makes up."""
    kinds = [
        Refusal(interface, right.value, reason) for interface in _INTERFACES for right in Right for reason in REASONS
    ]
    samples = [
        Sample({"interface": kind.interface, "right": kind.right, "reason": kind.reason.name}, counts.get(kind, 0))
        for kind in kinds
    ]
    return Family("ovserve_requests_refused", "counter", "Requests refused for their key.", samples)


def _sequences(versions: list[_Version]) -> Iterator[Family]:
    """Tell of what neither OVMS nor Triton has a name for, where there is any."""
    samples = [
        Sample(version.labels, version.servable.sequences.active)
        for version in versions
        if isinstance(version.servable, KeepsSequences)
    ]
    if samples:
        yield Family("ovserve_sequences_active", "gauge", "Sequences that have begun and not ended.", samples)


_Count = Callable[[Snapshot], int]


def _triton(versions: list[_Version]) -> Iterator[Family]:
    counters: tuple[tuple[str, str, _Count], ...] = (
        ("request_success", "Requests that were answered.", lambda counts: counts.success.count),
        ("request_failure", "Requests that the model failed on.", lambda counts: counts.fail.count),
        ("count", "Inferences, each of a batch by itself.", lambda counts: counts.inferences),
        ("exec_count", "Runs of the model.", lambda counts: counts.executions),
        ("request_duration_us", "Time of requests answered.", lambda counts: counts.success.ns // _US),
        ("queue_duration_us", "Time that requests waited.", lambda counts: counts.queue.ns // _US),
        ("compute_input_duration_us", "Time of bringing in inputs.", lambda counts: counts.compute_input.ns // _US),
        ("compute_infer_duration_us", "Time of the model itself.", lambda counts: counts.compute_infer.ns // _US),
        ("compute_output_duration_us", "Time of taking out outputs.", lambda counts: counts.compute_output.ns // _US),
    )
    for name, description, pick in counters:
        reason = {"reason": "BACKEND"} if name == "request_failure" else {}
        samples = [Sample({**_triton_labels(version), **reason}, pick(version.counts)) for version in versions]
        yield Family(f"nv_inference_{name}", "counter", description, samples)
    waiting = [
        Sample(_triton_labels(version), max(0, version.reading.in_flight - version.reading.running))
        for version in versions
    ]
    yield Family("nv_inference_pending_request_count", "gauge", "Requests that wait for their turn.", waiting)


def _triton_labels(version: _Version) -> dict[str, str]:
    return {"model": version.labels["name"], "version": version.labels["version"]}
