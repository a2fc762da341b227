"""What a servable takes and gives, and whether a request fits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from ovserve.errors import WrongTensors
from ovserve.requests import InferRequest
from ovserve.tensors import ANY, TensorSpec


class Signature:
    """Inputs and outputs by name; `label` begins every sentence.

    The dimensions `free` of an input, by name, may have any length, whatever its specification shows.
    """

    def __init__(
        self,
        label: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        free: Mapping[str, AbstractSet[int]] | None = None,
    ) -> None:
        self.label = label
        self.inputs = {spec.name: spec for spec in inputs}
        self._outputs = frozenset(spec.name for spec in outputs)
        self._free = free or {}

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        """The inputs as they are really taken: what is free shows as such."""
        return tuple(self._freed(spec) for spec in self.inputs.values())

    def check(self, request: InferRequest) -> None:
        """Raise the `InvalidInput` that says what does not fit."""
        if request.inputs.keys() != self.inputs.keys():
            raise WrongTensors(_wrong_inputs(self.label, list(self.inputs), list(request.inputs)))
        for name, spec in self.inputs.items():
            spec.match(request.inputs[name], self.label, self._free.get(name, frozenset()))
        unknown = (request.outputs or frozenset()) - self._outputs
        if unknown:
            raise WrongTensors(f"{self.label} has no output '{min(unknown)}'; it has {_listed(self._outputs)}")

    def _freed(self, spec: TensorSpec) -> TensorSpec:
        free = self._free.get(spec.name, frozenset())
        if spec.dims is None or not free:
            return spec
        return replace(spec, dims=tuple(ANY if axis in free else dim for axis, dim in enumerate(spec.dims)))


def _wrong_inputs(label: str, expected: list[str], got: list[str]) -> str:
    missing = [name for name in expected if name not in got]
    unexpected = [name for name in got if name not in expected]
    found = [f"missing {_listed(missing)}"] if missing else []
    found += [f"unexpected {_listed(unexpected)}"] if unexpected else []
    return f"{label} expects {len(expected)} inputs {_listed(expected)}, got {len(got)}: {', '.join(found)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
