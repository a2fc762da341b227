"""TensorFlow Serving's API over gRPC, on the port of KServe."""

from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import small_models
from ovserve.frontends.tfs import messages
from tfs_wire import MODEL, PREDICTION, TfsWire, asking, outputs, predict_request
from wire_server import Wire, request, texts

Code = grpc.StatusCode


@pytest.fixture
def tfs(wire: Wire) -> Iterator[TfsWire]:
    return TfsWire(wire.channel)


def test_predict_answers_what_kserve_answers(wire: Wire, tfs: TfsWire) -> None:
    inputs = {"a": np.arange(8, dtype=np.float32).reshape(2, 4), "b": np.full((2, 4), 0.5, np.float32)}
    expected = wire.infer(request("dyn", inputs)).outputs
    got = tfs.predict("dyn", inputs)
    assert got.keys() == expected.keys()
    assert all((got[name] == expected[name]).all() for name in expected)


@pytest.mark.parametrize("kind", [kind for kind in small_models.NUMERIC if kind != "bf16"])
def test_each_datatype_passes_through(tfs: TfsWire, kind: str) -> None:
    x = np.array([0, 1, 1], np.bool_) if kind == "boolean" else np.array([0, 1, 2], _numpy(kind))
    got = tfs.predict(f"pass_{kind}", {"x": x})["x"]
    assert got.dtype == x.dtype
    assert got.tolist() == x.tolist()


def _numpy(kind: str) -> str:
    return (
        kind.replace("u", "uint").replace("i", "int", 1)
        if kind[0] == "i"
        else kind.replace("u", "uint").replace("f", "float")
    )


def test_bfloat16_passes_through_as_patterns(tfs: TfsWire) -> None:
    message = predict_request("pass_bf16", {"x": np.array([1, 2], np.uint16)})
    message.inputs["x"].dtype = messages.DATA_TYPE.values_by_name["DT_BFLOAT16"].number
    message.inputs["x"].ClearField("tensor_content")
    message.inputs["x"].half_val.extend([0x3F80, 0xC000])
    assert outputs(tfs.call(f"{PREDICTION}Predict", message))["x"].tolist() == [0x3F80, 0xC000]


def test_strings_travel_as_string_val(tfs: TfsWire) -> None:
    words = texts(b"one", b"", b"\x00\xff")
    assert tfs.predict("text", {"x": words})["x"].tolist() == words.tolist()


def test_a_scalar_stays_one(tfs: TfsWire) -> None:
    got = tfs.predict("scalar", {"x": np.array(1, np.float32)})["y"]
    assert (got.shape, got.item()) == ((), 2)


def test_no_version_and_version_0_are_the_default_one(tfs: TfsWire) -> None:
    for version in (None, 0):
        got = tfs.call(f"{PREDICTION}Predict", predict_request("upper", {"x": np.ones(2, np.float32)}, version))
        spec = messages.PredictResponse.FromString(got.data).model_spec
        assert (spec.name, spec.version.value) == ("upper", 1)


def test_output_filter_is_honoured(tfs: TfsWire) -> None:
    x = np.ones((1, 4), np.float32)
    message = predict_request("dyn", {"a": x, "b": x})
    message.output_filter.append("sum")
    assert list(outputs(tfs.call(f"{PREDICTION}Predict", message))) == ["sum"]
    message.output_filter[:] = ["total"]
    got = tfs.call(f"{PREDICTION}Predict", message)
    assert got.code is Code.INVALID_ARGUMENT
    assert "total" in got.details
    assert "sum" in got.details


def test_the_signature_s_name_has_no_effect(tfs: TfsWire) -> None:
    message = predict_request("scalar", {"x": np.array(1, np.float32)})
    message.model_spec.signature_name = "whatever"
    assert outputs(tfs.call(f"{PREDICTION}Predict", message))["y"] == 2


def _grow(message: messages.PredictRequest) -> None:
    message.inputs["x"].tensor_shape.dim[0].size = 3
    message.inputs["x"].tensor_content += bytes(12)


def _add_byte(message: messages.PredictRequest) -> None:
    message.inputs["x"].tensor_content += b"1"


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"),
    [
        (lambda m: setattr(m.model_spec, "name", "nope"), Code.NOT_FOUND, "model 'nope' is not found"),
        (
            lambda m: setattr(m.model_spec.version, "value", 7),
            Code.NOT_FOUND,
            "model 'fixed' version 7 is not found; served: 1",
        ),
        (
            lambda m: setattr(m.model_spec.version, "value", -1),
            Code.INVALID_ARGUMENT,
            "model 'fixed': version -1 is not valid",
        ),
        (
            lambda m: setattr(m.model_spec, "version_label", "stable"),
            Code.NOT_FOUND,
            "model 'fixed': no version has the label 'stable'",
        ),
        (lambda m: m.ClearField("model_spec"), Code.INVALID_ARGUMENT, "model_spec missing in request"),
        (
            lambda m: setattr(m.model_spec, "name", "broken"),
            Code.NOT_FOUND,
            "model 'broken' is not available: version 1: ",
        ),
        (_grow, Code.INVALID_ARGUMENT, "Invalid input batch size - Expected: 2; Actual: 3; input name: x"),
        (
            lambda m: setattr(m.inputs["x"], "dtype", 1),
            Code.INVALID_ARGUMENT,
            "input 'x' expects datatype INT32, got FP32",
        ),
        (
            _add_byte,
            Code.INVALID_ARGUMENT,
            "model 'fixed': input 'x' of shape [2,3] and datatype INT32 expects 24 bytes, got 25",
        ),
        (lambda m: m.inputs["y"].CopyFrom(m.inputs["x"]), Code.INVALID_ARGUMENT, "model 'fixed'"),
    ],
)
def test_what_is_wrong_is_told_with_ovms_s_code(
    tfs: TfsWire, spoil: Callable[[messages.PredictRequest], object], code: Code, sentence: str
) -> None:
    message = predict_request("fixed", {"x": np.ones((2, 3), np.int32)})
    spoil(message)
    got = tfs.call(f"{PREDICTION}Predict", message)
    assert got.code is code
    assert sentence in got.details


def test_metadata_is_a_signature(tfs: TfsWire) -> None:
    assert tfs.signature("dyn") == {
        "inputs": {"a": ("DT_FLOAT", [-1, 4]), "b": ("DT_FLOAT", [-1, 4])},
        "outputs": {"sum": ("DT_FLOAT", [-1, 4]), "difference": ("DT_FLOAT", [-1, 4])},
    }
    assert tfs.signature("bounded")["inputs"] == {"x": ("DT_FLOAT", [-1, 4])}
    assert tfs.signature("scalar")["inputs"] == {"x": ("DT_FLOAT", [])}


@pytest.mark.parametrize("kind", small_models.ALL)
def test_metadata_names_each_datatype(tfs: TfsWire, kind: str) -> None:
    model = "text" if kind == "string" else f"pass_{kind}"
    names = {"f16": "HALF", "bf16": "BFLOAT16", "f32": "FLOAT", "f64": "DOUBLE", "string": "STRING", "boolean": "BOOL"}
    expected = names.get(kind, small_models.KSERVE[kind])
    assert tfs.signature(model)["inputs"]["x"][0] == f"DT_{expected}"


def test_metadata_is_of_the_version_that_answers(tfs: TfsWire) -> None:
    spec = messages.GetModelMetadataResponse.FromString(tfs.metadata("upper").data).model_spec
    assert (spec.name, spec.version.value) == ("upper", 1)


@pytest.mark.parametrize("fields", [(), ("else",), ("signature_def", "signature_def")])
def test_other_metadata_is_refused(tfs: TfsWire, fields: tuple[str, ...]) -> None:
    got = tfs.metadata("dyn", fields=fields)
    assert got.code is Code.INVALID_ARGUMENT
    assert "Invalid signature name" in got.details


def test_metadata_needs_a_model_spec(tfs: TfsWire) -> None:
    got = tfs.call(f"{PREDICTION}GetModelMetadata", messages.GetModelMetadataRequest(metadata_field=["signature_def"]))
    assert (got.code, got.details) == (Code.INVALID_ARGUMENT, "model_spec missing in request")


def test_status_tells_each_version_and_the_cause(tfs: TfsWire) -> None:
    first, second = tfs.states("upper")
    assert first == (1, 30, 0, "OK")
    assert second[:3] == (2, 20, 2)
    assert "model.bin" in second[3]
    assert tfs.states("upper", 0) == [first, second]


def test_status_of_one_version(tfs: TfsWire) -> None:
    assert tfs.states("upper", 1) == [(1, 30, 0, "OK")]


@pytest.mark.parametrize(("model", "version"), [("nope", None), ("upper", 3)])
def test_status_of_what_is_not_there(tfs: TfsWire, model: str, version: int | None) -> None:
    got = tfs.status(model, version)
    assert got.code is Code.NOT_FOUND
    assert f"model '{model}'" in got.details


def test_a_model_without_versions_has_no_states(tfs: TfsWire) -> None:
    assert tfs.states("void") == []


@pytest.mark.parametrize(
    "path",
    [
        *(f"{PREDICTION}{name}" for name in ("Classify", "Regress", "MultiInference")),
        f"{MODEL}HandleReloadConfigRequest",
    ],
)
def test_what_ovms_never_had_is_refused_in_a_sentence(tfs: TfsWire, path: str) -> None:
    got = tfs.call(path, b"\xff")
    assert (got.code, got.details) == (Code.UNIMPLEMENTED, f"{path.rpartition('/')[2]} is not supported by this server")


def test_what_is_no_message_is_the_client_s_fault(tfs: TfsWire) -> None:
    got = tfs.call(f"{PREDICTION}Predict", b"\xff\xff")
    assert got.code is Code.INVALID_ARGUMENT
    assert got.details == "the message is not a valid tensorflow.serving.PredictRequest"
    assert tfs.call(f"{MODEL}GetModelStatus", asking(messages.GetModelStatusRequest, "dyn")).code is Code.OK


def _reflected(wire: Wire, **request: str) -> reflection_pb2.ServerReflectionResponse:
    stub = reflection_pb2_grpc.ServerReflectionStub(wire.channel)
    return next(iter(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))))


def test_reflection_lists_the_services(wire: Wire) -> None:
    listed = {service.name for service in _reflected(wire, list_services="").list_services_response.service}
    assert listed == {
        "inference.GRPCInferenceService",
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize(
    "symbol",
    [
        "inference.GRPCInferenceService",
        "tensorflow.serving.PredictionService",
        "tensorflow.TensorProto",
        "grpc.health.v1.Health",
    ],
)
def test_reflection_describes_them(wire: Wire, symbol: str) -> None:
    described = _reflected(wire, file_containing_symbol=symbol)
    assert described.file_descriptor_response.file_descriptor_proto
