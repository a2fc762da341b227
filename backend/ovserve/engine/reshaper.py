"""A served model in shapes that requests bring, for `auto`."""

import threading
from collections.abc import Callable, Sequence

import openvino as ov

from ovserve.engine.blueprint import Blueprint
from ovserve.engine.dynamic import AutoAxes, reshaped
from ovserve.engine.slots import Slots
from ovserve.engine.wish import Wish
from ovserve.tensors import Dim, Shape


class Reshaper:
    """Compiles the model anew, from the bytes that were read at load: the file may have changed since.

    `auto` names the dimensions of inputs that requests decide, of those inputs only that have some. Shapes are given
    for these inputs, in their order.
    """

    def __init__(self, blueprint: Blueprint, wish: Wish, compile_model: Callable[[ov.Model], Slots]) -> None:
        self.auto: AutoAxes = {name: axes for name, axes in wish.auto.items() if axes}
        self._blueprint = blueprint
        self._dims = wish.dims
        self._compile = compile_model
        self._cloning = threading.Lock()

    def compile(self, shapes: Sequence[Shape]) -> Slots:
        """Compile for exactly these shapes; raises `CannotReshape`, or `Refused` where the device does not take it."""
        return self._compile(self._reshaped(shapes))

    def check(self, shapes: Sequence[Shape]) -> None:
        """Raise `CannotReshape` with OpenVINO's reason where the model does not take these shapes."""
        self._reshaped(shapes)

    def _reshaped(self, shapes: Sequence[Shape]) -> ov.Model:
        given = dict(zip(self.auto, shapes, strict=True))
        dims = [
            tuple(Dim(length, length) for length in given[name]) if name in given else own
            for name, own in zip(self._blueprint.names.inputs, self._dims, strict=True)
        ]
        with self._cloning:  # a model is not said to be safe for two threads
            return reshaped(self._blueprint.model, dims)
