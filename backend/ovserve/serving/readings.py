"""What the versions that are served count, in this process or in several. Pure but for `read`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias, TypeVar

from ovserve.serving.histogram import Buckets
from ovserve.serving.servable import Servable
from ovserve.serving.statistics import BatchTimes, Duration, Outcomes, Snapshot

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts since the version was loaded, and how it stands at this moment."""

    counts: Snapshot
    in_flight: int = 0
    running: int = 0
    slots: int = 0
    streams: int = 0


Read: TypeAlias = Callable[[Servable], Reading]


def read(servable: Servable) -> Reading:
    """Read what this process counts."""
    return Reading(
        servable.statistics.read(), servable.in_flight.count, servable.running, servable.slots, servable.streams
    )


def here() -> Read:
    """Read this process, which is the only one."""
    return read


def total(readings: Sequence[Reading]) -> Reading:
    """Add up what several processes count of the same version; at least one."""
    return Reading(
        reduce(_added, (reading.counts for reading in readings)),
        sum(reading.in_flight for reading in readings),
        sum(reading.running for reading in readings),
        sum(reading.slots for reading in readings),
        sum(reading.streams for reading in readings),
    )


def _added(one: Snapshot, other: Snapshot) -> Snapshot:
    return Snapshot(
        inferences=one.inferences + other.inferences,
        executions=one.executions + other.executions,
        last_inference_ms=max(one.last_inference_ms, other.last_inference_ms),
        success=_longer(one.success, other.success),
        fail=_longer(one.fail, other.fail),
        queue=_longer(one.queue, other.queue),
        compute_input=_longer(one.compute_input, other.compute_input),
        compute_infer=_longer(one.compute_infer, other.compute_infer),
        compute_output=_longer(one.compute_output, other.compute_output),
        batches=dict(sorted(_joined(one.batches, other.batches, _batch).items())),
        inference=_fuller(one.inference, other.inference),
        waiting=_fuller(one.waiting, other.waiting),
        total=_joined(one.total, other.total, _fuller),
        outcomes=_joined(one.outcomes, other.outcomes, _outcomes),
    )


def _longer(one: Duration, other: Duration) -> Duration:
    return Duration(one.count + other.count, one.ns + other.ns)


def _batch(one: BatchTimes, other: BatchTimes) -> BatchTimes:
    return BatchTimes(
        _longer(one.compute_input, other.compute_input),
        _longer(one.compute_infer, other.compute_infer),
        _longer(one.compute_output, other.compute_output),
    )


def _fuller(one: Buckets, other: Buckets) -> Buckets:
    return Buckets(tuple(map(sum, zip(one.counts, other.counts, strict=True))), one.total_ns + other.total_ns)


def _outcomes(one: Outcomes, other: Outcomes) -> Outcomes:
    return Outcomes(one.success + other.success, one.fail + other.fail)


def _joined(
    one: Mapping[KeyT, ValueT], other: Mapping[KeyT, ValueT], join: Callable[[ValueT, ValueT], ValueT]
) -> dict[KeyT, ValueT]:
    both: dict[Any, Any] = dict(one)
    for key, value in other.items():
        both[key] = join(both[key], value) if key in both else value
    return both
