"""Which models run in the request's own thread: handing them to a stream and back would take longer than they do.

Such a model has one graph, on which requests run one after the other.
"""

from time import perf_counter_ns

import numpy as np
import openvino as ov

# Measured, on 2 cores: a stream costs 10 us of processor time with one client and 30 us with four. Up to so long the
# rest of a request, which threads of Python do one after the other, leaves room for one more on the graph.
_QUICK_NS = 100_000
# More than run at once: a thread of Python that is done keeps its turn until it is let on (0.70 of the CPU of 2 turns).
QUICK_TURNS = 8
_RUNS = 5

# What has more is not even compiled to be tried.
_MOST_NODES = 1000
_MOST_BYTES = 8 << 20
_RUN_AS_LONG_AS_INPUTS_SAY = {"If", "Loop", "TensorIterator"}


def may_be_quick(model: ov.Model) -> bool:
    """Tell whether it is worth trying: a small model that takes as long with any input."""
    nodes = model.get_ops()
    if model.is_dynamic() or len(nodes) > _MOST_NODES:
        return False
    if any(node.get_type_name() in _RUN_AS_LONG_AS_INPUTS_SAY for node in nodes):
        return False
    return bool(sum(output.get_tensor().size for node in nodes for output in node.outputs()) <= _MOST_BYTES)


def is_quick(compiled: ov.CompiledModel) -> bool:
    """Run it, on zeros, and tell whether that is short; one that fails is not."""
    request = compiled.create_infer_request()
    try:
        for place in range(len(compiled.inputs)):
            tensor = request.get_input_tensor(place)
            tensor.data[...] = np.zeros((), tensor.data.dtype)
        return min(_run(request) for _ in range(_RUNS)) <= _QUICK_NS
    except RuntimeError:
        return False


def _run(request: ov.InferRequest) -> int:
    begun_ns = perf_counter_ns()
    request.infer(share_outputs=True)
    return perf_counter_ns() - begun_ns
