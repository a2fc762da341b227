"""A model's tensors in the words of the peers' configuration files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import openvino as ov

from ovserve.tensors import BY_OPENVINO


@dataclass(frozen=True)
class Tensor:
    name: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True)
class Signature:
    inputs: list[Tensor]
    outputs: list[Tensor]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Of a model whose shapes are static."""
        model = ov.Core().read_model(file)
        return cls(_tensors(model.inputs), _tensors(model.outputs))


def _tensors(ports: list[ov.Output]) -> list[Tensor]:
    return [
        Tensor(port.any_name, BY_OPENVINO[port.element_type.to_string()].kserve, list(port.shape)) for port in ports
    ]
