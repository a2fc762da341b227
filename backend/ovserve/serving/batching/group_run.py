"""Runs a group of requests as one batch of a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter_ns
from typing import TypeAlias

from ovserve.errors import InferenceFailed, InvalidInput, OVServeError, ShapeRefused, WrongShape
from ovserve.ran import Ran
from ovserve.requests import InferRequest
from ovserve.serving.batching.fixed_batch import FixedBatch
from ovserve.serving.batching.joined import join, split
from ovserve.tensors import Tensor

# What the model does with the inputs of one batch, and the outputs asked for (None: all).
RunModel: TypeAlias = Callable[[Mapping[str, Tensor], frozenset[str] | None], Ran]


class GroupRun:
    """Runs requests whose inputs are alike but for their rows; `fixed` is there for a model of one batch size."""

    def __init__(self, fixed: FixedBatch | None) -> None:
        self._fixed = fixed

    def run(self, requests: Sequence[InferRequest], run: RunModel) -> list[Ran | OVServeError]:
        """Answer each request by `run`, or say why not.

        Where the model fails on several requests they run again one by one, so that only the guilty one fails.
        """
        try:
            return list(self._together(requests, run))
        except OVServeError as error:
            if len(requests) == 1:
                return [error]
            if not isinstance(error, InferenceFailed | InvalidInput | ShapeRefused) or isinstance(error, _WrongBatch):
                return [type(error)(str(error)) for _ in requests]
        alone = GroupRun(None if self._fixed is None else replace(self._fixed, pads=True))
        return [outcome for request in requests for outcome in alone.run([request], run)]

    def _together(self, requests: Sequence[InferRequest], run: RunModel) -> Sequence[Ran]:
        if len(requests) == 1 and self._fixed is None:
            return [run(requests[0].inputs, requests[0].outputs)]
        begun_ns = perf_counter_ns()
        rows = [rows_of(request) for request in requests]
        total = self._size(sum(rows))
        inputs = join([request.inputs for request in requests], padded_to=total if self._fixed is not None else 0)
        wanted = _wanted(requests)
        joined_ns = perf_counter_ns()
        ran = run(inputs, wanted)
        ran_ns = perf_counter_ns()
        parts = split(ran.outputs, rows, total)
        input_ns = ran.input_ns + joined_ns - begun_ns
        output_ns = ran.output_ns + perf_counter_ns() - ran_ns
        return [
            Ran(
                part if request.outputs is None else {name: part[name] for name in part if name in request.outputs},
                ran.infer_ns,
                input_ns,
                output_ns,
                executed=0 if index else sum(rows),
            )
            for index, (request, part) in enumerate(zip(requests, parts, strict=True))
        ]

    def _size(self, rows: int) -> int:
        """How many rows the model gets for so many; anew for each group, whatever came before."""
        fixed = self._fixed
        if fixed is None or rows == fixed.rows:
            return rows
        if rows > fixed.rows or not fixed.pads:
            raise _WrongBatch(
                f"expected requests with a batch of {fixed.rows} in all, got {rows}; the model takes no other, "
                f"and the parameter ENABLE_BATCH_PADDING with the value YES has smaller ones filled up at a cost"
            )
        return fixed.rows


class _WrongBatch(WrongShape):
    """The requests of a group together are no batch that the model takes."""


def rows_of(request: InferRequest) -> int:
    return next(iter(request.inputs.values())).shape[0]


def _wanted(requests: Sequence[InferRequest]) -> frozenset[str] | None:
    wanted: frozenset[str] = frozenset()
    for request in requests:
        if request.outputs is None:
            return None
        wanted |= request.outputs
    return wanted
