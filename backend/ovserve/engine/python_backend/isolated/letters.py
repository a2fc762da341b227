"""Requests, responses and calls -> what a frame's head says of them, and back. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ovserve.engine.python_backend.instance import Answer, Asked, Call, Later, Result, Send
from ovserve.processes.error_letters import read_error, write_error
from ovserve.requests import Caller, InSequence, Patient
from ovserve.tensors import Tensor

Head = dict[str, Any]


def write_result(result: Result | None, tensors: list[Tensor]) -> Head:
    """Write a response, or what takes its place; its tensors go behind `tensors`."""
    if result is None:
        return {}
    if isinstance(result, Later):
        return {"later": result.name}
    if isinstance(result, Answer):
        return {"outputs": _placed(result.outputs, tensors), "parameters": dict(result.parameters)}
    return {"error": write_error(result)}


def read_result(head: Head, tensors: Sequence[Tensor]) -> Result | None:
    if "later" in head:
        return Later[head["later"]]
    if "outputs" in head:
        return Answer(_found(head["outputs"], tensors), head["parameters"])
    return read_error(head["error"]) if "error" in head else None


def write_asked(asked: Asked, number: int, tensors: list[Tensor]) -> Head:
    head: Head = {"r": number, "inputs": _placed(asked.inputs, tensors), "wanted": list(asked.wanted)}
    if asked.within:
        head["within"] = asked.within
    if asked.is_cancelled():
        head["cancelled"] = True
    return head | _written_fields(asked)


def read_asked(head: Head, tensors: Sequence[Tensor], send: Send, is_cancelled: Callable[[], bool]) -> Asked:
    return Asked(
        _found(head["inputs"], tensors),
        head["wanted"],
        within=tuple(head.get("within", ())),
        is_cancelled=is_cancelled,
        send=send,
        **_read_fields(head),
    )


def write_call(call: Call, number: int, request: int | None, tensors: list[Tensor]) -> Head:
    """Write a call that is made for `request`, within what that is within."""
    head: Head = {"c": number, "model": call.model, "inputs": _placed(call.inputs, tensors), "many": call.many}
    if call.version is not None:
        head["version"] = call.version
    if call.wanted is not None:
        head["wanted"] = sorted(call.wanted)
    if call.on_behalf_of is not None:
        head |= {"r": request, "within": call.on_behalf_of.within}
    return head | _written_fields(call)


def read_call(head: Head, tensors: Sequence[Tensor], on_behalf_of: Asked | None) -> Call:
    return Call(
        head["model"],
        _found(head["inputs"], tensors),
        head.get("version"),
        frozenset(head["wanted"]) if "wanted" in head else None,
        many=head["many"],
        on_behalf_of=on_behalf_of,
        **_read_fields(head),
    )


class Gone:
    """The caller of a request that has ended."""

    time_remaining = Patient.time_remaining

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002 - has gone already
        return False


GONE: Caller = Gone()


def _written_fields(of: Asked | Call) -> Head:
    """Write what is rarely there only where it is."""
    head: Head = {}
    if of.id:
        head["id"] = of.id
    if of.parameters:
        head["parameters"] = dict(of.parameters)
    if of.sequence is not None:
        head["sequence"] = (of.sequence.id, of.sequence.starts, of.sequence.ends)
    if of.priority or of.timeout_us:
        head |= {"priority": of.priority, "timeout_us": of.timeout_us}
    return head


def _read_fields(head: Head) -> Head:
    sequence = head.get("sequence")
    return {
        "id": head.get("id", ""),
        "parameters": head.get("parameters", {}),
        "sequence": None if sequence is None else InSequence(sequence[0], starts=sequence[1], ends=sequence[2]),
        "priority": head.get("priority", 0),
        "timeout_us": head.get("timeout_us", 0),
    }


def _placed(named: Mapping[str, Tensor], tensors: list[Tensor]) -> dict[str, int]:
    places = {}
    for name, tensor in named.items():
        places[name] = len(tensors)
        tensors.append(tensor)
    return places


def _found(places: Mapping[str, int], tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    return {name: tensors[place] for name, place in places.items()}
