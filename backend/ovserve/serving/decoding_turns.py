"""Turns to decode pictures, of all that is served in the process together."""

from typing import TypeAlias

from ovserve.cores import usable_cores
from ovserve.engine.pool import Queue, SlotPool

DecodingTurns: TypeAlias = SlotPool[int]

CORES = usable_cores()


def make_decoding_turns(cores: int = CORES) -> DecodingTurns:
    """Make as many as there are cores for this process: more would take memory for nothing.

    Each model lets as many of its own come here at the same time, and has the others wait in a queue of its own. So
    nobody is refused here, and a model that is asked a lot does not keep the others waiting.
    """
    return SlotPool(range(cores), Queue("decoding", 0))
