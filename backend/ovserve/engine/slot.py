"""One OpenVINO infer request, with its input tensors: bind, run, copy out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
import openvino as ov

from ovserve.engine import strings
from ovserve.engine.execution import execution
from ovserve.engine.reasons import reason
from ovserve.engine.state import State, Variables
from ovserve.engine.stream_queue import StreamQueue
from ovserve.errors import InferenceFailed
from ovserve.ran import Ran
from ovserve.tensors import Array, DType, Shape, Tensor

# Measured on 2 cores: below this many bytes copying into the slot's own tensor costs less than binding the caller's
# array (58 against 80 us for a whole tiny request), above it more (231 against 114 us at 1 MB).
_COPY_AT_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor of the model and the first of the compiled model's ports that carry it (a string takes three)."""

    name: str
    dtype: DType
    index: int


class Slot:
    """Runs one request at a time; whoever borrows it from the pool has it alone."""

    def __init__(
        self,
        request: ov.InferRequest,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        queue: StreamQueue | None = None,
    ) -> None:
        self._execute = execution(request)
        self._queue = queue
        self._inputs = inputs
        self._outputs = outputs
        self._feeds = [_Feed(request, *port) for port in enumerate(request.get_compiled_model().inputs)]
        self._variables = Variables(request)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what the model keeps from one inference to the next."""
        return self._variables.names

    def run(self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None) -> Ran:
        """Infer, and copy out the outputs named (None: all of them), in the model's order.

        A model's variables have their first values, whatever was run before. Raises `InferenceFailed` with OpenVINO's
        reason.
        """
        self._variables.reset()
        return self._infer(inputs, outputs)

    def run_on(
        self, state: State | None, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None
    ) -> tuple[Ran, State]:
        """Infer as `run`, from what an earlier inference left (None: the first values), and return what this one left.

        `state` stays as it is.
        """
        begun_ns = perf_counter_ns()
        try:
            if state is None:
                self._variables.reset()
            else:
                self._variables.write(state)
            brought_ns = perf_counter_ns() - begun_ns
            ran = self._infer(inputs, outputs)
            begun_ns = perf_counter_ns()
            left = self._variables.read()
        except RuntimeError as error:
            raise InferenceFailed(reason(error)) from error
        taken_ns = perf_counter_ns() - begun_ns
        return ran._replace(input_ns=ran.input_ns + brought_ns, output_ns=ran.output_ns + taken_ns), left

    def _infer(self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None) -> Ran:
        begun_ns = perf_counter_ns()
        try:
            for port in self._inputs:
                self._bind(port, inputs[port.name].data)
            bound_ns = perf_counter_ns()
            given, waited_ns = self._executed()
            inferred_ns = perf_counter_ns()
            infer_ns = inferred_ns - bound_ns - waited_ns
            fetched = {
                port.name: Tensor(port.dtype, _copied(port, given))
                for port in self._outputs
                if outputs is None or port.name in outputs
            }
            return Ran(fetched, infer_ns, bound_ns - begun_ns, perf_counter_ns() - inferred_ns)
        except RuntimeError as error:
            raise InferenceFailed(reason(error)) from error
        finally:
            for feed in self._feeds:
                feed.let_go()

    def _executed(self) -> tuple[Sequence[Array], int]:
        """Run, and say how long (ns) the request waited for a stream."""
        if self._queue is None:
            return self._execute(), 0
        place = self._queue.enter()
        try:
            given = self._execute()
        finally:
            self._queue.leave(place)
        return given, place.waited_ns

    def _bind(self, port: Port, data: Array) -> None:
        if port.dtype is not DType.BYTES:
            self._feeds[port.index].put(data)
            return
        for offset, part in enumerate(strings.pack(data)):
            self._feeds[port.index + offset].put(part)


def _copied(port: Port, given: Sequence[Array]) -> Array:
    if port.dtype is DType.BYTES:
        begins, ends, characters = given[port.index : port.index + 3]
        return strings.unpack(begins, ends, characters)
    # The view ends with the slot's next request.
    data, dtype = given[port.index], port.dtype.numpy
    return data.copy() if data.dtype == dtype else data.view(dtype).copy()


class _Feed:
    """Brings arrays into one input of an infer request, the cheaper way."""

    _own_data: Array

    def __init__(self, request: ov.InferRequest, index: int, port: ov.ConstOutput) -> None:
        self._request = request
        self._index = index
        self._type: ov.Type = port.element_type
        # Not the request's first tensor: in a pass-through model that is the output too, and takes on its shapes.
        self._bind_own(tuple(port.partial_shape.get_min_shape()))
        self._borrowed: ov.Tensor | None = None

    def put(self, data: Array) -> None:
        if data.nbytes > _COPY_AT_MOST_BYTES:
            # The infer request keeps the address only; it is this reference that keeps the bytes.
            self._borrowed = ov.Tensor(_writable(data), ov.Shape(data.shape), self._type)
            self._request.set_input_tensor(self._index, self._borrowed)
            return
        if data.shape != self._own_shape:
            self._bind_own(data.shape)
        if data.dtype != self._own_data.dtype:  # only numpy's own name for what it has none for, as BF16
            self._own_data = self._own_data.view(data.dtype)
        self._own_data[...] = data

    def let_go(self) -> None:
        """Give up the caller's array, if one is bound: a message's memory must not stay as long as the slot."""
        if self._borrowed is not None:
            self._request.set_input_tensor(self._index, self._own)
            self._borrowed = None

    def _bind_own(self, shape: Shape) -> None:
        """Have a tensor of our own for `shape`; one that is bound cannot grow, so it is a fresh one."""
        self._own = ov.Tensor(self._type, ov.Shape(shape))
        self._own_shape = shape
        self._own_data = self._own.data
        self._request.set_input_tensor(self._index, self._own)


class _Exposed:
    def __init__(self, data: Array) -> None:
        interface: dict[str, Any] = dict(data.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self._keep_alive = data


def _writable(data: Array) -> Array:
    """View a read-only array (a gRPC message's bytes) as one that OpenVINO shares; inference only reads its inputs."""
    contiguous = np.ascontiguousarray(data)
    return contiguous if contiguous.flags.writeable else np.asarray(_Exposed(contiguous))
