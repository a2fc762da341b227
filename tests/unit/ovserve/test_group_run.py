"""Requests as one batch, and a batch as their answers, without a server."""

from collections.abc import Mapping

import numpy as np
import pytest

from ovserve.errors import InferenceFailed, InvalidInput, OVServeError
from ovserve.ran import Ran
from ovserve.requests import InferRequest
from ovserve.serving.batching.fixed_batch import FixedBatch
from ovserve.serving.batching.group_run import GroupRun
from ovserve.tensors import DType, Tensor


class Model:
    """Gives each row twice itself and its length, fails on a negative row, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None) -> Ran:
        x = inputs["x"].data
        self.batches.append(len(x))
        if x.size and x.min() < 0:
            raise InferenceFailed("a negative row")
        found = {"double": Tensor(DType.FP32, 2 * x), "sum": Tensor(DType.FP32, x.sum(1))}
        return Ran({name: found[name] for name in found if outputs is None or name in outputs}, 5)


def asking(*rows: float, outputs: frozenset[str] | None = None) -> InferRequest:
    x = np.array([[row, row + 1] for row in rows], np.float32).reshape(len(rows), 2)
    return InferRequest("m", {"x": Tensor(DType.FP32, x)}, outputs=outputs)


def rows(outcome: Ran | OVServeError) -> list[float]:
    assert isinstance(outcome, Ran), outcome
    return [row / 2 for row in outcome.outputs["double"].data[:, 0].tolist()]


def test_each_gets_its_own_rows_of_one_run() -> None:
    model = Model()
    outcomes = GroupRun(None).run([asking(1), asking(2, 3), asking(4)], model)
    assert [rows(outcome) for outcome in outcomes] == [[1], [2, 3], [4]]
    assert model.batches == [4]


def test_each_gets_the_outputs_that_it_asked_for() -> None:
    wanted = [frozenset({"sum"}), None, frozenset({"double"})]
    found = GroupRun(None).run([asking(1, outputs=outputs) for outputs in wanted], Model())
    assert [set(outcome.outputs) for outcome in found if isinstance(outcome, Ran)] == [
        {"sum"},
        {"sum", "double"},
        {"double"},
    ]


def test_what_nobody_asked_for_is_not_fetched() -> None:
    asked: list[frozenset[str] | None] = []
    model = Model()

    def run(inputs: Mapping[str, Tensor], outputs: frozenset[str] | None) -> Ran:
        asked.append(outputs)
        return model(inputs, outputs)

    GroupRun(None).run([asking(1, outputs=frozenset({"sum"})), asking(2, outputs=frozenset({"sum"}))], run)
    assert asked == [frozenset({"sum"})]


def test_one_of_a_group_tells_of_the_run() -> None:
    found = GroupRun(None).run([asking(1), asking(2, 3)], Model())
    assert [outcome.executed for outcome in found] == [3, 0]
    assert [outcome.infer_ns for outcome in found] == [5, 5]


def test_only_the_guilty_one_fails() -> None:
    model = Model()
    outcomes = GroupRun(None).run([asking(1), asking(-1), asking(3)], model)
    assert (rows(outcomes[0]), rows(outcomes[2])) == ([1], [3])
    assert isinstance(outcomes[1], InferenceFailed)
    assert model.batches == [3, 1, 1, 1]


def test_outputs_that_are_no_rows_are_told() -> None:
    def run(inputs: Mapping[str, Tensor], _: frozenset[str] | None) -> Ran:
        return Ran({"y": Tensor(DType.FP32, np.zeros(len(inputs["x"].data) - 1, np.float32))}, 1)

    assert isinstance(GroupRun(None).run([asking(1)], run)[0], Ran)
    two = GroupRun(None).run([asking(1), asking(2)], run)
    assert all(isinstance(outcome, Ran) for outcome in two)  # each by itself is as the model gives it


def test_every_group_is_filled_up_by_its_own_size() -> None:
    model = Model()
    run = GroupRun(FixedBatch(8, pads=True))
    for size in (3, 8, 1, 2, 7, 5, 4, 6):
        (outcome,) = run.run([asking(*range(size))], model)
        assert rows(outcome) == list(range(size))
    outcomes = run.run([asking(1, 2), asking(3)], model)
    assert [rows(outcome) for outcome in outcomes] == [[1, 2], [3]]
    assert set(model.batches) == {8}


def test_strings_are_filled_up_too() -> None:
    texts = np.array([b"a", b"bc"], object)

    def run(inputs: Mapping[str, Tensor], _: frozenset[str] | None) -> Ran:
        assert inputs["x"].data.tolist() == [b"a", b"bc", b"", b""]
        return Ran({"y": inputs["x"]}, 1)

    request = InferRequest("m", {"x": Tensor(DType.BYTES, texts)})
    (outcome,) = GroupRun(FixedBatch(4, pads=True)).run([request], run)
    assert outcome.outputs["y"].data.tolist() == [b"a", b"bc"]


def test_without_padding_another_size_is_refused_for_each() -> None:
    model = Model()
    run = GroupRun(FixedBatch(4, pads=False))
    outcomes = run.run([asking(1), asking(2, 3)], model)
    assert all(isinstance(outcome, InvalidInput) for outcome in outcomes)
    assert "expected requests with a batch of 4 in all, got 3" in str(outcomes[0])
    assert outcomes[0] is not outcomes[1]
    assert [rows(outcome) for outcome in run.run([asking(1, 2), asking(3, 4)], model)] == [[1, 2], [3, 4]]


def test_who_is_innocent_in_a_full_group_does_not_need_padding_to_be_on() -> None:
    outcomes = GroupRun(FixedBatch(2, pads=False)).run([asking(1), asking(-1)], Model())
    assert rows(outcomes[0]) == [1]
    with pytest.raises(InferenceFailed):
        raise outcomes[1]  # type: ignore[misc]
