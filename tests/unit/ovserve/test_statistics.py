"""Counting requests, without a model."""

from collections.abc import Iterator

import pytest

from ovserve.ran import Ran
from ovserve.requests import IN_PROCESS, Door, Operation
from ovserve.serving.histogram import BOUNDS_US, Histogram
from ovserve.serving.statistics import Duration, Outcomes, Statistics

GRPC = Door("KServe", "gRPC")


@pytest.fixture
def statistics() -> Iterator[Statistics]:
    return Statistics()


def test_the_bounds_are_those_of_ovms() -> None:
    assert (len(BOUNDS_US), BOUNDS_US[:5]) == (33, (10, 18, 32, 58, 104))


@pytest.mark.parametrize(("duration_ns", "bucket"), [(0, 0), (10_000, 0), (10_001, 1), (18_000, 1), (10**18, 33)])
def test_a_duration_goes_into_the_first_bucket_whose_bound_it_does_not_exceed(duration_ns: int, bucket: int) -> None:
    histogram = Histogram()
    histogram.add(duration_ns)
    counts = histogram.read().counts
    assert (counts[bucket], sum(counts)) == (1, 1)


def test_nothing_has_happened_yet(statistics: Statistics) -> None:
    found = statistics.read()
    assert (found.inferences, found.executions, found.last_inference_ms) == (0, 0, 0)
    assert found.success == found.fail == found.queue == Duration(0, 0)
    assert found.batches == {}


def test_what_a_request_did_not_run_it_waited(statistics: Statistics) -> None:
    statistics.succeed(100, Ran({}, infer_ns=30, input_ns=20, output_ns=10))
    found = statistics.read()
    stages = (found.success, found.queue, found.compute_input, found.compute_infer, found.compute_output)
    assert [stage.ns for stage in stages] == [100, 40, 20, 30, 10]
    assert {stage.count for stage in stages} == {1}


def test_batches_are_counted_by_size(statistics: Statistics) -> None:
    for size in (1, 3, 3):
        statistics.succeed(9, Ran({}, 5), size)
    found = statistics.read()
    assert (found.inferences, found.executions) == (7, 3)
    assert {size: times.compute_infer for size, times in found.batches.items()} == {
        1: Duration(1, 5),
        3: Duration(2, 10),
    }


def test_the_number_of_batch_sizes_is_bounded(statistics: Statistics) -> None:
    for size in range(5000):
        statistics.succeed(9, Ran({}, 5), size)
    found = statistics.read()
    assert len(found.batches) < 2000
    assert found.executions == 5000


def test_a_failure_is_no_execution(statistics: Statistics) -> None:
    statistics.fail(7)
    assert (statistics.read().fail, statistics.read().executions) == (Duration(1, 7), 0)


def test_each_door_has_its_outcomes(statistics: Statistics) -> None:
    statistics.answer(GRPC, Operation.INFER, 5, good=True)
    statistics.answer(Door("KServe", "gRPC"), Operation.INFER, 5, good=False)
    statistics.answer(IN_PROCESS, Operation.METADATA, 0, good=True)
    found = statistics.read()
    assert found.outcomes == {
        (GRPC, Operation.INFER): Outcomes(1, 1),
        (IN_PROCESS, Operation.METADATA): Outcomes(1, 0),
    }
    assert {interface: buckets.count for interface, buckets in found.total.items()} == {"gRPC": 1}


def test_what_is_forgotten_is_gone(statistics: Statistics) -> None:
    statistics.succeed(9, Ran({}, 5), 2)
    statistics.forget()
    assert statistics.read() == Statistics().read()
