"""Predict's JSON <-> the core's requests and responses: by rows (`instances`) or by columns (`inputs`).

signature_name is accepted and has no effect. Error texts begin as OVMS's. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from ovserve.errors import Unsupported, WrongContent, WrongTensors
from ovserve.frontends.tfs.json_values import is_binary, to_tensor, to_values
from ovserve.requests import InferRequest, InferResponse
from ovserve.tensors import Tensor, TensorSpec

_NO_FORMAT = "Invalid JSON structure. Could not detect row or column format"
_NO_ROWS = "Invalid JSON structure. Missing instances in row format"
_NO_ARRAY = "Invalid JSON structure. Nonamed instance is not an array."
_NO_OBJECT = "Invalid JSON structure. One of named instances is not a JSON object."
_NO_MATCH = "Inputs inside buffer does not match expected format."


class Format(Enum):
    ROWS = "predictions"
    COLUMNS = "outputs"


def parse(document: Any, model: str, version: int | None, specs: Sequence[TensorSpec]) -> tuple[InferRequest, Format]:
    """Read a JSON document for a model with the inputs `specs`; the answer has to be in the same format.

    Raises an `InvalidInput` that says what was expected.
    """
    label = f"model '{model}'"
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise WrongContent(f"{_NO_FORMAT} - {label} expects an object with either 'instances' or 'inputs'")
    if "instances" in document:
        values, format_ = _rows(document["instances"], specs, label), Format.ROWS
    else:
        values, format_ = _columns(document["inputs"], specs, label), Format.COLUMNS
    dtypes = {spec.name: spec.dtype for spec in specs}
    inputs = {name: to_tensor(value, dtypes.get(name), f"{label}: input '{name}'") for name, value in values.items()}
    return InferRequest(model, inputs, version), format_


def _rows(rows: Any, specs: Sequence[TensorSpec], label: str) -> Mapping[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise WrongContent(f"{_NO_ROWS} - {label} expects a list of at least one")
    if not isinstance(rows[0], dict) or is_binary(rows[0]):
        if any(isinstance(row, dict) and not is_binary(row) for row in rows):
            raise WrongContent(f"{_NO_ARRAY} - {label} has instances with and without names")
        return {_only_input(specs, label): rows}
    names = rows[0].keys()
    for row in rows:
        if not isinstance(row, dict) or is_binary(row):
            raise WrongContent(f"{_NO_OBJECT} - {label} has instances with and without names")
        if row.keys() != names:
            raise WrongTensors(f"{_NO_MATCH} - {label} has instances of different inputs")
    return {name: [row[name] for row in rows] for name in names}


def _columns(columns: Any, specs: Sequence[TensorSpec], label: str) -> Mapping[str, Any]:
    if isinstance(columns, dict) and not is_binary(columns):
        return columns
    return {_only_input(specs, label): columns}


def _only_input(specs: Sequence[TensorSpec], label: str) -> str:
    if len(specs) != 1:
        names = ", ".join(f"'{spec.name}'" for spec in specs)
        raise WrongTensors(f"{_NO_MATCH} - {label} has the inputs {names}: give values by name")
    return specs[0].name


def to_json(response: InferResponse, format_: Format) -> str:
    """Write the answer; of a single output the values alone.

    Raises `Unsupported` where there are rows in the request but not in an output.
    """
    if format_ is Format.ROWS:
        _check_rows(response)
    values = {name: to_values(name, tensor) for name, tensor in response.outputs.items()}
    content: Any = next(iter(values.values())) if len(values) == 1 else values
    if format_ is Format.ROWS and len(values) != 1:
        content = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({format_.value: content}, ensure_ascii=False) + "\n"


def _check_rows(response: InferResponse) -> None:
    lengths = {name: _rows_of(tensor) for name, tensor in response.outputs.items()}
    if None in lengths.values() or len(set(lengths.values())) > 1:
        shown = ", ".join(f"'{name}' {list(tensor.shape)}" for name, tensor in response.outputs.items())
        raise Unsupported(
            f"model '{response.model}' version {response.version}: the outputs {shown} have no rows in common: "
            f"ask by columns, with 'inputs'"
        )


def _rows_of(tensor: Tensor) -> int | None:
    return tensor.shape[0] if tensor.shape else None
