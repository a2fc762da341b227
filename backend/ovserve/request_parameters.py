"""What the parameters of a request mean, whatever the protocol. Pure.

Source: Triton's protocol extensions for sequences, for the schedule policy and for parameters
(https://github.com/triton-inference-server/server/tree/main/docs/protocol).
"""

from collections.abc import Mapping

from ovserve.errors import InvalidInput
from ovserve.requests import InferRequest, InSequence, Parameter

_RESERVED = "triton_"
_ALLOWED = "triton_enable_empty_final_response"
_ID, _START, _END = "sequence_id", "sequence_start", "sequence_end"
_PRIORITY, _TIMEOUT = "priority", "timeout"
_MEANINGS = frozenset({_ID, _START, _END, _PRIORITY, _TIMEOUT})
_MOST = 2**64 - 1
_LONGEST_ID = 128


def with_parameters(request: InferRequest, given: Mapping[str, Parameter]) -> InferRequest:
    """Return `request` as its parameters say: in a sequence, with a priority, with an end to its caller's patience.

    What has no meaning of its own goes to the model as it is. Raises `InvalidInput` for a value of the wrong kind and
    for a name that is reserved.
    """
    label = f"model '{request.model}': the request"
    for name in given:
        if name.startswith(_RESERVED) and name != _ALLOWED:
            raise InvalidInput(
                f"{label}: parameter '{name:.80}' begins with '{_RESERVED}', of which there is only '{_ALLOWED}'"
            )
    return request._replace(
        parameters={name: value for name, value in given.items() if name not in _MEANINGS},
        sequence=_sequence(given, label),
        priority=_whole(given, _PRIORITY, label, "a whole number from 0 on"),
        timeout_us=_whole(given, _TIMEOUT, label, "a number of microseconds"),
    )


def _sequence(given: Mapping[str, Parameter], label: str) -> InSequence | None:
    """Tell where the request stands; the id 0 (and the empty one) is that of no sequence (Triton)."""
    starts, ends = _flag(given, _START, label), _flag(given, _END, label)
    name = given.get(_ID, 0)
    if not isinstance(name, str):
        name = _whole(given, _ID, label, "a whole number from 0 to 2^64-1 or a string")
    elif len(name) > _LONGEST_ID:
        raise InvalidInput(f"{label}: '{_ID}' has {len(name)} characters, expected at most {_LONGEST_ID}")
    return InSequence(name, starts=starts, ends=ends) if name else None


def _flag(given: Mapping[str, Parameter], name: str, label: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false", label)
    return value


def _whole(given: Mapping[str, Parameter], name: str, label: str, expected: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise _wrong(name, value, expected, label)
    return value


def _wrong(name: str, value: Parameter, expected: str, label: str) -> InvalidInput:
    if isinstance(value, str):
        shown = "a string"
    elif isinstance(value, bool):
        shown = "the literal " + str(value).lower()
    else:
        shown = f"the number {value!s:.40}"
    return InvalidInput(f"{label}: '{name}' is {shown}, expected {expected}")
