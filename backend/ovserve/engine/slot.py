"""One OpenVINO infer request, with its input tensors: bind, run, copy out."""

from collections.abc import Mapping, Sequence
from time import perf_counter_ns

import openvino as ov

from ovserve.engine import strings
from ovserve.engine.execution import execution
from ovserve.engine.feed import Feed
from ovserve.engine.memory_views import address_of
from ovserve.engine.outputs import NO_PLACES, Lend, Port, take_out
from ovserve.engine.reasons import reason
from ovserve.engine.state import State, Variables
from ovserve.engine.stream_queue import StreamQueue
from ovserve.errors import InferenceFailed
from ovserve.ran import Ran
from ovserve.shared_memory import Window
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import Array, DType, Tensor


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
        self._feeds = [Feed(request, *port) for port in enumerate(request.get_compiled_model().inputs)]
        self._variables = Variables(request)
        self._own_outputs = _own_addresses(request)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what the model keeps from one inference to the next."""
        return self._variables.names

    def run(
        self,
        inputs: Mapping[str, Tensor],
        outputs: frozenset[str] | None,
        places: Mapping[str, Window] = NO_PLACES,
        lend: Lend | None = None,
    ) -> Ran:
        """Infer, and take out the outputs named (None: all of them), in the model's order, as `take_out` does.

        A model's variables have their first values, whatever was run before. Raises `InferenceFailed` with OpenVINO's
        reason, and `RegionChanged`.
        """
        self._variables.reset()
        return self._infer(inputs, outputs, places, lend)

    def lend(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        """Infer as `run`: alone, a slot has nothing to lend."""
        return self.run(inputs, outputs, places)

    def owner(self, place: int, data: Array) -> object | None:
        """Tell on what an output relies: this slot, or an input that the caller gave; None where that is unknown."""
        address = address_of(data)
        if address == self._own_outputs[place]:
            return self
        return next(filter(None, (feed.holder(address) for feed in self._feeds)), None)

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

    def _infer(
        self,
        inputs: Mapping[str, Tensor],
        outputs: frozenset[str] | None,
        places: Mapping[str, Window] = NO_PLACES,
        lend: Lend | None = None,
    ) -> Ran:
        begun_ns = perf_counter_ns()
        try:
            for port in self._inputs:
                self._bind(port, inputs[port.name])
            bound_ns = perf_counter_ns()
            given, waited_ns = self._executed()
            inferred_ns = perf_counter_ns()
            infer_ns = inferred_ns - bound_ns - waited_ns
            ports = self._outputs if outputs is None else [port for port in self._outputs if port.name in outputs]
            fetched = take_out(ports, given, places, lend)
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

    def _bind(self, port: Port, tensor: Tensor) -> None:
        if isinstance(tensor, SharedTensor):
            self._feeds[port.index].read(tensor)
        elif port.dtype is not DType.BYTES:
            self._feeds[port.index].put(tensor.data)
        else:
            for offset, part in enumerate(strings.pack(tensor.data)):
                self._feeds[port.index + offset].put(part)


def _own_addresses(request: ov.InferRequest) -> list[int]:
    """Find where the outputs lie that are the infer request's own; 0 for those that it does not know yet."""
    return [
        address_of(request.get_output_tensor(place).data) if _has_place(port) else 0
        for place, port in enumerate(request.get_compiled_model().outputs)
    ]


def _has_place(port: ov.ConstOutput) -> bool:
    return bool(port.partial_shape.is_static) and port.element_type != ov.Type.string
