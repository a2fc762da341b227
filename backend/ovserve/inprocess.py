"""The in-process door: the same models, checks and answers as behind the sockets, without a socket."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.errors import InvalidInput, WrongTensors
from ovserve.requests import IN_PROCESS, InferRequest, InSequence, Metadata, Patient
from ovserve.seeing.watch import Watch
from ovserve.tensors import Array, DType, Tensor

_BY_NUMPY = {dtype.numpy: dtype for dtype in DType if dtype is not DType.BF16}


def load(**settings: Any) -> "InProcess":
    """Load models into this process.

    Takes the server's settings under their names: `model_repository=...`, or `model_name=..., model_path=...`, and
    `plugin_config`, `nireq`, ... Raises pydantic's `ValidationError` for a wrong setting, `CannotStart` where nothing
    can be served; a model that fails among others that load raises when it is used.
    """
    core = compose(Settings(**settings).model_copy(update={"grpc_workers": 1}))  # nobody comes through a port
    core.load()
    return InProcess(core)


class InProcess:
    """Loaded models; safe to share between threads, and usable as a context manager."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def infer(
        self,
        model: str,
        inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike,
        *,
        version: int | None = None,
        outputs: Iterable[str] | None = None,
        sequence_id: int | str = 0,
        sequence_start: bool = False,
        sequence_end: bool = False,
    ) -> dict[str, Array]:
        """Run `model` on arrays by input name (or on one array, where it has one input) and return arrays by name.

        Arrays must have the model's datatype; strings, and JPEG and PNG files for an image input, are arrays or lists
        of `bytes` or `str`; BF16 travels as uint16 and is taken for what the model expects. The requests of a sequence
        have one `sequence_id`, the first says that it starts, the last that it ends. Raises an `OVServeError` that
        names what was expected and what came.
        """
        at = InSequence(sequence_id, sequence_start, sequence_end) if sequence_id else None
        with self._core.dataplane.watch(IN_PROCESS) as watch:
            watch.know(model, version, "")
            return self._infer(model, inputs, version, outputs, watch=watch, at=at)

    def _infer(
        self,
        model: str,
        inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike,
        version: int | None,
        outputs: Iterable[str] | None,
        *,
        watch: Watch,
        at: InSequence | None,
    ) -> dict[str, Array]:
        metadata = self.metadata(model, version)
        named = inputs if isinstance(inputs, Mapping) else {_only_input(metadata): inputs}
        expected = {spec.name: spec.dtype for spec in metadata.inputs}
        tensors = {name: _tensor(name, _as_array(value), expected.get(name)) for name, value in named.items()}
        wanted = None if outputs is None else frozenset(outputs)
        request = InferRequest(model, tensors, metadata.version, wanted, sequence=at)
        response = self._core.dataplane.infer(request, Patient(), IN_PROCESS, watch)
        return {name: tensor.data for name, tensor in response.outputs.items()}

    def metadata(self, model: str, version: int | None = None) -> Metadata:
        """Return the inputs and outputs of `model`; raises `NotFound` or `NotReady`."""
        return self._core.dataplane.metadata(model, version)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release by hand: OpenVINO frees the models with the last reference."""


def _only_input(metadata: Metadata) -> str:
    if len(metadata.inputs) != 1:
        names = ", ".join(f"'{spec.name}'" for spec in metadata.inputs)
        raise WrongTensors(f"model '{metadata.name}' has the inputs {names}: give arrays by name")
    return metadata.inputs[0].name


def _as_array(value: npt.ArrayLike) -> Array:
    """Make an array; of texts one of objects, since numpy's own texts would lose zeros at their end."""
    array = np.asarray(value)
    return np.asarray(value, np.object_) if array.dtype.kind in "SU" else array


def _tensor(name: str, array: Array, expected: DType | None) -> Tensor:
    if expected is DType.BF16 and array.dtype == DType.BF16.numpy:
        return Tensor(DType.BF16, array)
    if array.dtype.kind in "SUO":
        return Tensor(DType.BYTES, _encoded(name, array))
    dtype = _BY_NUMPY.get(array.dtype)
    if dtype is None:
        raise InvalidInput(f"input '{name}' has numpy dtype {array.dtype}, which no KServe datatype stands for")
    return Tensor(dtype, array)


def _encoded(name: str, array: Array) -> Array:
    encoded = np.empty(array.size, np.object_)
    for index, element in enumerate(array.ravel().tolist()):
        if not isinstance(element, bytes | str):
            raise InvalidInput(f"input '{name}' expects bytes or str, got {type(element).__name__}")
        encoded[index] = element.encode() if isinstance(element, str) else element
    return encoded.reshape(array.shape)
