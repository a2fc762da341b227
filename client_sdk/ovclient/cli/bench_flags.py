from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ovclient.bench import concurrency, inputs
from ovclient.cli.connection import JsonFlag
from ovclient.cli.failure import WrongUsage

_MAX_S = 86400.0
_Repeated = Parameter(show_default=False, negative=())


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFlags:
    """What to send, how much at a time and for how long; names are perf_analyzer's where it has one."""

    concurrency: Annotated[str, Parameter(alias="--concurrency-range")] = "1"
    """Clients at a time: a number, or a range start:end or start:end:step of levels measured one after the other."""
    duration: float = 5.0
    """Seconds to measure each level."""
    warm_up: float = 1.0
    """Seconds to send before each level without measuring; each client sends at least one request."""
    batchsize: Annotated[int, Parameter(alias="-b", validator=Number(gte=1))] = 1
    """What an input's first dimension becomes where it is -1; every other -1 becomes 1."""
    shape: Annotated[tuple[str, ...], _Repeated] = ()
    """Whole shape of an input, name:1,3,300,300, or 1,3,300,300 for a model of one input; may be repeated."""
    input: Annotated[tuple[str, ...], _Repeated] = ()
    """Values of an input, name=file.npy, or file.npy for a model of one input; may be repeated; sent as they are."""
    shared_memory: Literal["none", "system"] = "none"
    """Where inputs and outputs lie: in the messages, or in the shared memory of this machine, the server's too."""
    streaming: Annotated[bool, Parameter(negative=())] = False
    """Send through one ModelStreamInfer stream of each client process, in one thread for all of its clients."""
    processes: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Client processes; if not given one, or more, up to the number of cores, if warming up shows it too busy."""
    json: JsonFlag = False
    """Print one JSON document."""

    def levels(self) -> tuple[int, ...]:
        try:
            return concurrency.parse(self.concurrency)
        except ValueError as error:
            raise WrongUsage(f"--concurrency: {error}.") from error

    def shapes(self) -> list[tuple[str | None, inputs.Shape]]:
        try:
            return [inputs.parse_shape(text) for text in self.shape]
        except ValueError as error:
            raise WrongUsage(f"--shape: {error}.") from error

    def check_times(self) -> None:
        if not 0 < self.duration <= _MAX_S:  # also refuses NaN
            raise WrongUsage(f"--duration must be more than 0 and at most {_MAX_S:g} seconds, got {self.duration:g}.")
        if not 0 <= self.warm_up <= _MAX_S:
            raise WrongUsage(f"--warm_up must be 0 to {_MAX_S:g} seconds, got {self.warm_up:g}.")
