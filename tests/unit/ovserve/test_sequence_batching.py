"""Reading `sequence_batching`."""

from typing import Any

import pytest

from ovserve.config.declared import Control, SequenceBatching, WrongTritonConfig
from ovserve.config.pbtxt import parse_pbtxt
from ovserve.config.triton import DONE_BY_SERVER, read_triton

TEXT = """
sequence_batching {
  max_sequence_idle_microseconds: 2500000
  oldest { max_candidate_sequences: 4 }
  control_input [
    { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
    { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY bool_false_true: [ false, true ] } ] },
    { name: "END" control [ { kind: CONTROL_SEQUENCE_END fp32_false_true: [ -1, 0.5 ] } ] },
    { name: "ID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] }
  ]
}
"""


def read(field: Any) -> SequenceBatching | None:
    return read_triton({"sequence_batching": field}, DONE_BY_SERVER).sequences


def test_all_of_it() -> None:
    config = read_triton(parse_pbtxt(TEXT), DONE_BY_SERVER)
    controls = (
        Control("START", "START", (0, 1)),
        Control("READY", "READY", (0, 1)),
        Control("END", "END", (-1, 0.5)),
        Control("ID", "CORRID"),
    )
    assert config.sequences == SequenceBatching(2.5, controls)
    assert config.has_scheduler
    assert config.warnings == ()


def test_a_second_without_a_request_is_too_long_unless_it_says_otherwise() -> None:
    assert read({}) == read({"direct": {}}) == SequenceBatching(1.0)


def test_without_it_there_are_no_sequences() -> None:
    assert read_triton({}, DONE_BY_SERVER).sequences is None


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ({"state": [{"input_name": "a"}]}, "sequence_batching.state is not supported: the model's own variables are"),
        ({"iterative_sequence": True}, "sequence_batching.iterative_sequence is not supported"),
        ({"generative_sequence": True}, "sequence_batching.generative_sequence is not supported"),
        ({"control_input": [{"name": "a"}]}, "control_input 'a' has 0 controls, expected one"),
        (
            {"control_input": [{"name": "a", "control": [{"kind": "CONTROL_SEQUENCE_NOPE"}]}]},
            "control_input 'a' has the unknown kind NOPE",
        ),
        (
            {"control_input": [{"name": "a", "control": [{"kind": "CONTROL_SEQUENCE_END", "fp32_false_true": [1]}]}]},
            "control_input 'a' expects the values for no and yes in one of int32_false_true",
        ),
    ],
)
def test_what_is_refused(field: Any, sentence: str) -> None:
    with pytest.raises(WrongTritonConfig) as raised:
        read(field)
    assert sentence in str(raised.value)
