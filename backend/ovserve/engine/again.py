"""What it takes to compile a model once more, beside what it has already."""

from collections.abc import Callable
from dataclasses import dataclass

import openvino as ov

from ovserve.engine.refused import Refused
from ovserve.memory_left import memory_left

# Memory that must be there for each byte of weights: twice is taken, as they are read and as the device wants them.
_ROOM = 3


@dataclass(frozen=True, slots=True)
class Again:
    """`model` gives it once more."""

    model: Callable[[], ov.Model]
    weights_bytes: int

    def check_room(self) -> None:
        """Raise `Refused` where memory has no room for it."""
        left = memory_left()
        if left is not None and left < _ROOM * self.weights_bytes:
            raise Refused(f"its weights have {self.weights_bytes} bytes, and only {left} bytes of memory are left")


def weights_bytes(model: ov.Model) -> int:
    """Count the bytes of its constants."""
    return sum(node.output(0).get_tensor().size for node in model.get_ops() if node.get_type_name() == "Constant")
