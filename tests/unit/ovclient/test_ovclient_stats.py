import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovclient.stats import Statistics, speed_fps

TIMES_MS = [21, 8, 104, 8, 19, 9, 7, 6, 6, 7]  # seed 002's run at batch size 1, whose times were cut to whole ms


def test_lines_are_the_seeds() -> None:
    assert Statistics.of(TIMES_MS, batch=1).lines() == [
        "processing time for all iterations",
        "average time: 19.50 ms; average speed: 51.28 fps",
        "median time: 8.00 ms; median speed: 125.00 fps",
        "max time: 104.00 ms; min speed: 9.62 fps",
        "min time: 6.00 ms; max speed: 166.67 fps",
        "time percentile 90: 29.30 ms; speed percentile 90: 34.13 fps",
        "time percentile 50: 8.00 ms; speed percentile 50: 125.00 fps",
        "time standard deviation: 28.63",
        "time variance: 819.45",
    ]


def test_a_batch_counts_each_of_its_pictures() -> None:
    assert Statistics.of([121], batch=8).lines()[1] == "average time: 121.00 ms; average speed: 66.12 fps"


def test_fractions_of_a_millisecond_are_kept() -> None:
    assert Statistics.of([0.25, 0.75], batch=1).average_ms == 0.5


def test_no_time_at_all_is_infinite_speed_and_null_in_json() -> None:
    assert speed_fps(0, 1) == math.inf
    document = Statistics.of([0.0], batch=1).as_json()
    assert document["average_fps"] is None
    json.dumps(document, allow_nan=False)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_least_median_and_greatest_are_in_order(times_ms: list[float]) -> None:
    statistics = Statistics.of(times_ms, batch=1)
    assert statistics.min_ms <= statistics.median_ms <= statistics.percentile_90_ms <= statistics.max_ms
    assert statistics.variance == pytest.approx(statistics.standard_deviation**2)
