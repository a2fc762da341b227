"""What clients may send in another form than the model takes it: encoded pictures, and strings as rows of bytes."""

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from ovserve.config.model import ModelConfig
from ovserve.engine.padded_strings import pad, takes_strings
from ovserve.engine.picture_input import PictureInput, plan
from ovserve.engine.pool import Queue, SlotPool
from ovserve.errors import Cancelled, DeadlineExceeded
from ovserve.requests import Caller, InferRequest
from ovserve.tensors import DType, Tensor, TensorSpec


class EncodedInputs:
    """The inputs of a servable that take BYTES although they are numbers; `label` begins every sentence.

    Pictures are decoded in the request's own thread before it waits for a slot, in as many threads at the same time
    as there are cores: more would take memory for nothing.
    """

    def __init__(
        self, label: str, taken: Iterable[TensorSpec], config: ModelConfig, *, slots: int, demultiplexed: bool = False
    ) -> None:
        specs = {spec.name: spec for spec in taken}
        plans = {name: plan(spec, demultiplexed=demultiplexed) for name, spec in specs.items()}
        self._pictures = {name: picture for name, picture in plans.items() if picture is not None}
        self._strings = {name: spec for name, spec in specs.items() if takes_strings(spec)}
        self._names = self._pictures.keys() | self._strings.keys()
        self._label = label
        self._max_pixels = config.max_image_pixels
        queue = Queue(label, config.queue_for(slots), config.queue_timeout or None)
        self._turns = SlotPool(range(os.cpu_count() or 1), queue)

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, decoding or waiting for that."""
        return self._turns.admitted_at_once if self._pictures else 0

    def decode(self, request: InferRequest, caller: Caller, *, admitted: bool) -> InferRequest:
        """Give the request with numbers in place of what came encoded, itself where nothing did.

        Raises the `InvalidInput` that says what is wrong with it, and what a wait for a turn may end in.
        """
        found = {
            name: tensor
            for name, tensor in request.inputs.items()
            if tensor.dtype is DType.BYTES and name in self._names
        }
        if not found:
            return request
        decoded = {name: self._decoded(name, tensor, caller, admitted=admitted) for name, tensor in found.items()}
        return replace(request, inputs={**request.inputs, **decoded})

    def _decoded(self, name: str, tensor: Tensor, caller: Caller, *, admitted: bool) -> Tensor:
        if name in self._strings:
            return pad(self._strings[name], tensor, self._label)
        return self._pictured(self._pictures[name], tensor, caller, admitted=admitted)

    def _pictured(self, wanted: PictureInput, tensor: Tensor, caller: Caller, *, admitted: bool) -> Tensor:
        from ovserve.engine import images  # noqa: PLC0415 - OpenCV takes its time to import, and not everybody needs it

        with self._turns.slot(caller, admitted=admitted):
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
