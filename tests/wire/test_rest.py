"""KServe v2 over REST, request by request: the originals' vectors with this project's codes."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

import small_models
from http_door import HttpDoor, with_binary
from server_process import ServerProcess
from wire_server import raw_strings


def tensor(name: str = "x", shape: Any = (2,), datatype: Any = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "datatype": datatype, **more}


def one(**more: Any) -> dict[str, Any]:
    return {"inputs": [tensor(**more)]}


GOOD = one(data=[1.5, 2.5])


# Health, metadata, configuration


def test_the_server_lives_and_is_ready(door: HttpDoor) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/grow/ready", "/v2/models/grow/versions/1/ready"):
        answer = door.get(path)
        assert (answer.status, answer.body) == (200, b""), path


def test_the_server_says_what_it_is(door: HttpDoor) -> None:
    document = door.get("/v2").json
    assert document["name"] == "ovserve"
    assert "binary_tensor_data" in document["extensions"]


def test_a_model_says_what_it_takes(door: HttpDoor) -> None:
    assert door.get("/v2/models/dyn").json == {
        "name": "dyn",
        "versions": ["1"],
        "platform": "OpenVINO",
        "inputs": [{"name": name, "datatype": "FP32", "shape": [-1, 4]} for name in ("a", "b")],
        "outputs": [{"name": name, "datatype": "FP32", "shape": [-1, 4]} for name in ("sum", "difference")],
    }


def test_ranges_are_told_under_a_key_of_our_own(door: HttpDoor) -> None:
    (given,) = door.get("/v2/models/bounded").json["inputs"]
    assert (given["shape"], given["shape_bounds"]) == ([-1, 4], [[1, 4], [4, 4]])


def test_the_configuration_is_tritons_with_numbers_as_numbers(door: HttpDoor) -> None:
    document = door.get("/v2/models/fixed/config").json
    assert (document["name"], document["max_batch_size"]) == ("fixed", 0)
    assert [(given["name"], given["data_type"], given["dims"]) for given in document["input"]] == [
        ("x", "TYPE_INT32", [2, 3])
    ]


def test_statistics_count_what_was_answered(door: HttpDoor) -> None:
    door.infer("scalar", one(shape=[], data=[1]))
    (counted,) = door.get("/v2/models/scalar/stats").json["model_stats"]
    assert (counted["name"], counted["version"]) == ("scalar", "1")
    assert counted["inference_stats"]["success"]["count"] >= 1
    assert "scalar" in [each["name"] for each in door.get("/v2/models/stats").json["model_stats"]]


def test_tritonclient_reads_it_all(server: ServerProcess, door: HttpDoor) -> None:
    with triton.InferenceServerClient(server.rest_address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("grow")
        assert not client.is_model_ready("nope")
        assert client.get_server_metadata()["name"] == "ovserve"
        assert client.get_model_metadata("grow", "1")["name"] == "grow"
        assert client.get_model_config("grow")["name"] == "grow"
        assert client.get_inference_statistics("grow")["model_stats"][0]["name"] == "grow"
        index = {(row["name"], row.get("version")): row.get("state") for row in client.get_model_repository_index()}
    assert index["grow", "1"] == "READY"
    assert index["broken", "1"] == "UNAVAILABLE"


def test_the_index_of_the_ready_lists_the_ready_only(door: HttpDoor) -> None:
    rows = door.ask("POST", "/v2/repository/index", {"ready": True}).json
    assert {row["state"] for row in rows} == {"READY"}
    all_rows = door.ask("POST", "/v2/repository/index").json
    assert len(all_rows) > len(rows)


@pytest.mark.parametrize("what", ["", "/ready", "/config"])
@pytest.mark.parametrize(
    ("model", "status", "sentence"),
    [
        ("nope", 404, "model 'nope' is not found"),
        ("dyn/versions/9", 404, "model 'dyn' version 9 is not found"),
        ("dyn/versions/72487667423532349025128558057", 404, "model 'dyn' version 72487667423532349025128558057"),
        ("dyn/versions/abc", 400, "model 'dyn': version 'abc' is not valid"),
        ("dyn/versions/0", 400, "model 'dyn': version '0' is not valid"),
        ("dyn/versions/-1", 400, "model 'dyn': version '-1' is not valid"),
        ("broken", 404, "model 'broken' is not available: version 1: OpenVINO IR file 'model.xml' cannot be read"),
        ("%FF", 400, "'%FF' is not the name of a model"),
        ("a%2F..%2F..%2Fetc", 400, "'a%2F..%2F..%2Fetc' is not the name of a model"),
        ("..", 400, "'..' is not the name of a model"),
        ("a%00b", 400, "'a%00b' is not the name of a model"),
        ("a%2Fb", 404, "model 'a/b' is not found"),
    ],
)
def test_what_is_not_served_is_told(door: HttpDoor, what: str, model: str, status: int, sentence: str) -> None:
    answer = door.get(f"/v2/models/{model}{what}")
    assert (answer.status, answer.error[: len(sentence)]) == (status, sentence)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/", 404),
        ("GET", "/v2/models/dyn/", 404),
        ("GET", "/v2/models/a/b", 404),
        ("GET", "/v2/models/a/b/infer", 404),
        ("GET", "/v2/models%2Fdyn", 404),
        ("GET", "/v2/health/well", 404),
        ("POST", "/v2/models/dyn/ready", 405),
        ("POST", "/v2/models/dyn", 405),
        ("POST", "/v2/health/live", 405),
        ("GET", "/v2/models/dyn/infer", 405),
        ("PUT", "/v2/models/dyn/infer", 405),
        ("GET", "/v2/repository/index", 405),
        ("OPTIONS", "/v2", 405),
    ],
)
def test_an_unknown_address_or_method_is_refused(door: HttpDoor, method: str, path: str, status: int) -> None:
    answer = door.ask(method, path)
    assert answer.status == status
    assert path in answer.error


def test_a_query_is_passed_over(door: HttpDoor) -> None:
    assert door.get("/v2/health/live?test=test").status == 200


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_models_are_loaded_by_request_only_in_mode_explicit(door: HttpDoor, verb: str) -> None:
    answer = door.ask("POST", f"/v2/repository/models/dyn/{verb}")
    assert (answer.status, answer.error) == (
        503,
        "models are loaded and unloaded by request only with --model_control_mode explicit",
    )


# What is answered


def test_the_answer_has_the_vectors_form(door: HttpDoor) -> None:
    answer = door.infer("grow", {"id": "1", "inputs": [tensor(shape=[10], data=list(range(10)))]})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    output = {"name": "y", "datatype": "FP32", "shape": [10], "data": list(range(1, 11))}
    assert answer.json == {"model_name": "grow", "model_version": "1", "outputs": [output], "id": "1"}


@pytest.mark.parametrize(
    ("model", "given", "shape", "data"),
    [
        ("scalar", tensor(shape=[], data=[4.5]), [], [5.5]),
        ("grow", tensor(shape=[0], data=[]), [0], []),
        ("sums", tensor(shape=[1, 0], data=[]), [0], []),
        ("bounded", tensor(shape=[2, 4], data=[[1, 2, 3, 4], [5, 6, 7, 8]]), [2, 4], [2, 3, 4, 5, 6, 7, 8, 9]),
        ("bounded", tensor(shape=[1, 4], data=[1, 2, 3, 4]), [1, 4], [2, 3, 4, 5]),
        ("bounded", tensor(shape=[1, 4], data=[[[1], [2], [3], [4]]]), [1, 4], [2, 3, 4, 5]),
        ("text", tensor(datatype="BYTES", shape=[2], data=["a\0b", "é"]), [2], ["a\0b", "é"]),
    ],
)
def test_data_may_lie_flat_or_nested(
    door: HttpDoor, model: str, given: dict[str, Any], shape: list[int], data: list[Any]
) -> None:
    (output,) = door.infer(model, {"inputs": [given]}).json["outputs"]
    assert (output["shape"], output["data"]) == (shape, data)


@pytest.mark.parametrize(
    ("parameters", "outputs", "is_binary"),
    [
        ({}, None, False),
        ({"binary_data_output": ""}, None, False),
        ({"binary_data_output": False}, None, False),
        ({"binary_data_output": True}, None, True),
        ({"binary_data_output": True}, [{"name": "y"}], True),
        ({"binary_data_output": True}, [{"name": "y", "parameters": {"binary_data": False}}], False),
        ({"binary_data_output": False}, [{"name": "y", "parameters": {"binary_data": True}}], True),
    ],
)
def test_outputs_come_in_the_form_asked_for(
    door: HttpDoor, parameters: dict[str, Any], outputs: Any, is_binary: bool
) -> None:
    body = one(shape=[10], data=[0] * 10) | {"parameters": parameters} | ({"outputs": outputs} if outputs else {})
    answer = door.infer("grow", body)
    length = int(answer.headers.get("inference-header-content-length", len(answer.body)))
    (output,) = json.loads(answer.body[:length])["outputs"]
    assert len(answer.body) - length == (40 if is_binary else 0)
    assert ("data" in output) is not is_binary
    assert output.get("parameters") == ({"binary_data_size": 40} if is_binary else None)


def test_each_output_has_a_form_of_its_own_and_only_those_named_come(door: HttpDoor) -> None:
    body = {"inputs": [tensor(name, [1, 4], data=[1, 2, 3, 4]) for name in "ab"]}
    wanted = [{"name": "difference", "parameters": {"binary_data": True}}, {"name": "sum"}, {"name": "sum"}]
    answer = door.infer("dyn", body | {"outputs": wanted})
    length = int(answer.headers["inference-header-content-length"])
    total, difference = json.loads(answer.body[:length])["outputs"]
    assert (total["data"], difference["parameters"]) == ([2, 4, 6, 8], {"binary_data_size": 16})
    only = door.infer("dyn", body | {"outputs": [{"name": "difference"}]}).json["outputs"]
    assert [output["name"] for output in only] == ["difference"]


def test_a_string_alone_may_come_without_its_length(door: HttpDoor) -> None:
    document = one(shape=[1], datatype="BYTES")
    (output,) = door.infer("text", *with_binary(document, b"no length before it")).json["outputs"]
    assert output["data"] == ["no length before it"]


def test_a_version_may_be_named(door: HttpDoor) -> None:
    answer = door.ask("POST", "/v2/models/upper/versions/1/infer", GOOD)
    assert (answer.status, answer.json["model_version"]) == (200, "1")
    answer = door.ask("POST", "/v2/models/upper/versions/2/infer", GOOD)
    assert answer.status == 404


def test_small_answers_are_not_compressed_and_large_ones_are_where_that_is_accepted(door: HttpDoor) -> None:
    for count, accepted, encoding in ((2, "gzip", None), (2000, "gzip", "gzip"), (2000, "deflate", "deflate")):
        answer = door.infer("grow", one(shape=[count], data=[0] * count), {"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == encoding
    answer = door.infer("grow", one(shape=[2000], data=[0] * 2000), {"Accept-Encoding": "br, gzip;q=0"})
    assert "content-encoding" not in answer.headers


# What is refused

BAD_DOCUMENTS: list[tuple[Any, str]] = [
    (b"", "the body is not valid JSON: "),
    (b'{ "inputs" : [ INVALID', "the body is not valid JSON: "),
    (b'{"inputs": notValid}', "the body is not valid JSON: "),
    (b"\xff\xfe", "the body is not valid JSON: "),
    (b'{"id": "\xff"}', "the body is not valid JSON: "),
    (b'{"id": "\\ud800"}', "the body is not valid JSON: "),
    (b'{"inputs": [NaN', "the body is not valid JSON: "),
    (b'{"id": "1", "id": "2", "inputs": []}', "the body names a key twice in one JSON object"),
    (b"[" * 200 + b"]" * 200, "the body's JSON is nested more than 100 deep"),
    (b'{"a":' * 100_000, "the body's JSON is nested more than 100 deep"),
    ([], "model 'grow': the body is a list, expected a JSON object"),
    (None, "the body is not valid JSON: "),
    ({}, "model 'grow': the request has no 'inputs'"),
    ({"inputs": {}}, "model 'grow': the request: 'inputs' is an object, expected a list"),
    ({"inputs": [], "id": 1}, "model 'grow': the request: 'id' is the number 1, expected a string"),
    ({"inputs": [], "parameters": []}, "model 'grow': the request: 'parameters' is a list, expected an object"),
    ({"inputs": [1]}, "model 'grow': inputs[0] is the number 1, expected an object"),
    ({"inputs": [{}]}, "model 'grow': inputs[0]: 'name' is nothing, expected a string"),
    ({"inputs": [{"name": "x"}]}, "model 'grow': input 'x': 'datatype' is nothing, expected a string"),
    (
        {"inputs": [{"name": "x", "datatype": "FP32"}]},
        "model 'grow': input 'x': 'shape' is nothing, expected a list",
    ),
    (one(), "model 'grow': input 'x' has no data: there is no 'data'"),
    (one(datatype="FP8", data=[]), "model 'grow': input 'x' has datatype 'FP8', expected one of BOOL, "),
    (one(shape=[-1], data=[]), "model 'grow': input 'x' has shape [-1], expected every dimension to be 0 or more"),
    (one(shape=[1.5], data=[]), "model 'grow': input 'x': 'shape' holds the number 1.5, expected whole numbers"),
    (one(shape=[True], data=[1]), "model 'grow': input 'x': 'shape' holds the literal true, expected whole numbers"),
    (one(shape=[1] * 33, data=[1]), "model 'grow': input 'x' has 33 dimensions, expected at most 32"),
    (one(shape=[1 << 62], data=[1]), "model 'grow': input 'x' has shape [4611686018427387904], expected at most "),
    (one(data=1), "model 'grow': input 'x': 'data' is the number 1, expected a list"),
    (one(data=[1]), "model 'grow': input 'x' of shape [2] expects 2 values in 'data', got 1"),
    (one(data=[[1], [2, 3]]), "model 'grow': input 'x': 'data' is nested unevenly at depth 1"),
    (one(data=[[1], 2]), "model 'grow': input 'x': 'data' is nested unevenly at depth 1"),
    (one(shape=[4], data=[[1, 2], [3, 4]]), "model 'grow': input 'x' has shape [4], but 'data' is nested as [2,2]"),
    (one(data=["1", "2"]), "model 'grow': input 'x' has datatype FP32, but 'data' holds a string"),
    (one(data=[1, None]), "model 'grow': input 'x' has datatype FP32, but 'data' holds null"),
    (one(data=[1, {}]), "model 'grow': input 'x' has datatype FP32, but 'data' holds an object"),
    (one(data=[1, True]), "model 'grow': input 'x' has datatype FP32, but 'data' holds the literal true"),
    (one(data=[1, 1e39]), "model 'grow': input 'x' has datatype FP32, which cannot hold 1e+39"),
    (one(datatype="UINT32", data=[1.5, 1]), "model 'grow': input 'x' has datatype UINT32, but 'data' holds the number"),
    (one(datatype="UINT32", data=[1.0, 1]), "model 'grow': input 'x' has datatype UINT32, but 'data' holds the number"),
    (one(datatype="UINT32", data=[-1, 1]), "model 'grow': input 'x' has datatype UINT32, expected values 0 to 429"),
    (one(datatype="UINT64", data=[1, 1 << 64]), "model 'grow': input 'x' has datatype UINT64, but 'data' holds the n"),
    (one(datatype="INT64", data=[1, 1 << 63]), "model 'grow': input 'x' has datatype INT64, expected values -922"),
    (one(datatype="BOOL", data=[0, 1]), "model 'grow': input 'x' has datatype BOOL, but 'data' holds the number 0"),
    (one(datatype="BYTES", data=[0, 1]), "model 'grow': input 'x' has datatype BYTES, but 'data' holds the number 0"),
    (one(datatype="UINT16", data=["a", "b"]), "model 'grow': input 'x' has datatype UINT16, but 'data' holds a str"),
    (one(datatype="BF16", data=[1, 2]), "model 'grow': input 'x': datatype BF16 has no values in JSON"),
    (one(data=[1, 2], parameters=3), "model 'grow': input 'x': 'parameters' is the number 3, expected an object"),
    (
        one(parameters={"binary_data_size": 8}),
        "model 'grow': input 'x' has no data: it needs the header Inference-Header-Content-Length",
    ),
    (
        one(data=[1, 2], parameters={"binary_data_size": 8}),
        "model 'grow': input 'x' has 'data' and a 'binary_data_size' too, expected one",
    ),
    (
        {"inputs": GOOD["inputs"] * 2},
        "model 'grow': input 'x' occurs twice in the request",
    ),
    (GOOD | {"outputs": {}}, "model 'grow': the request: 'outputs' is an object, expected a list"),
    (GOOD | {"outputs": [3]}, "model 'grow': outputs[0] is the number 3, expected an object"),
    (
        GOOD | {"outputs": [{"name": "y", "parameters": {"binary_data": 1}}]},
        "model 'grow': output 'y': 'binary_data' is the number 1, expected true or false",
    ),
    (
        GOOD | {"parameters": {"binary_data_output": 1}},
        "model 'grow': the request: 'binary_data_output' is the number 1, expected true or false",
    ),
    (
        GOOD | {"parameters": {"timeout": "1"}},
        "model 'grow': the request: 'timeout' is a string, expected a number of microseconds",
    ),
    (
        GOOD | {"parameters": {"sequence_id": 1, "sequence_end": "yes"}},
        "model 'grow': the request: 'sequence_end' is a string, expected true or false",
    ),
    (
        GOOD | {"parameters": {"beams": [1, 2]}},
        "model 'grow': the request: parameter 'beams' is a list, expected true or false, a number or a string",
    ),
    (
        GOOD | {"parameters": {"triton_beams": 1}},
        "model 'grow': the request: parameter 'triton_beams' begins with 'triton_', of which there is only ",
    ),
]


@pytest.mark.parametrize(("body", "sentence"), BAD_DOCUMENTS, ids=[sentence[:70] for _, sentence in BAD_DOCUMENTS])
def test_a_wrong_request_gets_400_and_one_sentence(door: HttpDoor, body: Any, sentence: str) -> None:
    answer = door.infer("grow", b"null" if body is None and "JSON: " not in sentence else body)
    assert (answer.status, answer.error[: len(sentence)]) == (400, sentence)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (one(name="zz", data=[1, 2]), "zz"),
        (one(shape=[1, 2], data=[1, 2]), "Invalid number of shape dimensions"),
        (one(datatype="INT32", data=[1, 2]), "input 'x' expects datatype FP32, got INT32"),
        (GOOD | {"outputs": [{"name": "zz"}]}, "zz"),
    ],
)
def test_what_the_model_does_not_take_is_told_by_the_core(door: HttpDoor, body: Any, sentence: str) -> None:
    answer = door.infer("grow", body)
    assert answer.status == 400
    assert "model 'grow'" in answer.error
    assert sentence in answer.error


def test_the_requests_id_stands_before_the_sentence(door: HttpDoor) -> None:
    answer = door.infer("grow", one(data=[1]) | {"id": "seven"})
    assert answer.error.startswith("[request id: seven] model 'grow': input 'x' of shape [2] expects 2 values")


BYTES_2 = raw_strings([b"one", b"two"])
BAD_BINARY: list[tuple[Callable[[], tuple[bytes, dict[str, str]]], str]] = [
    (lambda: with_binary(one(), b"1234"), "input 'x' expects 8 bytes of binary data, but 4 remain"),
    (lambda: with_binary(one(), b"123456789"), "1 bytes of binary data belong to no input"),
    (lambda: with_binary(GOOD, b"1"), "1 bytes of binary data belong to no input"),
    (lambda: with_binary(one(parameters={"binary_data_size": 16}), b"1234"), "expects 16 bytes of binary data, but 4"),
    (lambda: with_binary(one(parameters={"binary_data_size": 4}), b"1234"), "of shape [2] and datatype FP32 expects 8"),
    (lambda: with_binary(one(parameters={"binary_data_size": True}), b"1"), "'binary_data_size' is the literal true"),
    (lambda: with_binary(one(parameters={"binary_data_size": -1}), b"1"), "'binary_data_size' is the number -1"),
    (lambda: with_binary(one(parameters={"binary_data_size": "4, 4"}), b"1"), "'binary_data_size' is a string"),
    (lambda: with_binary(one(datatype="BYTES"), BYTES_2), "has no data: expected 'data' or 'binary_data_size'"),
    (
        lambda: with_binary(one(datatype="BYTES", parameters={"binary_data_size": 13}), BYTES_2[:-1]),
        "element 1 is 3 bytes long, but 2 remain",
    ),
    (lambda: (b"{}", {"Inference-Header-Content-Length": "3"}), "is 3, but the body has 2 bytes"),
    (lambda: (json.dumps(GOOD).encode(), {"Inference-Header-Content-Length": "4"}), "the body is not valid JSON"),
    (lambda: (b"", {"Inference-Header-Content-Length": "0"}), "the body is not valid JSON"),
    (lambda: (b"{}", {"Inference-Header-Content-Length": "-1"}), "is '-1', expected a number of bytes"),
    (lambda: (b"{}", {"Inference-Header-Content-Length": "9" * 99}), "expected a number of bytes"),
    (lambda: (b"{}", {"Inference-Header-Content-Length": "2x"}), "is '2x', expected a number of bytes"),
    (lambda: (b"{}", {"Content-Encoding": "gzip"}), "the body is not gzip, as its Content-Encoding says"),
]


@pytest.mark.parametrize(("make", "sentence"), BAD_BINARY, ids=[sentence for _, sentence in BAD_BINARY])
def test_wrong_binary_data_gets_400_and_one_sentence(
    door: HttpDoor, make: Callable[[], tuple[bytes, dict[str, str]]], sentence: str
) -> None:
    answer = door.infer("text" if "BYTES" in repr(make()) else "grow", *make())
    assert answer.status == 400
    assert sentence in answer.error


def test_a_memory_region_is_not_found(door: HttpDoor) -> None:
    region = {"parameters": {"shared_memory_region": "r"}}
    for body in (GOOD | {"outputs": [{"name": "y"} | region]}, one(**region)):
        answer = door.infer("grow", body)
        assert answer.status == 404
        assert "shared memory region 'r'" in answer.error


def test_the_highest_values_come_as_classes(server: ServerProcess, door: HttpDoor) -> None:
    given = triton.InferInput("x", [3], "FP32")
    given.set_data_from_numpy(np.array([1, 7, 3], np.float32))
    with triton.InferenceServerClient(server.rest_address) as client:
        for is_binary in (True, False):
            wanted = triton.InferRequestedOutput("y", binary_data=is_binary, class_count=2)
            got = client.infer("grow", [given], outputs=[wanted]).as_numpy("y").ravel().tolist()
            words = [text if isinstance(text, str) else text.decode() for text in got]
            assert [(float(score), index) for score, index in (word.split(":") for word in words)] == [
                (8, "1"),
                (4, "2"),
            ]
    answer = door.infer("grow", GOOD | {"outputs": [{"name": "y", "parameters": {"classification": "2"}}]})
    assert (answer.status, "'classification' is a string" in answer.error) == (400, True)


def test_an_output_that_json_cannot_carry_is_refused_and_comes_as_binary_data(door: HttpDoor) -> None:
    for model, datatype, raw in (("pass_bf16", "BF16", b"\1\2\3\4"), ("text", "BYTES", raw_strings([b"\xff", b""]))):
        document = one(datatype=datatype, parameters={"binary_data_size": len(raw)})
        answer = door.infer(model, *with_binary(document, raw))
        assert answer.status == 400
        assert "ask for it with binary_data" in answer.error
        answer = door.infer(model, *with_binary(document | {"parameters": {"binary_data_output": True}}, raw))
        assert answer.body.endswith(raw)


def test_an_unknown_content_encoding_gets_415(door: HttpDoor) -> None:
    answer = door.infer("grow", GOOD, {"Content-Encoding": "br"})
    assert (answer.status, answer.error) == (415, "Content-Encoding 'br' is not known, expected gzip or deflate")


def test_every_datatype_has_its_name(door: HttpDoor) -> None:
    named = {kind: door.get(f"/v2/models/pass_{kind}").json["inputs"][0]["datatype"] for kind in small_models.NUMERIC}
    assert named == {kind: small_models.KSERVE[kind] for kind in small_models.NUMERIC}
