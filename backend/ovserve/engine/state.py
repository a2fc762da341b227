"""What a model keeps from one inference to the next: its variables (OpenVINO's ReadValue and Assign)."""

from typing import NewType

import openvino as ov

State = NewType("State", tuple[ov.Tensor, ...])


class Variables:
    """The variables of one infer request, in a fixed order."""

    def __init__(self, request: ov.InferRequest) -> None:
        self._all = list(request.query_state())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self._all)

    def reset(self) -> None:
        """Give each its first value, as the model has it."""
        for variable in self._all:
            variable.reset()

    def read(self) -> State:
        """Copy their values out."""
        return State(tuple(_copy(variable.state) for variable in self._all))

    def write(self, state: State) -> None:
        """Copy values in that were read from any request of the same model."""
        for variable, value in zip(self._all, state, strict=True):
            variable.state = value


def _copy(tensor: ov.Tensor) -> ov.Tensor:
    copied = ov.Tensor(tensor.element_type, tensor.shape)
    tensor.copy_to(copied)
    return copied
