"""Metrics that Python models make of their own."""

import pytest

from ovserve.errors import InvalidInput, Overloaded
from ovserve.observability.exposition import write
from ovserve.serving.own_metrics import OwnMetrics


def make(
    own: OwnMetrics, name: str = "seen", kind: str = "counter", buckets: tuple[float, ...] = (), **labels: str
) -> int:
    return own.make(name, kind, "What was\nseen.", labels, buckets)


def test_all_kinds_are_shown() -> None:
    own = OwnMetrics()
    own.change(make(own, model="a"), "increment", 2)
    own.change(make(own, model='b"'), "increment", 0.5)
    gauge = make(own, "level", "gauge")
    own.change(gauge, "set", -3)
    own.change(gauge, "increment", 1)
    times = make(own, "times", "histogram", (1, 2.5))
    for value in (0.5, 1, 2, 7):
        own.change(times, "observe", value)
    assert write(own.families()).splitlines() == [
        "# HELP level What was seen.",
        "# TYPE level gauge",
        "level -2",
        "# HELP seen What was seen.",
        "# TYPE seen counter",
        'seen{model="a"} 2.0',
        'seen{model="b\\""} 0.5',
        "# HELP times What was seen.",
        "# TYPE times histogram",
        'times_bucket{le="1.0"} 2',
        'times_bucket{le="2.5"} 3',
        'times_bucket{le="+Inf"} 4',
        "times_sum 10.5",
        "times_count 4",
    ]
    assert own.read(gauge) == -2


def test_one_is_shared_until_the_last_lets_go() -> None:
    own = OwnMetrics()
    first, second = make(own, a="1"), make(own, a="1")
    own.change(first, "increment", 1)
    own.change(second, "increment", 1)
    own.drop(first)
    own.drop(first)
    assert own.read(second) == 2
    own.drop(second)
    assert own.families() == []
    with pytest.raises(InvalidInput, match=f"there is no metric {second}"):
        own.read(second)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ovms_x", "nv_x", "ovserve_x", "a" * 300, "a\n"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="expected letters, digits and _"):
        make(OwnMetrics(), name)


@pytest.mark.parametrize("labels", [{"__a": "b"}, {"le": "1"}, {"a-b": "c"}, {"a": "b" * 300}])
def test_labels_that_cannot_be_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="expects a name of letters and digits"):
        make(OwnMetrics(), **labels)


@pytest.mark.parametrize(
    ("kind", "buckets"),
    [("histogram", ()), ("counter", (1,)), ("histogram", (2, 1)), ("histogram", (1, float("inf")))],
)
def test_buckets_are_for_histograms_and_rise(kind: str, buckets: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="buckets"):
        make(OwnMetrics(), "m", kind, buckets)


@pytest.mark.parametrize(
    ("kind", "operation", "value"),
    [("counter", "increment", -1), ("counter", "set", 1), ("gauge", "observe", 1), ("gauge", "set", float("nan"))],
)
def test_what_cannot_be_done_changes_nothing(kind: str, operation: str, value: float) -> None:
    own = OwnMetrics()
    metric = make(own, kind=kind)
    with pytest.raises(InvalidInput, match="metric 'seen'"):
        own.change(metric, operation, value)
    assert own.read(metric) == 0


def test_a_name_has_one_kind() -> None:
    own = OwnMetrics()
    make(own)
    with pytest.raises(InvalidInput, match="is a counter already, expected no gauge"):
        make(own, kind="gauge", a="b")


def test_they_are_bounded() -> None:
    own = OwnMetrics()
    for number in range(1000):
        make(own, n=str(number))
    assert make(own, n="0")
    with pytest.raises(Overloaded, match="models have 1000 metrics already"):
        make(own, n="1000")
