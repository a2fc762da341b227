"""The requests of one sequence on a stream do not overtake each other; others do."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from ovserve.frontends.grpc.lanes import Lanes, lane_of
from wire_server import request

X = {"x": np.float32([1])}


def test_a_lane_does_one_thing_after_the_other_and_others_do_not_wait() -> None:
    submitted: list[Callable[[], None]] = []
    done: list[str] = []
    lanes = Lanes(lambda work, *arguments: submitted.append(partial(work, *arguments)))
    for lane, name in (("a", "a1"), ("a", "a2"), (None, "free"), ("b", "b1"), ("a", "a3")):
        lanes.put(lane, partial(done.append, name))
    assert len(submitted) == 3
    while submitted:
        submitted.pop()()
    assert done == ["b1", "free", "a1", "a2", "a3"]


def test_a_fault_does_not_stop_its_lane() -> None:
    submitted: list[Callable[[], None]] = []
    done: list[str] = []
    lanes = Lanes(lambda work, *arguments: submitted.append(partial(work, *arguments)))

    def fault() -> None:
        raise KeyError

    lanes.put("a", fault)
    lanes.put("a", partial(done.append, "a2"))
    with pytest.raises(KeyError):
        submitted.pop()()
    submitted.pop()()
    assert done == ["a2"]


def test_the_lane_is_the_sequence() -> None:
    message = request("m", X)
    assert lane_of(message.SerializeToString()) is None
    message.parameters["sequence_id"].int64_param = 3
    assert lane_of(message.SerializeToString()) == ("m", 3)
    message.parameters["sequence_id"].string_param = "s"
    assert lane_of(message.SerializeToString()) == ("m", "s")


def test_ids_that_are_inputs_share_the_lane_of_their_model() -> None:
    assert lane_of(request("m", {**X, "sequence_id": np.uint64([1])}).SerializeToString()) == "m"


def test_large_requests_have_the_same_lanes() -> None:
    large = np.zeros(100_000, np.float32)
    assert lane_of(request("m", {"x": large}).SerializeToString()) is None
    assert lane_of(request("m", {"x": large, "sequence_id": np.uint64([1])}).SerializeToString()) == "m"
    message = request("m", {"x": large})
    message.parameters["sequence_id"].int64_param = 3
    assert lane_of(message.SerializeToString()) == ("m", 3)


def test_the_mark_in_the_values_says_nothing() -> None:
    values = np.frombuffer(b"sequence_id " * 10_000, np.uint8)
    assert lane_of(request("m", {"x": values}).SerializeToString()) is None


def test_the_mark_elsewhere_says_nothing() -> None:
    assert lane_of(request("m", X, id="sequence_id").SerializeToString()) is None
    assert lane_of(b"\xff\xffsequence_id") is None
