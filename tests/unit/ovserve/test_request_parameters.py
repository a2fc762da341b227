"""What a request's parameters mean."""

import pytest

from ovserve.errors import InvalidInput
from ovserve.request_parameters import with_parameters
from ovserve.requests import Hurried, InferRequest, InSequence, Parameter, Patient

PLAIN = InferRequest("m", {})


def test_what_has_no_meaning_here_goes_to_the_model() -> None:
    given: dict[str, Parameter] = {"beams": 4, "scale": 0.5, "greedy": False, "prompt": "hi", "priority": 3}
    request = with_parameters(PLAIN, given)
    assert request.parameters == {"beams": 4, "scale": 0.5, "greedy": False, "prompt": "hi"}
    assert (request.priority, request.timeout_us, request.sequence) == (3, 0, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sequence_id": 7}, InSequence(7)),
        ({"sequence_id": 2**64 - 1, "sequence_start": True}, InSequence(2**64 - 1, starts=True)),
        ({"sequence_id": "seven", "sequence_end": True}, InSequence("seven", ends=True)),
        ({"sequence_id": 7, "sequence_start": False, "sequence_end": False}, InSequence(7)),
        ({"sequence_id": 0, "sequence_start": True}, None),
        ({"sequence_id": ""}, None),
    ],
)
def test_a_sequence_has_a_number_or_a_name(given: dict[str, Parameter], expected: InSequence | None) -> None:
    assert with_parameters(PLAIN, given).sequence == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sequence_id": -1}, "'sequence_id' is the number -1, expected a whole number from 0 to 2^64-1 or a string"),
        ({"sequence_id": 2**64}, "'sequence_id' is the number 18446744073709551616, expected a whole number"),
        ({"sequence_id": True}, "'sequence_id' is the literal true, expected a whole number"),
        ({"sequence_id": 1.5}, "'sequence_id' is the number 1.5, expected a whole number"),
        ({"sequence_id": "x" * 129}, "'sequence_id' has 129 characters, expected at most 128"),
        ({"sequence_start": 1}, "'sequence_start' is the number 1, expected true or false"),
        ({"sequence_end": "yes"}, "'sequence_end' is a string, expected true or false"),
        ({"priority": -1}, "'priority' is the number -1, expected a whole number from 0 on"),
        ({"timeout": "1"}, "'timeout' is a string, expected a number of microseconds"),
        ({"timeout": float("nan")}, "'timeout' is the number nan, expected a number of microseconds"),
        ({"triton_mine": 1}, "parameter 'triton_mine' begins with 'triton_', of which there is only 'triton_enable_"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(given: dict[str, Parameter], sentence: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        with_parameters(PLAIN, given)
    assert str(raised.value).startswith(f"model 'm': the request: {sentence}")


def test_a_timeout_ends_the_patience_of_a_patient_caller() -> None:
    assert Hurried(Patient(), 0).time_remaining() == 0
    assert 0 < Hurried(Hurried(Patient(), 50), 100).time_remaining() <= 50
