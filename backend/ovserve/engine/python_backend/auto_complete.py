"""The configuration that a Python model completes in `auto_complete_config`, as JSON. Pure."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

_TENSOR = ("name", "data_type", "dims")
_UNKNOWN_TYPE = (None, "TYPE_INVALID")
_SCHEDULERS = ("sequence_batching", "ensemble_scheduling")


class ModelConfig:
    """Triton's `ModelConfig`: each method raises `ValueError` where it contradicts what is there already.

    `document` may lack fields and have numbers as text, as JSON made of a message has.
    """

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self._name = name
        self._document: dict[str, Any] = {
            "platform": "",
            "backend": "python",
            "instance_group": [],
            "parameters": {},
            **deepcopy(dict(document)),
            "name": document.get("name") or name,
            "max_batch_size": int(document.get("max_batch_size", 0)),
            "input": list(map(_with_numbers, document.get("input", ()))),
            "output": list(map(_with_numbers, document.get("output", ()))),
        }

    def as_dict(self) -> dict[str, Any]:
        return self._document

    def set_max_batch_size(self, max_batch_size: int) -> None:
        there = self._document["max_batch_size"]
        if there > max_batch_size:
            raise ValueError(
                f"model '{self._name}': the configuration has max_batch_size {there}, the model takes {max_batch_size}"
            )
        self._document["max_batch_size"] = int(max_batch_size)

    def set_dynamic_batching(self) -> None:
        for other in _SCHEDULERS:
            if other in self._document:
                raise ValueError(
                    f"model '{self._name}': the configuration has {other}, which excludes dynamic_batching"
                )
        self._document.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, transaction_policy_dict: Mapping[str, Any]) -> None:
        unknown = transaction_policy_dict.keys() - {"decoupled"}
        if unknown:
            raise ValueError(f"model '{self._name}': model_transaction_policy has no property '{min(unknown)}'")
        policy = self._document.setdefault("model_transaction_policy", {})
        for key, value in transaction_policy_dict.items():
            if policy.setdefault(key, value) != value:
                raise ValueError(
                    f"model '{self._name}': {key} is {policy[key]} in the configuration, {value} in the model"
                )

    def add_input(self, input: Mapping[str, Any]) -> None:  # noqa: A002 - as in Triton
        self._add("input", input, (*_TENSOR, "optional"))

    def add_output(self, output: Mapping[str, Any]) -> None:
        self._add("output", output, _TENSOR)

    def _add(self, what: str, tensor: Mapping[str, Any], properties: tuple[str, ...]) -> None:
        label = f"model '{self._name}', {what} '{tensor.get('name', '')}'"
        missing = [key for key in _TENSOR if key not in tensor]
        if missing:
            raise ValueError(f"{label}: property '{missing[0]}' is missing")
        unknown = tensor.keys() - set(properties)
        if unknown:
            raise ValueError(f"{label}: no such property: '{min(unknown)}'")
        added = _with_numbers(tensor)
        for there in self._document[what]:
            if there["name"] == added["name"]:
                _check_same(label, there, added)
                there.update(added)
                return
        self._document[what].append(added)


def _check_same(label: str, there: Mapping[str, Any], added: Mapping[str, Any]) -> None:
    differing = [
        key
        for key, unset in (("data_type", _UNKNOWN_TYPE), ("dims", (None, [])), ("optional", (None,)))
        if key in added and there.get(key) not in unset and there[key] != added[key]
    ]
    if differing:
        key = differing[0]
        raise ValueError(f"{label}: {key} is {there[key]} in the configuration, {added[key]} in the model")


def _with_numbers(tensor: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(tensor)
    if "dims" in tensor:
        changed["dims"] = list(map(int, tensor["dims"]))
    return changed
