"""One instance of a Python model, as the server sees it, wherever it runs.

What goes in and comes out is plain: tensors, texts, numbers, and callbacks. So an instance may live in another process,
behind a pipe, and nothing has to be pickled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol, TypeAlias

from ovserve.config.declared import Document
from ovserve.errors import OVServeError
from ovserve.requests import Caller, InSequence, Parameter, Patient
from ovserve.tensors import Tensor, TensorSpec


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: the outputs asked for, in the order declared, and the response's own parameters."""

    outputs: Mapping[str, Tensor]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


Reply: TypeAlias = Answer | OVServeError


class Send(Protocol):
    def __call__(self, reply: Reply | None, *, final: bool) -> None:
        """Take a response, if there is one, and whether it is the last; wait while the client is slow, never raise."""
        ...


def unsent(reply: Reply | None, *, final: bool) -> None:
    """Take what nobody is interested in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for an instance, which it fits; `wanted` are the outputs asked for, in the order declared.

    `within` are the models and pipelines, from the outermost, in whose execution it was asked. `send` takes responses
    beside those that `execute` returns, in any thread, until the final one; what comes after that is dropped. The
    `caller` is for `Host.call` and stays in the server's process; `is_cancelled` is what the model is told of it.
    """

    inputs: Mapping[str, Tensor]
    wanted: Sequence[str]
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sequence: InSequence | None = None
    priority: int = 0
    timeout_us: int = 0
    within: tuple[str, ...] = ()
    caller: Caller = field(default_factory=Patient)
    is_cancelled: Callable[[], bool] = lambda: False
    send: Send = unsent


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a model's own to another; `version` and `wanted` are None for the default and for all.

    `on_behalf_of` is the request in whose execution it is made, None in a thread of the model's own; with `many` there
    may be any number of responses.
    """

    model: str
    inputs: Mapping[str, Tensor]
    version: int | None = None
    wanted: frozenset[str] | None = None
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sequence: InSequence | None = None
    priority: int = 0
    timeout_us: int = 0
    many: bool = False
    on_behalf_of: Asked | None = None


class Host(Protocol):
    """What an instance may ask of the server; any thread may."""

    def call(self, call: Call, take: Callable[[Reply], bool]) -> None:
        """Have another model answer: `take` gets each response, in the calling thread or another, and says go on.

        Returns when there are no more; never raises, an error is a response.
        """
        ...

    def is_ready(self, model: str, version: int | None) -> bool:
        """Tell whether a model would answer now."""
        ...

    def make_metric(
        self, name: str, kind: str, description: str, labels: Mapping[str, str], buckets: Sequence[float]
    ) -> int:
        """Make a counter, gauge or histogram, or find the same one; raises `InvalidInput` or `Overloaded`."""
        ...

    def change_metric(self, metric: int, operation: str, value: float) -> None:
        """Do `increment`, `set` or `observe`; raises `InvalidInput`."""
        ...

    def read_metric(self, metric: int) -> float:
        """Tell a counter's or gauge's value; raises `InvalidInput`."""
        ...

    def drop_metric(self, metric: int) -> None:
        """Show it no more, as soon as nobody else has it."""
        ...


class Later(Enum):
    """What `execute` returns for a request that it has not answered."""

    BY_SENDER = auto()  # the answer comes, or came, through `Asked.send`
    AGAIN = auto()  # execute is to be called with it again (Triton's rescheduling)


Result: TypeAlias = Reply | Later


class Instance(Protocol):
    """A loaded and initialized instance; one thread at a time calls `execute`, not always the same.

    `inputs`, of which some are `optional`, and `outputs` are what the model declared; `document` is its configuration,
    completed. A remote implementation has to:

    - send each `Asked` as datatype, shape and bytes of its tensors, its texts and numbers, and a number of its own for
      the request; keep `send`, `caller` and `is_cancelled` on the server's side under that number;
    - check what comes back against `inputs`, `outputs` and `wanted` in the worker (`python_answer` does), and send an
      `OVServeError` as its class's name and its sentence: never a traceback, which belongs into the log;
    - call `send` for each response that names a request, one at a time and in order, and let the worker's sender wait
      until `send` has returned: that is the back-pressure of a slow client;
    - tell the worker when `is_cancelled` becomes true, and forget the request when a final response was sent;
    - carry `Host`'s calls back under numbers of their own, several at a time, each with its request's number;
    - when the worker dies: give `InferenceFailed` for every request that it has, through the return or through `send`
      with final, and have `is_ready` say False until a new one has been initialized;
    - say AGAIN for what no worker has been given.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def optional(self) -> frozenset[str]: ...

    @property
    def document(self) -> Document: ...

    @property
    def is_decoupled(self) -> bool:
        """Whether a request may have none, one or many responses."""
        ...

    def execute(self, requests: Sequence[Asked]) -> Sequence[Result]:
        """Execute requests together, and return a result for each; never raises, a failure is a result.

        For a decoupled model each result is a `Later` or the error that ended the request.
        """
        ...

    def is_ready(self) -> bool:
        """Ask the model whether it is ready; a model without an opinion is."""
        ...

    def when_up(self, callback: Callable[[], None]) -> None:
        """Call back when it can execute: at once, or once it was started anew; or when it is closed."""
        ...

    def close(self) -> None:
        """Have the model finalize, and end; nothing may run any more."""
        ...
