"""Counts of several processes added up."""

from ovserve.ran import Ran
from ovserve.requests import Door, Operation
from ovserve.serving.readings import Reading, total
from ovserve.serving.statistics import Outcomes, Statistics

KSERVE, REST = Door("KServe", "gRPC"), Door("KServe", "REST")


def test_counts_of_two_are_those_of_one_that_counted_everything() -> None:
    whole, parts = Statistics(), (Statistics(), Statistics())
    for number in range(1, 7):
        for one in (whole, parts[number % 2]):
            one.succeed(1000 * number, Ran({}, 100 * number, 10, 20), number)
            one.fail(number)
            one.answer(KSERVE if number % 3 else REST, Operation.INFER, 2000 * number, good=number != 2)
    added = total([Reading(part.read()) for part in parts]).counts
    expected = whole.read()
    assert added.last_inference_ms == max(part.read().last_inference_ms for part in parts)
    assert {name: getattr(added, name) for name in added.__slots__ if name != "last_inference_ms"} == {
        name: getattr(expected, name) for name in added.__slots__ if name != "last_inference_ms"
    }
    assert added.outcomes[KSERVE, Operation.INFER] == Outcomes(3, 1)
    assert list(added.batches) == [1, 2, 3, 4, 5, 6]


def test_gauges_are_added_up() -> None:
    none = Statistics().read()
    added = total([Reading(none, 1, 2, 3, 4), Reading(none, 10, 20, 30, 40), Reading(none)])
    assert (added.in_flight, added.running, added.slots, added.streams) == (11, 22, 33, 44)
