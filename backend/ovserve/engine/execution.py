"""How an infer request runs: in one call, or started and waited for where one call would lose a failure."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import openvino as ov

from ovserve.tensors import Array

Execution: TypeAlias = Callable[[], Sequence[Array]]


def execution(request: ov.InferRequest) -> Execution:
    """Make what runs `request` and returns its outputs, in the model's order, as views that end with its next run.

    OpenVINO's `RuntimeError` says what fails.
    """
    return _in_one_call(request) if _tells_failures(request.get_compiled_model()) else _started(request)


def _tells_failures(compiled: ov.CompiledModel) -> bool:
    """Tell whether `infer` raises what fails: a CPU does, unless it has one stream of one thread.

    With that the answer to an earlier request would stand for this one's, and a `wait` after it would not raise either
    (seen in OpenVINO 2026.4). Other devices were not tried.
    """
    names = ("NUM_STREAMS", "INFERENCE_NUM_THREADS")
    supported = compiled.get_property("SUPPORTED_PROPERTIES")
    return all(name in supported for name in names) and [compiled.get_property(name) for name in names] != [1, 1]


def _in_one_call(request: ov.InferRequest) -> Execution:
    def execute() -> Sequence[Array]:
        outputs: Sequence[Array] = request.infer(share_outputs=True).to_tuple()
        return outputs

    return execute


def _started(request: ov.InferRequest) -> Execution:
    places = range(len(request.get_compiled_model().outputs))

    def execute() -> Sequence[Array]:
        request.start_async()
        request.wait()
        return [request.get_output_tensor(place).data for place in places]

    return execute
