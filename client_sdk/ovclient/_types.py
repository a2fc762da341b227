"""What the client hands out: frozen values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ovclient._encode import Parameter
from ovclient._errors import UnknownTensor


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """One input or output of a model; a dimension of -1 takes any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    name: str
    version: str
    extensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelIndex:
    """One version of a model in the server's repository.

    `state` is READY, LOADING, UNLOADING or UNAVAILABLE, or empty for a model never loaded; `reason` says why.
    """

    name: str
    version: str
    state: str
    reason: str


class InferResult(Mapping[str, np.ndarray]):
    """A model's outputs by name, in the order the server sent them.

    The arrays are views of the received bytes and read-only; `.copy()` makes one your own.
    """

    __slots__ = ("_outputs", "id", "model", "parameters", "version")

    def __init__(
        self,
        outputs: Mapping[str, np.ndarray],
        model: str = "",
        version: str = "",
        id: str = "",  # noqa: A002 - KServe's word
        parameters: Mapping[str, Parameter] | None = None,
    ) -> None:
        self._outputs = dict(outputs)
        self.model = model
        self.version = version
        self.id = id
        self.parameters = dict(parameters or {})

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._outputs[name]
        except KeyError:
            raise UnknownTensor(f"model '{self.model}' answered no output '{name}', only {list(self)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {array.dtype}{list(array.shape)}" for name, array in self._outputs.items())
        return f"<InferResult {self.model} {self.version} {{{shapes}}}>"
