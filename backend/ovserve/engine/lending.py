"""Large outputs that are not copied out: they stay where they are as long as somebody reads them.

Meanwhile another slot stands in for theirs. A tensor of its own could be given to a slot instead, which the next run
writes (`set_output_tensor`), but what comes straight from an input is not written there, and nothing tells.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import openvino as ov

from ovserve.engine.memory_views import view_of
from ovserve.engine.outputs import NO_PLACES
from ovserve.engine.slot import Slot
from ovserve.engine.state import State
from ovserve.ran import Ran
from ovserve.shared_memory import Window
from ovserve.tensors import Array, Tensor

# A copy of less costs no more than all that is done here to avoid it.
_LEAST_BYTES = 1 << 20


class Spares:
    """The slots that stand in, `most` of them, each made when it is needed first."""

    def __init__(self, make: Callable[[], Slot], most: int) -> None:
        self._make = make
        self._unmade = [None] * most
        self._free: deque[Slot] = deque()

    def take(self) -> Slot | None:
        """Take one; None where all stand in already."""
        try:  # each step is one for CPython: no lock
            return self._free.pop()
        except IndexError:
            pass
        try:
            self._unmade.pop()
        except IndexError:
            return None
        return self._make()

    def give_back(self, slot: Slot) -> None:
        self._free.append(slot)


class Lease:
    """A slot whose outputs are read; when nobody reads them any more it is a spare one."""

    def __init__(self, slot: Slot, spares: Spares) -> None:
        self.is_used = False
        self._slot = slot
        self._spares = spares

    def __del__(self) -> None:
        if self.is_used:
            self._spares.give_back(self._slot)

    def lend(self, place: int, data: Array) -> Array | None:
        """Make an output one that may be kept, and keeps what it relies on; None where it has to be copied."""
        if data.nbytes < _LEAST_BYTES:
            return None
        owner = self._slot.owner(place, data)
        if owner is self._slot:
            self.is_used = True
            owner = self
        return None if owner is None else view_of(data, owner, writeable=False)


class Lender:
    """What runs at one turn: a slot, and another one while the outputs of that are read."""

    def __init__(self, slot: Slot, spares: Spares) -> None:
        self._slot = slot
        self._spares = spares

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what the model keeps from one inference to the next."""
        return self._slot.variables

    def run(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        """Infer, as `Slot.run`."""
        return self._slot.run(inputs, outputs, places)

    def run_on(
        self, state: State | None, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None
    ) -> tuple[Ran, State]:
        """Infer, as `Slot.run_on`."""
        return self._slot.run_on(state, inputs, outputs)

    def lend(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        """Infer as `run`; large outputs are lent, as long as there are spare slots."""
        spare = self._spares.take()
        if spare is None:
            return self._slot.run(inputs, outputs, places)
        lease = Lease(self._slot, self._spares)
        try:
            return self._slot.run(inputs, outputs, places, lease.lend)
        finally:
            if lease.is_used:
                self._slot = spare
            else:
                self._spares.give_back(spare)


def with_spares(slots: Sequence[Slot], make: Callable[[], Slot]) -> tuple[Lender, ...]:
    """Have as many spare slots as slots."""
    spares = Spares(make, len(slots))
    return tuple(Lender(slot, spares) for slot in slots)


def has_large(outputs: Sequence[ov.ConstOutput]) -> bool:
    """Tell whether there is anything to lend."""
    return any(port.partial_shape.is_static and port.get_tensor().size >= _LEAST_BYTES for port in outputs)
