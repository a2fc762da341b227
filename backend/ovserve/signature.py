"""What a servable takes and gives, and whether a request fits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from ovserve.errors import WrongTensors
from ovserve.requests import InferRequest
from ovserve.tensors import ANY, DType, Shape, TensorSpec


class Signature:
    """Inputs and outputs by name; `label` begins every sentence.

    The dimensions `free` of an input, by name, may have any length, whatever its specification shows; what is
    `optional` may be left out.
    """

    def __init__(
        self,
        label: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        free: Mapping[str, AbstractSet[int]] | None = None,
        optional: AbstractSet[str] = frozenset(),
    ) -> None:
        self.label = label
        self.inputs = {spec.name: spec for spec in inputs}
        self._outputs = frozenset(spec.name for spec in outputs)
        self._free = free or {}
        self._required = self.inputs.keys() - optional
        self._fitted: dict[str, tuple[DType, Shape]] = {}  # the last that fitted, by input: the next is like it mostly

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        """The inputs as they are really taken: what is free shows as such."""
        return tuple(self._freed(spec) for spec in self.inputs.values())

    def check(self, request: InferRequest) -> None:
        """Raise the `InvalidInput` that says what does not fit."""
        given = request.inputs
        if given.keys() != self.inputs.keys() and not self._required <= given.keys() <= self.inputs.keys():
            raise WrongTensors(self._wrong_inputs(given.keys()))
        for name, tensor in given.items():
            kind = tensor.dtype, tensor.shape
            if self._fitted.get(name) != kind:
                self.inputs[name].match(tensor, self.label, self._free.get(name, frozenset()))
                self._fitted[name] = kind
        if request.outputs is not None and (unknown := request.outputs - self._outputs):
            raise WrongTensors(f"{self.label} has no output '{min(unknown)}'; it has {_listed(self._outputs)}")

    def _wrong_inputs(self, got: AbstractSet[str]) -> str:
        missing = [name for name in self.inputs if name in self._required and name not in got]
        unexpected = [name for name in got if name not in self.inputs]
        found = [f"missing {_listed(missing)}"] if missing else []
        found += [f"unexpected {_listed(unexpected)}"] if unexpected else []
        return (
            f"{self.label} expects {len(self.inputs)} inputs {_listed(self.inputs)}, got {len(got)}: {', '.join(found)}"
        )

    def _freed(self, spec: TensorSpec) -> TensorSpec:
        free = self._free.get(spec.name, frozenset())
        if spec.dims is None or not free:
            return spec
        return replace(spec, dims=tuple(ANY if axis in free else dim for axis, dim in enumerate(spec.dims)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
