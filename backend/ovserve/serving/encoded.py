"""What clients may send in another form than the model takes it: encoded pictures, and strings as rows of bytes."""

import threading
from collections.abc import Callable, Iterable
from time import perf_counter_ns

from ovserve.config.model import ModelConfig
from ovserve.engine.padded_strings import pad, takes_strings
from ovserve.engine.picture_input import PictureInput, plan
from ovserve.engine.pool import Queue, SlotPool
from ovserve.errors import Cancelled, DeadlineExceeded
from ovserve.requests import Caller, InferRequest
from ovserve.serving.decoding_turns import CORES, DecodingTurns
from ovserve.tensors import DType, Tensor, TensorSpec


class EncodedInputs:
    """The inputs of a servable that take BYTES although they are numbers; `label` begins every sentence.

    Pictures are decoded in the request's own thread before it waits for a slot, when it has one of the `turns` that all
    servables share.
    """

    def __init__(
        self,
        label: str,
        taken: Iterable[TensorSpec],
        config: ModelConfig,
        turns: DecodingTurns,
        *,
        slots: int,
        demultiplexed: bool = False,
    ) -> None:
        specs = {spec.name: spec for spec in taken}
        plans = {name: plan(spec, demultiplexed=demultiplexed) for name, spec in specs.items()}
        self._pictures = {name: picture for name, picture in plans.items() if picture is not None}
        self._strings = {name: spec for name, spec in specs.items() if takes_strings(spec)}
        self._names = self._pictures.keys() | self._strings.keys()
        self._label = label
        self._max_pixels = config.max_image_pixels
        self._queue = Queue(label, config.queue_for(slots), config.queue_timeout or None)
        self._entrance = SlotPool(range(CORES), self._queue)
        self._turns = turns

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, decoding or waiting for that."""
        return self._entrance.admitted_at_once if self._pictures else 0

    def decode(self, request: InferRequest, caller: Caller, *, admitted: bool) -> tuple[InferRequest, int]:
        """Give the request with numbers in place of what came encoded, itself where nothing did.

        And the nanoseconds of work that it took, without the wait for a turn.

        Raises the `InvalidInput` that says what is wrong with it, and what a wait for a turn may end in.
        """
        if not self._names:
            return request, 0
        found = {
            name: tensor
            for name, tensor in request.inputs.items()
            if tensor.dtype is DType.BYTES and name in self._names
        }
        if not found:
            return request, 0
        inputs, took_ns = dict(request.inputs), 0
        for name, tensor in found.items():
            inputs[name], decoded_ns = self._decoded(name, tensor, caller, admitted=admitted)
            took_ns += decoded_ns
        return request._replace(inputs=inputs), took_ns

    def _decoded(self, name: str, tensor: Tensor, caller: Caller, *, admitted: bool) -> tuple[Tensor, int]:
        if name in self._strings:
            begun_ns = perf_counter_ns()
            return pad(self._strings[name], tensor, self._label), perf_counter_ns() - begun_ns
        with (
            self._entrance.slot(caller, admitted=admitted),
            self._turns.slot(caller, admitted=True, queue=self._queue),
        ):
            begun_ns = perf_counter_ns()
            return self._pictured(self._pictures[name], tensor, caller), perf_counter_ns() - begun_ns

    def _pictured(self, wanted: PictureInput, tensor: Tensor, caller: Caller) -> Tensor:
        from ovserve.engine import images  # noqa: PLC0415 - OpenCV takes its time to import, and not everybody needs it

        return images.decode(wanted, tensor, self._label, self._max_pixels, self._pause(caller))

    def _pause(self, caller: Caller) -> Callable[[], None]:
        """Make what ends the work between two pictures where nobody waits for it any more."""
        gone = threading.Event()
        if not caller.add_callback(gone.set):
            gone.set()

        def pause() -> None:
            if gone.is_set():
                raise Cancelled(f"{self._label}: the caller went away while images were being decoded")
            if caller.time_remaining() <= 0:
                raise DeadlineExceeded(f"{self._label}: the deadline passed while images were being decoded")

        return pause
