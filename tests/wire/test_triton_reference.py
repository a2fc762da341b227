"""What Triton answers (spec/triton-reference.md), row by row: the same status, and a sentence that is no worse."""

from collections.abc import Callable
from functools import partial

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb

from server_process import ServerProcess
from wire_server import SERVICE, Wire, add_raw, request

OK = grpc.StatusCode.OK
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

ANSWERED = {
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryIndex",
    "ModelConfig",
    "ModelStatistics",
    "LogSettings",
    "TraceSetting",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryUnregister",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
}
TWO = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)

ROWS: list[object] = []


def row(status: grpc.StatusCode, *fragments: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A row of the reference: what is changed in a good request, the status, and what the sentence must name."""

    def register(change: Callable[..., None]) -> Callable[..., None]:
        ROWS.append(pytest.param(change, status, fragments, id=change.__name__))
        return change

    return register


def good() -> pb.ModelInferRequest:
    return request("dyn", {"a": TWO, "b": TWO + 1}, id="r7")


@row(NOT_FOUND, "model 'nope' is not found")
def unknown_model(message: pb.ModelInferRequest) -> None:
    message.model_name = "nope"


@row(NOT_FOUND, "model '' is not found")
def no_model(message: pb.ModelInferRequest) -> None:
    message.model_name = ""


@row(NOT_FOUND, "model 'dyn' version 9 is not found", "served: 1")
def unknown_version(message: pb.ModelInferRequest) -> None:
    message.model_version = "9"


@row(NOT_FOUND, "model 'dyn' version 9223372036854775807 is not found")
def highest_version_there_can_be(message: pb.ModelInferRequest) -> None:
    message.model_version = str(2**63 - 1)


@row(NOT_FOUND, "model 'broken' is not available", "version 1", "model.xml", "not well-formed XML")
def failed_model(message: pb.ModelInferRequest) -> None:
    message.model_name = "broken"


@row(NOT_FOUND, "model 'void' is not available", "no version found")
def model_without_versions(message: pb.ModelInferRequest) -> None:
    message.model_name = "void"


@row(NOT_FOUND, "model 'upper' version 2 is not available", "model.bin", "missing")
def failed_version(message: pb.ModelInferRequest) -> None:
    message.model_name, message.model_version = "upper", "2"


def malformed_version(version: str, message: pb.ModelInferRequest) -> None:
    message.model_version = version


ROWS.extend(
    pytest.param(
        partial(malformed_version, text),
        INVALID,
        ("model 'dyn'", f"version '{text}' is not valid", "expected a whole number from 1"),
        id=f"version {text!a}",
    )
    for text in ("abc", "-1", "0", "01", "+1", "1.0", " 1", "1 ", "1\n", "\u0661", "9" * 20, str(2**63))
)


@row(INVALID, "model 'dyn'", "expects 2 inputs 'a', 'b'", "missing 'b'", "unexpected 'zz'")
def wrong_input_name(message: pb.ModelInferRequest) -> None:
    message.inputs[1].name = "zz"


@row(INVALID, "model 'dyn'", "expects 2 inputs 'a', 'b'", "got 1", "missing 'b'")
def missing_input(message: pb.ModelInferRequest) -> None:
    del message.inputs[1], message.raw_input_contents[1]


@row(INVALID, "model 'dyn'", "expects 2 inputs", "got 0", "missing 'a', 'b'")
def no_inputs(message: pb.ModelInferRequest) -> None:
    del message.inputs[:], message.raw_input_contents[:]


@row(INVALID, "model 'dyn'", "expects 2 inputs", "got 3", "unexpected 'c'")
def extra_input(message: pb.ModelInferRequest) -> None:
    add_raw(message, "c", TWO)


@row(INVALID, "model 'dyn'", "input 'a'", "occurs twice")
def duplicate_input(message: pb.ModelInferRequest) -> None:
    message.inputs[1].name = "a"


@row(INVALID, "model 'dyn'", "Invalid input shape - Expected: (-1,4); Actual: (4,2); input name: a")
def wrong_shape(message: pb.ModelInferRequest) -> None:
    message.inputs[0].shape[:] = [4, 2]


@row(INVALID, "model 'dyn'", "Invalid number of shape dimensions - Expected: (-1,4); Actual: (8); input name: a")
def wrong_rank(message: pb.ModelInferRequest) -> None:
    message.inputs[0].shape[:] = [8]


@row(INVALID, "model 'dyn'", "input 'a'", "[-1,4]", "expected every dimension to be 0 or more")
def a_dimension_of_minus_one(message: pb.ModelInferRequest) -> None:
    message.inputs[0].shape[:] = [-1, 4]


@row(OK)
def zero_dimension(message: pb.ModelInferRequest) -> None:
    for index in range(2):
        message.inputs[index].shape[:] = [0, 4]
        message.raw_input_contents[index] = b""


@row(INVALID, "model 'dyn'", "input 'a'", "expects datatype FP32", "got FP64")
def wrong_datatype(message: pb.ModelInferRequest) -> None:
    message.inputs[0].datatype = "FP64"
    message.raw_input_contents[0] = TWO.astype(np.float64).tobytes()


def no_datatype(name: str, message: pb.ModelInferRequest) -> None:
    message.inputs[0].datatype = name


ROWS.extend(
    pytest.param(
        partial(no_datatype, text),
        INVALID,
        ("model 'dyn'", "input 'a'", f"datatype '{text}'", "expected one of BOOL, UINT8"),
        id=f"datatype {text!a}",
    )
    for text in ("", "fp32", "FP32 ", "FLOAT", "STRING", "<invalid>", "INT128", "\x00")
)


@row(INVALID, "model 'dyn'", "input 'a'", "expects 32 bytes", "got 28")
def raw_content_too_short(message: pb.ModelInferRequest) -> None:
    message.raw_input_contents[0] = TWO.tobytes()[:-4]


@row(INVALID, "model 'dyn'", "input 'b'", "expects 32 bytes", "got 33")
def raw_content_too_long(message: pb.ModelInferRequest) -> None:
    message.raw_input_contents[1] += b"\0"


@row(INVALID, "model 'dyn'", "input 'b'", "no data", "fewer entries")
def fewer_raw_entries_than_inputs(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[1]


@row(INVALID, "model 'dyn'", "input 'a'", "expects 8 values in fp32_contents", "got 0", "no data at all")
def no_data(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[:]


@row(INVALID, "model 'dyn'", "raw_input_contents has 3 entries for 2 inputs")
def more_raw_entries_than_inputs(message: pb.ModelInferRequest) -> None:
    message.raw_input_contents.append(b"")


@row(INVALID, "model 'dyn'", "input 'b'", "typed contents although the request uses raw_input_contents")
def raw_and_typed_contents_together(message: pb.ModelInferRequest) -> None:
    message.inputs[1].contents.fp32_contents.extend(TWO.ravel())


@row(INVALID, "model 'dyn'", "input 'a'", "datatype FP32", "expected fp32_contents", "got int_contents")
def wrong_typed_field(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[:]
    message.inputs[0].contents.int_contents.extend(range(8))


@row(INVALID, "model 'dyn'", "input 'a'", "expects 8 values in fp32_contents", "got 7")
def too_few_typed_values(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[:]
    message.inputs[0].contents.fp32_contents.extend(range(7))


@row(INVALID, "model 'dyn'", "no output 'zz'", "'difference'", "'sum'")
def unknown_requested_output(message: pb.ModelInferRequest) -> None:
    message.outputs.add(name="zz")


@row(NOT_FOUND, "model 'dyn'", "input 'a'", "shared memory region 'nosuch'", "not registered")
def input_from_a_region_not_registered(message: pb.ModelInferRequest) -> None:
    message.inputs[0].parameters["shared_memory_region"].string_param = "nosuch"


@row(NOT_FOUND, "model 'dyn'", "output 'sum'", "shared memory region 'nosuch'", "not registered")
def output_to_a_region_not_registered(message: pb.ModelInferRequest) -> None:
    message.outputs.add(name="sum").parameters["shared_memory_region"].string_param = "nosuch"


@row(INVALID, "model 'bounded'", "Invalid input batch size - Expected: [1~4]; Actual: 5; input name: x")
def batch_above_the_models_highest(message: pb.ModelInferRequest) -> None:
    message.CopyFrom(request("bounded", {"x": np.zeros((5, 4), np.float32)}, id="r7"))


@pytest.mark.parametrize(("change", "status", "fragments"), ROWS)
def test_infer_answers_as_triton_does(
    wire: Wire, change: Callable[..., None], status: grpc.StatusCode, fragments: tuple[str, ...]
) -> None:
    message = good()
    change(message)
    answer = wire.infer(message)
    assert answer.code is status, answer.details
    assert all(fragment in answer.details for fragment in fragments), answer.details
    if status is not OK:
        assert answer.details.startswith("[request id: r7] ")
        assert answer.details.count(message.model_name) >= 1


def test_a_refusal_without_request_id_has_no_prefix(wire: Wire) -> None:
    assert wire.infer(request("nope", {})).details == "model 'nope' is not found"


def test_a_zero_dimension_gives_empty_outputs_of_that_shape(wire: Wire) -> None:
    empty = np.empty((0, 4), np.float32)
    outputs = wire.infer(request("dyn", {"a": empty, "b": empty})).outputs
    assert {name: output.shape for name, output in outputs.items()} == {"sum": (0, 4), "difference": (0, 4)}


def test_a_scalar_has_an_empty_shape_both_ways(wire: Wire) -> None:
    answer = wire.infer(request("scalar", {"x": np.array(41, np.float32)}))
    assert answer.outputs["y"].shape == ()
    assert answer.outputs["y"] == 42


def test_a_vector_of_one_is_no_scalar(wire: Wire) -> None:
    answer = wire.infer(request("scalar", {"x": np.array([41], np.float32)}))
    assert answer.code is INVALID
    assert "Invalid number of shape dimensions - Expected: (); Actual: (1); input name: x" in answer.details


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (["difference", "sum"], ["sum", "difference"]),
        (["difference"], ["difference"]),
        (["sum", "sum"], ["sum"]),
        (["difference", "sum", "difference"], ["sum", "difference"]),
        ([], ["sum", "difference"]),
    ],
)
def test_requested_outputs_come_once_each_in_the_models_order(wire: Wire, asked: list[str], given: list[str]) -> None:
    message = good()
    for name in asked:
        message.outputs.add(name=name)
    assert list(wire.infer(message).outputs) == given


@pytest.mark.parametrize("request_id", ["", "r7", "\u00fcber/\u6587", "line\nbreak", "\0", "x" * 100_000])
def test_an_answer_echoes_the_id(wire: Wire, request_id: str) -> None:
    message = good()
    message.id = request_id
    assert pb.ModelInferResponse.FromString(wire.infer(message).data).id == request_id


def test_an_answer_names_the_model_and_the_version_that_gave_it(wire: Wire) -> None:
    message = request("upper", {"x": np.zeros(2, np.float32)})
    response = pb.ModelInferResponse.FromString(wire.infer(message).data)
    assert (response.model_name, response.model_version) == ("upper", "1")


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [
        ("dyn", "", True),
        ("dyn", "1", True),
        ("dyn", "9", False),
        ("nope", "", False),
        ("nope", "1", False),
        ("", "", False),
        ("broken", "", False),
        ("broken", "1", False),
        ("void", "", False),
        ("upper", "", True),
        ("upper", "1", True),
        ("upper", "2", False),
    ],
)
def test_model_ready_says_so_without_an_error(
    server: ServerProcess, wire: Wire, name: str, version: str, ready: bool
) -> None:
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_model_ready(name, version) is ready


@pytest.mark.parametrize("rpc", ["ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"])
@pytest.mark.parametrize("version", ["abc", "-1", "0", "01", "9" * 20])
def test_a_malformed_version_is_refused_wherever_one_is_named(wire: Wire, rpc: str, version: str) -> None:
    answer = wire.call(rpc, getattr(pb, f"{rpc}Request")(name="dyn", version=version))
    assert answer.code is INVALID
    assert f"model 'dyn': version '{version}' is not valid" in answer.details


@pytest.mark.parametrize("rpc", ["ModelMetadata", "ModelConfig"])
@pytest.mark.parametrize(
    ("name", "version", "sentence"),
    [
        ("nope", "", "model 'nope' is not found"),
        ("nope", "3", "model 'nope' is not found"),
        ("dyn", "9", "model 'dyn' version 9 is not found; served: 1"),
        ("broken", "", "model 'broken' is not available: version 1: OpenVINO IR file 'model.xml' cannot be read"),
        ("void", "", "model 'void' is not available: no version found"),
        ("upper", "2", "model 'upper' version 2 is not available: version 2: model.xml needs model.bin beside it"),
    ],
)
def test_metadata_and_config_of_what_is_not_served_are_not_found(
    wire: Wire, rpc: str, name: str, version: str, sentence: str
) -> None:
    answer = wire.call(rpc, getattr(pb, f"{rpc}Request")(name=name, version=version))
    assert answer.code is NOT_FOUND
    assert answer.details.startswith(sentence)


@pytest.mark.parametrize(
    ("name", "version", "sentence"),
    [
        ("nope", "", "model 'nope' is not found"),
        ("dyn", "9", "model 'dyn' version 9 is not found; served: 1"),
        ("broken", "", "model 'broken' is not available: version 1"),
    ],
)
def test_statistics_of_what_is_not_served_are_invalid(wire: Wire, name: str, version: str, sentence: str) -> None:
    answer = wire.call("ModelStatistics", pb.ModelStatisticsRequest(name=name, version=version))
    assert answer.code is INVALID
    assert answer.details.startswith(sentence)


def test_metadata_lists_the_versions_that_answer(server: ServerProcess, wire: Wire) -> None:
    with triton.InferenceServerClient(server.address) as client:
        metadata = client.get_model_metadata("upper")
    assert list(metadata.versions) == ["1"]


def test_a_range_shows_as_minus_one_in_metadata(server: ServerProcess, wire: Wire) -> None:
    with triton.InferenceServerClient(server.address) as client:
        assert list(client.get_model_metadata("bounded").inputs[0].shape) == [-1, 4]


def index_of(wire: Wire, *, ready: bool) -> dict[tuple[str, str], tuple[str, str]]:
    data = wire.call("RepositoryIndex", pb.RepositoryIndexRequest(ready=ready)).data
    models = pb.RepositoryIndexResponse.FromString(data).models
    return {(row.name, row.version): (row.state, row.reason) for row in models}


def test_the_index_lists_what_is_served_and_what_failed_with_its_reason(wire: Wire) -> None:
    index = index_of(wire, ready=False)
    assert index["dyn", "1"] == ("READY", "")
    state, reason = index["broken", "1"]
    assert state == "UNAVAILABLE"
    assert reason.startswith("OpenVINO IR file 'model.xml' cannot be read: it is not well-formed XML")
    assert index["upper", "1"] == ("READY", "")
    assert index["upper", "2"] == ("UNAVAILABLE", "model.xml needs model.bin beside it, which is missing")
    state, reason = index["void", ""]
    assert state == "UNAVAILABLE"
    assert reason.startswith("no version found: expected a folder named by a number")


def test_the_index_of_the_ready_lists_the_ready_only(wire: Wire) -> None:
    assert {state for state, _ in index_of(wire, ready=True).values()} == {"READY"}


def test_the_index_of_a_named_repository_is_unimplemented(wire: Wire) -> None:
    answer = wire.call("RepositoryIndex", pb.RepositoryIndexRequest(repository_name="models"))
    assert (answer.code, answer.details) == (UNIMPLEMENTED, "RepositoryIndex: 'repository_name' is not supported")


def test_classes_are_texts_of_value_and_place(wire: Wire) -> None:
    message = good()
    message.outputs.add(name="sum").parameters["classification"].int64_param = 1
    assert wire.infer(message).outputs["sum"].tolist() == [[b"9.000000:3"], [b"17.000000:3"]]


def test_a_count_of_classes_that_is_no_number_is_refused(wire: Wire) -> None:
    message = good()
    message.outputs.add(name="sum").parameters["classification"].string_param = "3"
    answer = wire.infer(message)
    assert answer.code is INVALID
    assert "model 'dyn': output 'sum': classification expects an int64_param" in answer.details


@pytest.mark.parametrize("rpc", sorted({method.name for method in SERVICE.methods} - ANSWERED - {"ModelStreamInfer"}))
def test_every_other_call_is_unimplemented_with_a_sentence(wire: Wire, rpc: str) -> None:
    answer = wire.call(rpc, b"")
    assert (answer.code, answer.details) == (UNIMPLEMENTED, f"{rpc} is not supported by this server")


@pytest.mark.parametrize("rpc", ["RepositoryModelLoad", "RepositoryModelUnload"])
def test_models_are_loaded_by_request_only_in_mode_explicit(wire: Wire, rpc: str) -> None:
    message = getattr(pb, f"{rpc}Request")(model_name="dyn")
    answer = wire.call(rpc, message.SerializeToString())
    sentence = "models are loaded and unloaded by request only with --model_control_mode explicit"
    assert (answer.code, answer.details) == (grpc.StatusCode.UNAVAILABLE, sentence)
    message.repository_name = "other"
    assert wire.call(rpc, message.SerializeToString()).code is UNIMPLEMENTED
