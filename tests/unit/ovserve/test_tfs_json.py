"""TensorFlow Serving's REST API, text in and text out."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.control import Fault, Standing
from ovserve.errors import InvalidInput, Unsupported, WrongContent, WrongShape, WrongTensors
from ovserve.frontends.tfs import metadata, model_status
from ovserve.frontends.tfs.json_predict import Format, parse, to_json
from ovserve.requests import InferResponse, Metadata
from ovserve.serving.registry import State
from ovserve.tensors import ANY, Dim, DType, Tensor, TensorSpec


def spec(name: str, dtype: DType | None = DType.FP32) -> TensorSpec:
    return TensorSpec(name, dtype, (ANY, ANY))


def read(body: object, *specs: TensorSpec) -> dict[str, Tensor]:
    document = json.loads(body if isinstance(body, bytes) else json.dumps(body))
    return dict(parse(document, "m", None, specs or (spec("x"),))[0].inputs)


def listed(tensors: dict[str, Tensor]) -> dict[str, Any]:
    return {name: tensor.data.tolist() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": [[1, 2], [3, 4]]}, {"x": [[1, 2], [3, 4]]}),
        ({"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}, {"x": [[1, 2], [3, 4]]}),
        ({"instances": [1.5, 2]}, {"x": [1.5, 2]}),
        ({"inputs": [[1, 2]]}, {"x": [[1, 2]]}),
        ({"inputs": {"x": [[1, 2]]}}, {"x": [[1, 2]]}),
        ({"inputs": 3}, {"x": 3}),
        ({"inputs": {"x": 3}}, {"x": 3}),
        ({"inputs": [], "signature_name": "any"}, {"x": []}),
        ({"inputs": [[], []]}, {"x": [[], []]}),
    ],
)
def test_rows_and_columns_with_and_without_names(body: object, expected: dict[str, Any]) -> None:
    tensors = read(body)
    assert listed(tensors) == expected
    assert tensors["x"].dtype is DType.FP32


def test_rows_of_several_inputs_become_columns() -> None:
    tensors = read({"instances": [{"a": [1], "b": 2}, {"b": 4, "a": [3]}]}, spec("a"), spec("b", DType.INT64))
    assert listed(tensors) == {"a": [[1], [3]], "b": [2, 4]}
    assert tensors["b"].data.dtype == np.int64


def test_the_answer_has_the_format_of_the_request() -> None:
    assert parse({"instances": [1]}, "m", 3, [spec("x")])[1] is Format.ROWS
    request, format_ = parse({"inputs": [1]}, "m", 3, [spec("x")])
    assert (request.model, request.version, format_) == ("m", 3, Format.COLUMNS)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (DType.INT64, [-(2**63), 2**63 - 1]),
        (DType.UINT64, [0, 2**64 - 1]),
        (DType.INT8, [-128, 127]),
        (DType.UINT16, [0, 65535]),
        (DType.FP64, [1e300, -0.1]),
        (DType.BOOL, [True, False]),
    ],
)
def test_values_are_exact(dtype: DType, values: list) -> None:
    tensor = read({"inputs": values}, spec("x", dtype))["x"]
    assert tensor.data.dtype == dtype.numpy
    assert tensor.data.tolist() == values


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (DType.INT32, 2.0, 2),
        (DType.FP32, 3, 3.0),
        (DType.FP32, True, 1.0),
        (DType.BOOL, 1, True),
        (DType.INT32, True, 1),
        (DType.FP16, 0.1, float(np.float16(0.1))),
        (DType.BF16, 1.0, 0x3F80),
        (DType.BF16, 1.01, 0x3F81),
        (DType.FP32, 1e300, float("inf")),
    ],
)
def test_values_take_the_model_s_datatype(dtype: DType, value: object, expected: object) -> None:
    assert read({"inputs": [value]}, spec("x", dtype))["x"].data.tolist() == [expected]


def test_nan_and_infinity_stand_for_themselves() -> None:
    values = read(b'{"inputs": [NaN, Infinity, -Infinity]}')["x"].data
    assert np.isnan(values[0])
    assert values[1:].tolist() == [np.inf, -np.inf]
    assert read(b'{"inputs": [NaN]}', spec("x", DType.BF16))["x"].data.tolist() == [0x7FC0]


@pytest.mark.parametrize(
    ("value", "dtype"), [([1, 2], DType.INT64), ([1, 2.5], DType.FP32), ([True], DType.BOOL), (["a"], DType.BYTES)]
)
def test_where_the_model_takes_any_datatype_the_values_decide(value: object, dtype: DType) -> None:
    assert read({"inputs": value}, spec("x", None))["x"].dtype is dtype


def test_strings_and_bytes() -> None:
    assert listed(read({"inputs": [["a", {"b64": "AP8="}]]}, spec("x", DType.BYTES))) == {"x": [[b"a", b"\x00\xff"]]}
    assert listed(read({"inputs": "\u00e4"}, spec("x", DType.BYTES))) == {"x": "\u00e4".encode()}
    assert read({"inputs": []}, spec("x", DType.BYTES))["x"].shape == (0,)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"b64": "AAE="}, {"b64": "AgM="}]},
        {"instances": [{"x": {"b64": "AAE="}}, {"x": {"b64": "AgM="}}]},
        {"inputs": [{"b64": "AAE="}, {"b64": "AgM="}]},
        {"inputs": {"x": [{"b64": "AAE="}, {"b64": "AgM="}]}},
    ],
)
def test_pictures_come_as_bytes_whatever_the_model_s_datatype(body: object) -> None:
    tensor = read(body)["x"]
    assert (tensor.dtype, tensor.data.tolist()) == (DType.BYTES, [b"\x00\x01", b"\x02\x03"])


TWO = (spec("a"), spec("b"))


@pytest.mark.parametrize(
    ("body", "specs", "error", "text"),
    [
        ([], (), WrongContent, "Invalid JSON structure. Could not detect row or column format"),
        ({"instances": [1], "inputs": [1]}, (), WrongContent, "Could not detect row or column format"),
        ({"instances": {}}, (), WrongContent, "Invalid JSON structure. Missing instances in row format"),
        ({"instances": []}, (), WrongContent, "Invalid JSON structure. Missing instances in row format"),
        (
            {"instances": [[1], {"x": [1]}]},
            (),
            WrongContent,
            "Invalid JSON structure. Nonamed instance is not an array.",
        ),
        ({"instances": [{"x": 1}, [1]]}, (), WrongContent, "One of named instances is not a JSON object."),
        ({"instances": [{"a": 1, "b": 1}, {"a": 1}]}, TWO, WrongTensors, "instances of different inputs"),
        (
            {"instances": [[1]]},
            TWO,
            WrongTensors,
            "Inputs inside buffer does not match expected format. - model 'm' has",
        ),
        ({"inputs": [[1]]}, TWO, WrongTensors, "Inputs inside buffer does not match expected format."),
        ({"inputs": [[1, 2], [3]]}, (), WrongShape, "Not valid ndarray detected - model 'm': input 'x' has lists"),
        ({"inputs": [[1], 2]}, (), WrongShape, "lists of different lengths"),
        ({"inputs": [1, "a"]}, (), WrongContent, "something else than numbers"),
        ({"inputs": [1, None]}, (), WrongContent, "something else than numbers"),
        ({"inputs": ["a", 1]}, (), WrongContent, "expects strings"),
        ({"inputs": [["a"], ["b", "c"]]}, (), WrongShape, "lists of different lengths"),
        ({"inputs": [["a"], "c"]}, (), WrongShape, "lists of different lengths"),
        ({"inputs": [{"b64": "?"}]}, (), WrongContent, "Decode Base64 to string error"),
        ({"inputs": [{"b64": 1}]}, (), WrongContent, "expects strings"),
        ({"inputs": [1.5]}, (spec("x", DType.INT8),), WrongContent, "DT_INT8, expected whole numbers"),
        ({"inputs": [300]}, (spec("x", DType.UINT8),), WrongContent, "DT_UINT8, expected values 0 to 255"),
        ({"inputs": [2]}, (spec("x", DType.BOOL),), WrongContent, "DT_BOOL, expected values 0 to 1"),
        ({"inputs": [10**400]}, (), WrongContent, "too large for DT_FLOAT"),
        (b'{"inputs": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}", (), WrongShape, "40 dimensions, expected at most 32"),
    ],
)
def test_what_cannot_be_read_is_told_in_ovms_s_words_and_more(
    body: object, specs: tuple[TensorSpec, ...], error: type[InvalidInput], text: str
) -> None:
    with pytest.raises(error) as caught:
        read(body, *specs)
    assert text in str(caught.value)
    assert "model 'm'" in str(caught.value)


def test_a_long_string_among_numbers_takes_no_room_in_each_element() -> None:
    with pytest.raises(WrongContent):
        read({"inputs": [*range(100_000), "x" * 1_000_000]})


def answer(**outputs: Tensor) -> InferResponse:
    return InferResponse("m", 1, outputs)


A = Tensor(DType.FP32, np.array([[1, 2], [3, 4.5]], np.float32))
B = Tensor(DType.INT64, np.array([2**63 - 1, -1]))


@pytest.mark.parametrize(
    ("response", "format_", "expected"),
    [
        (answer(a=A), Format.ROWS, {"predictions": [[1, 2], [3, 4.5]]}),
        (answer(a=A), Format.COLUMNS, {"outputs": [[1, 2], [3, 4.5]]}),
        (answer(a=A, b=B), Format.ROWS, {"predictions": [{"a": [1, 2], "b": 2**63 - 1}, {"a": [3, 4.5], "b": -1}]}),
        (answer(a=A, b=B), Format.COLUMNS, {"outputs": {"a": [[1, 2], [3, 4.5]], "b": [2**63 - 1, -1]}}),
        (answer(a=Tensor(DType.BF16, np.array([0x3F80], np.uint16))), Format.COLUMNS, {"outputs": [1.0]}),
        (answer(a=Tensor(DType.FP16, np.array(0.5, np.float16))), Format.COLUMNS, {"outputs": 0.5}),
        (
            answer(a=Tensor(DType.BYTES, np.array([b"x", "ä".encode()], object))),
            Format.ROWS,
            {"predictions": ["x", "ä"]},
        ),
        (
            answer(a=Tensor(DType.BYTES, np.array([b"x", b"\xff"], object))),
            Format.ROWS,
            {"predictions": [{"b64": "eA=="}, {"b64": "/w=="}]},
        ),
        (
            answer(a_bytes=Tensor(DType.BYTES, np.array([b"x"], object))),
            Format.ROWS,
            {"predictions": [{"b64": "eA=="}]},
        ),
    ],
)
def test_answers(response: InferResponse, format_: Format, expected: object) -> None:
    assert json.loads(to_json(response, format_)) == expected


def test_outputs_without_common_rows_cannot_be_answered_by_rows() -> None:
    with pytest.raises(Unsupported, match=r"'a' \[2, 2\], 'c' \[1\] have no rows in common: ask by columns"):
        to_json(answer(a=A, c=Tensor(DType.FP32, np.zeros(1, np.float32))), Format.ROWS)


METADATA = Metadata(
    "dummy",
    1,
    "OpenVINO",
    (TensorSpec("b", DType.FP32, (Dim(1, 1), Dim(10, 10))),),
    (TensorSpec("a", None, (Dim(1, 4),)),),
)


METADATA_TEXT = """{
 "modelSpec": {
  "name": "dummy",
  "signatureName": "",
  "version": "1"
 },
 "metadata": {
  "signature_def": {
   "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap",
   "signatureDef": {
    "serving_default": {
     "inputs": {
      "b": {
       "dtype": "DT_FLOAT",
       "tensorShape": {
        "dim": [
         {
          "size": "1",
          "name": ""
         },
         {
          "size": "10",
          "name": ""
         }
        ],
        "unknownRank": false
       },
       "name": "b"
      }
     },
     "outputs": {
      "a": {
       "dtype": "DT_INVALID",
       "tensorShape": {
        "dim": [
         {
          "size": "-1",
          "name": ""
         }
        ],
        "unknownRank": false
       },
       "name": "a"
      }
     },
     "methodName": ""
    }
   }
  }
 }
}
"""


def test_metadata_is_printed_as_ovms_prints_it() -> None:
    assert metadata.to_json(METADATA) == METADATA_TEXT


def test_the_printed_metadata_says_what_the_message_says() -> None:
    message = metadata.encode(METADATA)
    signature = metadata.SignatureDefMap()
    assert message.metadata["signature_def"].Unpack(signature)
    info = signature.signature_def["serving_default"].inputs["b"]
    assert (info.name, info.dtype, [dim.size for dim in info.tensor_shape.dim]) == ("b", 1, [1, 10])


GOOD = Standing(1, State.AVAILABLE, None, "")


def test_the_states_of_all_models_are_printed_as_ovms_prints_them() -> None:
    expected = """{
"a" :\x20
{
 "model_version_status": []
},
"dummy" :\x20
{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": "OK"
   }
  },
  {
   "version": "2",
   "state": "LOADING",
   "status": {
    "error_code": "UNKNOWN",
    "error_message": "model.bin is missing"
   }
  }
 ]
}
}"""
    models = {"dummy": [GOOD, Standing(2, State.LOADING, Fault.FAILED, "model.bin is missing")], "a": []}
    assert model_status.config_json(models) == expected


def test_no_models_are_an_empty_object() -> None:
    assert model_status.config_json({}) == "{}"


def test_errors_are_printed_as_ovms_prints_them() -> None:
    assert model_status.error_json('no "x"') == '{\n\t"error": "no \\"x\\""\n}'


@pytest.mark.parametrize(
    ("standing", "row"),
    [
        (GOOD, (1, 30, 0, "OK")),
        (Standing(2, State.END, None, ""), (2, 50, 0, "OK")),
        (Standing(1, State.LOADING, Fault.MEMBER_MISSING, "node 'n': gone"), (1, 20, 9, "node 'n': gone")),
        (Standing(1, State.AVAILABLE, None, "not reshaped"), (1, 30, 0, "not reshaped")),
    ],
)
def test_states_as_messages(standing: Standing, row: tuple[int, int, int, str]) -> None:
    (got,) = model_status.encode([standing]).model_version_status
    assert (got.version, got.state, got.status.error_code, got.status.error_message) == row


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just({"b64": "AAE="}),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "y", "b64"]), inner, max_size=2),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), JSON) | JSON,
    st.sampled_from([None, *DType]),
)
def test_any_document_is_a_request_or_a_refusal(document: object, dtype: DType | None) -> None:
    try:
        request, _ = parse(document, "m", None, (spec("x", dtype),))
    except InvalidInput:
        return
    assert all(tensor.data.dtype == tensor.dtype.numpy for tensor in request.inputs.values())
