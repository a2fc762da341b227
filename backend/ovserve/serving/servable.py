"""What can be served under a name and a version: a model, or a pipeline of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from ovserve.config.model import ModelConfig
from ovserve.errors import OVServeError
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels
from ovserve.serving.statistics import Statistics
from ovserve.tensors import TensorSpec


class SendResponse(Protocol):
    def __call__(self, response: InferResponse | OVServeError | None, *, final: bool) -> None:
        """Take a response, or the error in its place, and whether it is the last; None is the end alone."""
        ...


class Servable(Protocol):
    """One version, ready to answer, as long as anybody has a reference to it."""

    @property
    def config(self) -> ModelConfig: ...

    @property
    def metadata(self) -> Metadata: ...

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        """The inputs as they are really taken: under `auto` more than `metadata` shows."""
        ...

    @property
    def slots(self) -> int:
        """How many requests run at the same time."""
        ...

    @property
    def running(self) -> int:
        """How many requests run now."""
        ...

    @property
    def streams(self) -> int:
        """How many inferences the device works on at the same time."""
        ...

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, running or waiting."""
        ...

    @property
    def note(self) -> str | None:
        """Why it is served otherwise than asked for, if it is."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the one who configured it should know."""
        ...

    @property
    def described(self) -> Mapping[str, str]:
        """What ModelConfig shows of it as parameters, beyond its configuration."""
        ...

    @property
    def labels(self) -> Labels:
        """The names of classes, by output."""
        ...

    @property
    def in_flight(self) -> InFlight: ...

    @property
    def statistics(self) -> Statistics: ...

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        """Answer `request`, or raise an `OVServeError` that says why not.

        `admitted` is for a part of a request that was let in already: it waits its turn where others are refused.
        """
        ...


class Streaming(ABC):
    """A servable that may give none, one or many responses to a request, and says itself whether it is ready.

    Whoever wants one response asks `infer` as everywhere: it raises `Unsupported` where there is not exactly one.

    It is a class: each request of a stream asks whether a servable is one, and of a protocol that would take 7 us.
    """

    @abstractmethod
    def infer_stream(
        self, request: InferRequest, caller: Caller, send: SendResponse, *, admitted: bool = False
    ) -> None:
        """Answer with `send`, which may wait for a slow client, and return after the final response.

        `send` is called in any thread, by one at a time. Raises the `OVServeError` that ends the request otherwise.
        """

    @abstractmethod
    def is_ready(self) -> bool: ...
