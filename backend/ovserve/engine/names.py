"""What a model's tensors are called, by the model and by clients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import openvino as ov

from ovserve.engine.refused import Refused
from ovserve.repository.mapping import NameMapping


@dataclass(frozen=True, slots=True)
class Names:
    """The names that clients use, in the model's order; `renamed` leads from a model's own name to such a one."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    renamed: Mapping[str, str]

    def check(self, configured: Iterable[str], allowed: Sequence[str], setting: str) -> None:
        """Raise `Refused` for a name in the setting `shape` or `layout` that is not one of those allowed."""
        for name in configured:
            if name in allowed:
                continue
            if name in self.renamed:
                raise Refused(
                    f"{setting} names '{name}', which mapping_config.json renames: "
                    f"use the mapped name '{self.renamed[name]}' instead"
                )
            known = ", ".join(f"'{other}'" for other in allowed)
            raise Refused(f"{setting} names '{name}', which the model does not have; it has {known}")


def read_names(model: ov.Model, mapping: NameMapping) -> Names:
    """Name the tensors of a model as it was read: compiling or preprocessing may change its own names."""
    inputs, outputs = _own_names(model.inputs, "input"), _own_names(model.outputs, "output")
    return Names(
        _public_names(inputs, mapping.inputs, "input"),
        _public_names(outputs, mapping.outputs, "output"),
        {**mapping.outputs, **mapping.inputs},
    )


def _own_names(tensors: Sequence[ov.Output], what: str) -> list[str]:
    if not tensors:
        raise Refused(f"the model has no {what}s")
    names: list[str] = []
    for index, tensor in enumerate(tensors):
        # As OVMS: outputs without a name are out_0, out_1, ... An unnamed input goes by its node's name.
        name = tensor.any_name if tensor.names else f"out_{index}" if what == "output" else tensor.node.friendly_name
        names.append(f"{what[:-3]}_{index}" if name in names else name)
    return names


def _public_names(names: Sequence[str], renamed: Mapping[str, str], what: str) -> tuple[str, ...]:
    unknown = renamed.keys() - set(names)
    if unknown:
        raise Refused(f"mapping_config.json renames {what} '{min(unknown)}'; the model has {list(names)}")
    public = tuple(renamed.get(name, name) for name in names)
    if len(set(public)) < len(public):
        raise Refused(f"mapping_config.json gives two {what}s the same name: {list(public)}")
    return public
