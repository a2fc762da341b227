"""Pictures sent as JPEG and PNG files: over gRPC and REST, in process, through pipelines."""

import base64
import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb

import ovserve
import small_models
from encoded_pictures import handmade_png, jpeg, noise, png
from http_door import HttpDoor
from ovserve.errors import WrongContent, WrongDatatype, WrongShape
from pipelines import document, node
from server_process import ServerProcess
from tfs_wire import PREDICTION, TfsWire, predict_request
from wire_server import Wire, assert_probes, raw_strings, texts

Serve = Callable[..., ServerProcess]

# Name: the model, and what config.json says of it.
MODELS = {
    "declared": (small_models.channel_sum("NCHW"), {}),
    "undeclared": (small_models.channel_sum(), {}),
    "converted": (small_models.add_one([1, 3, 4, 4]), {"layout": "NHWC:NCHW"}),
    "any": (small_models.add_one([-1, 3, -1, -1]), {}),
    "range": (small_models.channel_sum("NCHW"), {"shape": "(1:4,3,8:16,8:16)"}),
    "auto": (small_models.channel_sum("NCHW"), {"shape": "auto"}),
    "batches": (small_models.channel_sum("NCHW"), {"batch_size": "auto"}),
    "narrow": (small_models.channel_sum("NCHW"), {"max_image_pixels": 100}),
    "grey": (small_models.add_one([1, 1, 8, 8], "u8"), {"layout": "NCHW"}),
    "long": (small_models.add_one([1, 3, 8, 8], "i64"), {"layout": "NCHW"}),
    "text": (small_models.add_one([-1, -1], "u8"), {}),
}
PIPELINES = (
    document(node("n", "declared")) | {"name": "plain"},
    document(node("n", "declared"), demultiply_count=-1) | {"name": "each"},
    document(node("n", "converted"), demultiply_count=2) | {"name": "two"},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for name, (model, _) in MODELS.items():
        small_models.save(model, root / name / "1")
    models = [{"config": {"name": name, "base_path": name, **more}} for name, (_, more) in MODELS.items()]
    (root / "config.json").write_text(
        json.dumps({"model_config_list": models, "pipeline_config_list": list(PIPELINES)})
    )
    return root


@pytest.fixture(scope="module")
def loaded(folder: Path) -> ovserve.InProcess:
    return ovserve.load(config_path=folder)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    server = ServerProcess("--config_path", str(folder), rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A connection; when the test ends, a good request and the probes are answered."""
    wire = Wire(server.address)
    yield wire
    picture = noise(8, 8)
    assert (wire.infer(request("declared", png(picture))).outputs["y"][0, 0] == summed(picture)).all()
    assert_probes(wire, "declared")
    wire.close()


def summed(picture: np.ndarray) -> np.ndarray:
    """What channel_sum makes of a picture [h,w,c]."""
    return picture.astype(np.float32).sum(2)


def test_an_input_in_nchw_takes_pictures_and_resizes_them(loaded: ovserve.InProcess) -> None:
    picture = noise(20, 30)
    resized = cv2.resize(picture.astype(np.float32), (8, 8))
    answer = loaded.infer("declared", [png(picture)])["y"][0, 0]
    assert np.allclose(answer, summed(resized), rtol=0.02)  # a CPU may compute in bfloat16


def test_a_converted_input_takes_them_as_in_ovms(loaded: ovserve.InProcess) -> None:
    picture = noise(4, 4)
    assert (loaded.infer("converted", [png(picture)])["y"][0] == picture.transpose(2, 0, 1) + 1.0).all()


def test_without_a_layout_pictures_of_the_right_size_are_taken_and_others_get_a_hint(
    loaded: ovserve.InProcess,
) -> None:
    picture = noise(8, 8)
    assert (loaded.infer("undeclared", [png(picture)])["y"][0, 0] == summed(picture)).all()
    with pytest.raises(WrongShape, match=r"image of 9x8 .* started with --layout NCHW the server would resize images"):
        loaded.infer("undeclared", [png(noise(9, 8))])


def test_a_model_of_any_size_takes_the_pictures_own(loaded: ovserve.InProcess) -> None:
    files = [png(noise(5, 7, seed=seed)) for seed in range(3)]
    assert loaded.infer("any", files)["y"].shape == (3, 3, 5, 7)
    with pytest.raises(WrongShape, match="same resolution"):
        loaded.infer("any", [*files, png(noise(7, 5))])


@pytest.mark.parametrize(("size", "expected"), [((4, 4), (8, 8)), ((10, 99), (10, 16)), ((9, 11), (9, 11))])
def test_a_range_takes_what_is_nearest(
    loaded: ovserve.InProcess, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert loaded.infer("range", [png(noise(*size))])["y"].shape == (1, 1, *expected)


def test_auto_takes_the_pictures_own_size_and_number(loaded: ovserve.InProcess) -> None:
    for size in ((8, 8), (12, 9), (12, 9)):
        assert loaded.infer("auto", [png(noise(*size))] * 2)["y"].shape == (2, 1, *size)


def test_a_batch_in_auto_resizes(loaded: ovserve.InProcess) -> None:
    files = [png(noise(20 + index, 20)) for index in range(5)]
    assert loaded.infer("batches", files)["y"].shape == (5, 1, 8, 8)


def test_a_grey_picture(loaded: ovserve.InProcess) -> None:
    picture = noise(8, 8, 1) // 2
    assert (loaded.infer("grey", [png(picture)])["y"][0, 0] == picture[..., 0] + 1).all()
    with pytest.raises(WrongContent, match="model 'grey' version 1: Invalid number of channels in binary input"):
        loaded.infer("grey", [png(noise(8, 8))])


def test_other_datatypes_are_refused_as_ever(loaded: ovserve.InProcess) -> None:
    with pytest.raises(WrongDatatype, match="model 'long' version 1: input 'x' expects datatype INT64, got BYTES"):
        loaded.infer("long", [png(noise(8, 8))])


def test_a_model_may_have_a_limit_of_its_own(loaded: ovserve.InProcess) -> None:
    assert loaded.infer("narrow", [png(noise(10, 10))])
    with pytest.raises(WrongContent, match="has 11x10 pixels, expected at most 100"):
        loaded.infer("narrow", [png(noise(11, 10))])


def test_strings_become_rows_of_bytes(loaded: ovserve.InProcess) -> None:
    rows = loaded.infer("text", [b"String_123", b"zebra", b""])["y"]
    assert [bytes(row - 1).rstrip(b"\0") for row in rows] == [b"String_123", b"zebra", b""]
    assert rows.shape == (3, 11)


def test_a_pipeline_takes_what_its_models_take(loaded: ovserve.InProcess) -> None:
    picture = noise(8, 8)
    assert (loaded.infer("plain", [png(picture)])["y"][0, 0] == summed(picture)).all()


def test_behind_an_entry_demultiplexer_each_picture_is_a_branch(loaded: ovserve.InProcess) -> None:
    files = [png(noise(8 + seed, 8, seed=seed)) for seed in range(4)]
    out = loaded.infer("each", files)["y"]
    assert out.shape == (4, 1, 1, 8, 8)
    for answer, file in zip(out, files, strict=True):
        assert (answer == loaded.infer("declared", [file])["y"]).all()
    assert loaded.infer("two", files[:2])["y"].shape == (2, 1, 3, 4, 4)
    with pytest.raises(WrongShape, match="pipeline 'two': Invalid input batch size - Expected: 2; Actual: 3"):
        loaded.infer("two", files[:3])


def test_tritonclient_sends_files(server: ServerProcess) -> None:
    picture = noise(8, 8)
    wanted = triton.InferInput("x", [1], "BYTES")
    wanted.set_data_from_numpy(texts(png(picture)))
    with triton.InferenceServerClient(server.address) as client:
        answer = client.infer("declared", [wanted]).as_numpy("y")
    assert (answer[0, 0] == summed(picture)).all()


def test_tensorflow_servings_api(wire: Wire) -> None:
    picture = noise(8, 8)
    answer = TfsWire(wire.channel).predict("declared", {"x": texts(png(picture))})["y"]
    assert (answer[0, 0] == summed(picture)).all()


@pytest.mark.parametrize("sized", [True, False])
def test_rest_carries_files_behind_the_json(server: ServerProcess, *, sized: bool) -> None:
    """With their lengths, or a single one as it is (OVMS)."""
    picture = noise(8, 8)
    file = raw_strings([png(picture)]) if sized else png(picture)
    parameters = {"parameters": {"binary_data_size": len(file)}} if sized else {}
    head = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", **parameters}]}).encode()
    status, answer = post(server, "declared", head + file, {"Inference-Header-Content-Length": str(len(head))})
    assert status == 200, answer
    assert answer["outputs"][0]["data"] == summed(picture).ravel().tolist()


def test_over_rest_what_is_no_image_is_told_with_400(server: ServerProcess) -> None:
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]}
    status, answer = post(server, "declared", json.dumps(body).encode(), {})
    assert status == 400
    assert "input 'x': image 0 is neither JPEG nor PNG" in answer["error"]


HUGE = handmade_png(10_000, 10_000)
HUGE_IN_BASE64 = {"b64": base64.b64encode(HUGE).decode()}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (
            "/v2/models/{}/infer",
            (head := b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES"}]}') + HUGE,
            {"Inference-Header-Content-Length": str(len(head))},
        ),
        ("/v1/models/{}:predict", json.dumps({"instances": [{"x": HUGE_IN_BASE64}]}).encode(), {}),
    ],
    ids=["KServe", "TensorFlow Serving"],
)
def test_a_header_of_100_million_pixels_is_refused_over_rest(
    server: ServerProcess, wire: Wire, path: str, body: bytes, headers: dict[str, str]
) -> None:
    status, answer = post(server, "declared", body, headers, path=path)
    assert status == 400
    assert "image 0 has 10000x10000 pixels, expected at most 64000000" in answer["error"]
    HttpDoor(server.rest_address).assert_probes("declared")


def test_a_header_of_100_million_pixels_is_refused_by_tensorflow_servings_api(wire: Wire) -> None:
    answer = TfsWire(wire.channel).call(f"{PREDICTION}Predict", predict_request("declared", {"x": texts(HUGE)}))
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "image 0 has 10000x10000 pixels, expected at most 64000000" in answer.details


@pytest.mark.parametrize("shape", ["instances", "inputs"])
def test_tensorflow_servings_api_over_rest_takes_base64(server: ServerProcess, shape: str) -> None:
    picture = noise(8, 8)
    file = {"b64": base64.b64encode(png(picture)).decode()}
    body = {"instances": [{"x": file}]} if shape == "instances" else {"inputs": {"x": [file]}}
    status, answer = post(server, "declared", json.dumps(body).encode(), {}, path="/v1/models/{}:predict")
    assert status == 200, answer
    assert (
        np.ravel(answer["predictions" if shape == "instances" else "outputs"]).tolist()
        == summed(picture).ravel().tolist()
    )


def post(
    server: ServerProcess, model: str, body: bytes, headers: dict[str, str], path: str = "/v2/models/{}/infer"
) -> tuple[int, Any]:
    connection = HTTPConnection(server.rest_address, timeout=60)
    connection.request("POST", path.format(model), body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def request(model: str, *files: bytes, typed: bool = False, shape: tuple[int, ...] = ()) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=model)
    tensor = message.inputs.add(name="x", datatype="BYTES", shape=shape or (len(files),))
    if typed:
        tensor.contents.bytes_contents.extend(files)
    else:
        message.raw_input_contents.append(raw_strings(files))
    return message


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("model", ["declared", "plain"])
def test_raw_and_typed_contents(wire: Wire, model: str, *, typed: bool) -> None:
    picture = noise(8, 8)
    assert (wire.infer(request(model, png(picture), typed=typed)).outputs["y"][0, 0] == summed(picture)).all()


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (request("declared", b"x"), "model 'declared' version 1: input 'x': image 0 is neither JPEG nor PNG"),
        (request("declared", b""), "image 0 is empty"),
        (request("declared", jpeg(noise(99, 99))[:2000]), "image 0 is a JPEG whose end is missing"),
        (request("declared", handmade_png(10_000, 10_000)), "image 0 has 10000x10000 pixels, expected at most"),
        (request("declared", png(noise(8, 8)), shape=(1, 1)), "Invalid number of shape dimensions"),
        (request("declared", *[png(noise(8, 8))] * 2), "Invalid input batch size - Expected: 1; Actual: 2"),
        (request("each", png(noise(8, 8)), b"x"), "pipeline 'each': input 'x': image 1 is neither JPEG nor PNG"),
    ],
)
def test_what_is_wrong_is_told(wire: Wire, message: pb.ModelInferRequest, sentence: str) -> None:
    answer = wire.infer(message)
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in answer.details


def test_metadata_is_that_of_the_tensor(loaded: ovserve.InProcess) -> None:
    assert loaded.metadata("declared").inputs[0].datatype == "FP32"


@pytest.mark.shared
@pytest.mark.parametrize("flags", [(), ("--layout", "NHWC:NCHW"), ("--layout", "NHWC")])
def test_real_pictures_get_their_classes(serve: Serve, shared: Path, flags: tuple[str, ...]) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"), *flags)
    files = sorted((shared / "images/imagenet").iterdir())
    expected = json.loads((shared / "data/expected.json").read_text())["efficientnet-lite0"]["imgs.npy"]["top1"]
    wanted = triton.InferInput("0", [len(files)], "BYTES")
    wanted.set_data_from_numpy(texts(*(file.read_bytes() for file in files)))
    with triton.InferenceServerClient(server.address) as client:
        scores = client.infer("resnet", [wanted]).as_numpy("1463")
    assert scores.argmax(1).tolist() == expected
