"""What a crew tells its worker processes and what they answer, as pickles through pipes."""

import pickle
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ovclient.bench.loop import Tally
from ovclient.bench.raw_client import Finished


@dataclass(frozen=True, slots=True)
class Setup:
    """First word to a worker: its clients' arguments, the requests that they take in turn, whether through one stream.

    Answered with True.
    """

    client: dict[str, Any] = field(repr=False)  # there may be a key in it
    requests: tuple[Finished, ...] = field(repr=False)
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Connect the clients of these numbers and let them send for a while; answered with an Outcome."""

    clients: range
    seconds: float


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure the clients warmed up before, from this reading of `perf_counter_ns`; answered with an Outcome."""

    begin_ns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """End the window under way now; the answer due comes at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients of one process noted since `begin_ns`, and the CPU seconds the process took meanwhile."""

    tally: Tally
    begin_ns: int
    cpu_s: float

    @property
    def busy(self) -> float:
        """The cores the process took, on average."""
        return self.cpu_s * 1e9 / max(1, self.tally.end_ns - self.begin_ns)


def send(stream: BinaryIO, word: object) -> None:
    pickle.dump(word, stream)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """The next word; EOFError once the other side is gone, be it in the middle of a word."""
    try:
        return pickle.load(stream)  # noqa: S301 - both ends of the pipe are ours
    except pickle.UnpicklingError as error:
        raise EOFError from error
