"""What goes into the core and what comes out, whatever the protocol."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias

from ovserve.ran import Ran
from ovserve.shared_memory import Window
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import Tensor, TensorSpec

# CPython takes no longer timeout for a lock (threading.TIMEOUT_MAX); a year is for ever here.
FOREVER_S = 365 * 24 * 3600.0

Parameter: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class InSequence:
    """Where a request stands in a sequence of requests that belong together."""

    id: int | str
    starts: bool = False
    ends: bool = False


class InferRequest(NamedTuple):
    """One inference; `version` None is the default version, `outputs` None asks for all of them.

    Of the outputs in `classification` the so many highest values are asked for, with their names. `parameters` are the
    client's own, for the model; a `priority` of 0 is the model's default, a `timeout_us` of 0 none. `within` are the
    models and pipelines, from the outermost, in whose execution it is asked: none for a client's. `places` are where
    in shared memory the client wants outputs: a model may leave them there, and whoever answers does so otherwise.
    Who `borrows` only reads the outputs, and not for long: they may be the model's own memory, or that of the inputs.
    """

    model: str
    inputs: Mapping[str, Tensor]
    version: int | None = None
    outputs: frozenset[str] | None = None
    id: str = ""
    classification: Mapping[str, int] = MappingProxyType({})
    parameters: Mapping[str, Parameter] = MappingProxyType({})
    sequence: InSequence | None = None
    priority: int = 0
    timeout_us: int = 0
    within: tuple[str, ...] = ()
    places: Mapping[str, Window] = MappingProxyType({})
    borrows: bool = False

    def settle(self) -> None:
        """Read the inputs that lie in shared memory still; raises `RegionChanged`.

        For whoever does not read each of them at most once, or would take a failure to read for one of the model.
        """
        for tensor in self.inputs.values():
            if isinstance(tensor, SharedTensor):
                tensor.data  # noqa: B018 - reads it


class InferResponse(NamedTuple):
    """The outputs by name; `ran` says how long each stage of a run took, where there was one.

    `parameters` are the model's own, for the client.
    """

    model: str
    version: int
    outputs: Mapping[str, Tensor]
    id: str = ""
    ran: Ran | None = None
    parameters: Mapping[str, Parameter] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a servable says of itself."""

    name: str
    version: int
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Door(NamedTuple):
    """How a request came in, in the words of OVMS's metrics: KServe or TensorFlowServing; gRPC, REST or none."""

    api: str
    interface: str


IN_PROCESS = Door("ovserve", "in-process")


class Operation(StrEnum):
    """What was asked for at a door."""

    INFER = "infer"
    METADATA = "metadata"
    READY = "ready"


class Caller(Protocol):
    """The one who waits for an answer; a gRPC servicer context is one as it stands."""

    def time_remaining(self) -> float:
        """Seconds until the answer is of no use; infinite without a deadline."""
        ...

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call back once when the caller has gone; False, and no call, when it has gone already."""
        ...


class Hurried:
    """A caller to whom the answer is of no use after `seconds`, even if it was to him for longer."""

    def __init__(self, caller: Caller, seconds: float) -> None:
        self.caller = caller
        self._until_s = time.monotonic() + seconds
        self.add_callback = caller.add_callback

    def time_remaining(self) -> float:
        return min(self.caller.time_remaining(), max(0.0, self._until_s - time.monotonic()))


class Patient:
    """A caller who waits for ever: the in-process door."""

    def time_remaining(self) -> float:
        return inf

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002 - never goes, so never calls
        return True
