"""What became of one inference request."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.errors import Code, OVServeError
from ovserve.ran import Ran
from ovserve.requests import Door
from ovserve.tensors import Tensor

OK = "OK"

_MOST_CHARACTERS = 256  # of whatever a client chooses
_MOST_INPUTS = 32
_MOST_DIMS = 16


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds of the stages that a request which was answered went through, in this order."""

    queue_ns: int
    input_ns: int
    infer_ns: int
    output_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request from the door to its answer.

    `code` is OK or a neutral code's name, `reason` why it was refused; `version` is the one that answered or was asked
    for, None where neither is known. `begun_ns` is since the epoch, and `started_ns` the same moment by
    `perf_counter_ns`; the core had the request for `inside_ns` from `before_ns` after that on. `ran` is there where a
    model ran; `headers` are those of W3C's trace context.
    """

    door: Door
    model: str
    version: int | str | None
    request_id: str
    inputs: Mapping[str, Tensor]
    code: str
    reason: str
    begun_ns: int
    before_ns: int
    inside_ns: int
    total_ns: int
    ran: Ran | None
    headers: Mapping[str, str]
    started_ns: int = 0

    @property
    def times(self) -> Times | None:
        """Where the time went; what the request did not run it was waiting."""
        ran = self.ran
        if ran is None:
            return None
        queue_ns = max(0, self.inside_ns - ran.input_ns - ran.infer_ns - ran.output_ns)
        return Times(queue_ns, ran.input_ns, ran.infer_ns, ran.output_ns)

    @property
    def shapes(self) -> dict[str, str]:
        """Datatype and shape of each input, as `FP32[1,3]`; of very many the first ones, and never a value."""
        names = list(self.inputs)[:_MOST_INPUTS]
        return {bounded(name): _shape(self.inputs[name]) for name in names}


def bounded(text: str) -> str:
    """Cut what a client chose to what a line has room for; whatever could end the line or colour it is escaped."""
    shown = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode()


def code_of(error: BaseException) -> tuple[str, str]:
    """Name the code of what ended a request, and the reason; a fault of ours is told without a word of it."""
    if isinstance(error, OVServeError):
        return error.code.name, bounded(str(error))
    if not isinstance(error, Exception):  # the task was cancelled
        return Code.CANCELLED.name, "the caller went away"
    return Code.INTERNAL.name, "internal error"


def _shape(tensor: Tensor) -> str:
    dims = [str(length) for length in tensor.shape[:_MOST_DIMS]] + ["..."] * (len(tensor.shape) > _MOST_DIMS)
    return f"{tensor.dtype.kserve}[{','.join(dims)}]"
