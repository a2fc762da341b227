"""Pictures sent as files through each door: the same answers and the same refusals (spec E.6, N.9)."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

import small_models
from encoded_pictures import handmade_png, jpeg, noise, png
from http_door import HttpAnswer, HttpDoor, with_binary
from pipelines import document, node
from server_process import ServerProcess
from tfs_wire import PREDICTION, TfsWire, outputs, predict_request
from wire_server import Wire, assert_probes, raw_strings, texts

RED = np.array([[[0x24, 0x1B, 0xED]]], np.uint8)  # one pixel, BGR: N.9
MODELS = {
    "red": (small_models.add_one([1, 3, 2, 2]), {"layout": "NHWC:NCHW"}),
    "sum": (small_models.channel_sum("NCHW"), {}),
    "any": (small_models.add_one([-1, 3, -1, -1]), {}),
    "grey": (small_models.add_one([1, 1, 8, 8], "u8"), {"layout": "NCHW"}),
    "long": (small_models.add_one([1, 3, 8, 8], "i64"), {"layout": "NCHW"}),
    "text": (small_models.add_one([-1, -1], "u8"), {}),
}
EACH = document(node("n", "sum"), demultiply_count=-1) | {"name": "each"}


@dataclass(frozen=True)
class Got:
    """What a door answered: output `y`, or why not; `is_refused` where that was the client's fault."""

    y: np.ndarray | None
    is_refused: bool = False
    error: str = ""


Door: TypeAlias = Callable[[ServerProcess, str, tuple[bytes, ...]], Got]


def grpc_raw(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    message = pb.ModelInferRequest(model_name=model, raw_input_contents=[raw_strings(files)])
    message.inputs.add(name="x", datatype="BYTES", shape=[len(files)])
    return _kserve(server, message)


def grpc_typed(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    message = pb.ModelInferRequest(model_name=model)
    tensor = message.inputs.add(name="x", datatype="BYTES", shape=[len(files)])
    tensor.contents.bytes_contents.extend(files)
    return _kserve(server, message)


def _kserve(server: ServerProcess, message: pb.ModelInferRequest) -> Got:
    with closing(Wire(server.address)) as wire:
        got = wire.infer(message)
        if got.code is not grpc.StatusCode.OK:
            return Got(None, got.code is grpc.StatusCode.INVALID_ARGUMENT, got.details)
        return Got(got.outputs["y"])


def tfs_grpc(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    with closing(Wire(server.address)) as wire:
        request = predict_request(model, {"x": texts(*files)})
        got = TfsWire(wire.channel).call(f"{PREDICTION}Predict", request)
        if got.code is not grpc.StatusCode.OK:
            return Got(None, got.code is grpc.StatusCode.INVALID_ARGUMENT, got.details)
        return Got(outputs(got)["y"])


def rest_binary(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    """With the length of each file in front of it."""
    data = raw_strings(files)
    return _rest_binary(server, model, len(files), data, {"parameters": {"binary_data_size": len(data)}})


def rest_bare(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    """A single file, as it is, as OVMS takes it."""
    return _rest_binary(server, model, 1, files[0], {})


def _rest_binary(server: ServerProcess, model: str, count: int, data: bytes, more: dict[str, object]) -> Got:
    inputs = [{"name": "x", "shape": [count], "datatype": "BYTES", **more}]
    with closing(HttpDoor(server.rest_address)) as door:
        got = door.infer(model, *with_binary({"inputs": inputs}, data))
    if got.status != 200:
        return _refused(got)
    (output,) = got.json["outputs"]
    return Got(np.reshape(output["data"], output["shape"]))


def tfs_rows(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    return _tfs_rest(server, model, {"instances": [{"x": _b64(file)} for file in files]}, "predictions")


def tfs_columns(server: ServerProcess, model: str, files: tuple[bytes, ...]) -> Got:
    return _tfs_rest(server, model, {"inputs": {"x": [_b64(file) for file in files]}}, "outputs")


def _tfs_rest(server: ServerProcess, model: str, body: object, key: str) -> Got:
    with closing(HttpDoor(server.rest_address)) as door:
        got = door.ask("POST", f"/v1/models/{model}:predict", body)
    return _refused(got) if got.status != 200 else Got(np.array(got.json[key]))


def _b64(file: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(file).decode()}


def _refused(got: HttpAnswer) -> Got:
    return Got(None, got.status == 400, got.error)


DOORS = (grpc_raw, grpc_typed, rest_binary, tfs_grpc, tfs_rows, tfs_columns)
through_each_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
through_each_door_alone = pytest.mark.parametrize("door", [*DOORS, rest_bare], ids=lambda door: door.__name__)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("doors")
    for name, (model, _) in MODELS.items():
        small_models.save(model, root / name / "1")
    models = [{"config": {"name": name, "base_path": name, **more}} for name, (_, more) in MODELS.items()]
    (root / "config.json").write_text(json.dumps({"model_config_list": models, "pipeline_config_list": [EACH]}))
    server = ServerProcess("--config_path", str(root), rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@through_each_door_alone
def test_one_red_pixel_becomes_four(server: ServerProcess, door: Door) -> None:
    got = door(server, "red", (png(RED),))
    assert got.y is not None, got.error
    assert (got.y - 1).astype(np.uint8).transpose(0, 2, 3, 1).tobytes().hex() == "241bed" * 4


@through_each_door_alone
def test_a_jpeg_is_resized_as_opencv_does(server: ServerProcess, door: Door) -> None:
    file = jpeg(noise(20, 30))
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = cv2.resize(pixels.astype(np.float32), (8, 8)).sum(2)
    got = door(server, "sum", (file,))
    assert got.y is not None, got.error
    assert np.allclose(got.y[0, 0], expected, rtol=0.02)  # a CPU may compute in bfloat16


@through_each_door
def test_a_batch_of_the_pictures_own_size(server: ServerProcess, door: Door) -> None:
    pictures = [noise(5, 7, seed=seed) for seed in range(3)]
    got = door(server, "any", tuple(map(png, pictures)))
    assert got.y is not None, got.error
    assert (got.y == np.stack(pictures).transpose(0, 3, 1, 2) + 1.0).all()


@through_each_door
def test_each_picture_is_a_branch_of_a_pipeline(server: ServerProcess, door: Door) -> None:
    pictures = [noise(8, 8, seed=seed) for seed in range(3)]
    got = door(server, "each", tuple(map(png, pictures)))
    assert got.y is not None, got.error
    assert (got.y[:, 0, 0] == np.stack(pictures).astype(np.float32).sum(3)).all()


@through_each_door
def test_strings_become_rows(server: ServerProcess, door: Door) -> None:
    got = door(server, "text", (b"String_123", b"zebra", b""))
    assert got.y is not None, got.error
    assert got.y.shape == (3, 11)
    assert [bytes((row - 1).astype(np.uint8)).rstrip(b"\0") for row in got.y] == [b"String_123", b"zebra", b""]


@through_each_door_alone
@pytest.mark.parametrize(
    ("model", "file", "sentence"),
    [
        ("sum", b"hello", "model 'sum' version 1: input 'x': image 0 is neither JPEG nor PNG"),
        ("sum", jpeg(noise(99, 99))[:2000], "image 0 is a JPEG whose end is missing"),
        ("sum", handmade_png(10_000, 10_000), "image 0 has 10000x10000 pixels, expected at most"),
        ("sum", png(noise(8, 8, 4)), "Invalid number of channels in binary input - Expected: 3; Actual: 4"),
        ("grey", png(noise(8, 8)), "Invalid number of channels in binary input - Expected: 1; Actual: 3"),
        ("long", png(noise(8, 8)), "input 'x' expects datatype INT64, got BYTES"),
    ],
    ids=["text", "cut off", "too large", "transparent", "coloured", "INT64"],
)
def test_what_is_wrong_with_a_file_is_told(
    server: ServerProcess, door: Door, model: str, file: bytes, sentence: str
) -> None:
    got = door(server, model, (file,))
    assert got.is_refused
    assert sentence in got.error
    assert_all_is_well(server, door)


def assert_all_is_well(server: ServerProcess, door: Door) -> None:
    """A good request and what an orchestrator asks are answered."""
    picture = noise(8, 8)
    got = door(server, "sum", (png(picture),))
    assert got.y is not None, got.error
    assert (got.y[0, 0] == picture.astype(np.float32).sum(2)).all()
    with closing(Wire(server.address)) as wire:
        assert_probes(wire, "sum")
    with closing(HttpDoor(server.rest_address)) as rest:
        rest.assert_probes("sum")


@through_each_door
@pytest.mark.parametrize(
    ("model", "files", "sentence"),
    [
        ("sum", (png(noise(8, 8)),) * 2, "Invalid input batch size - Expected: 1; Actual: 2"),
        ("any", (png(noise(8, 8)), png(noise(8, 9))), "are required to have the same resolution"),
        ("each", (png(noise(8, 8)), b"x"), "pipeline 'each': input 'x': image 1 is neither JPEG nor PNG"),
        ("any", (b"",), "image 0 is empty"),
    ],
    ids=["batch", "sizes", "second", "empty"],
)
def test_what_is_wrong_with_several_is_told(
    server: ServerProcess, door: Door, model: str, files: tuple[bytes, ...], sentence: str
) -> None:
    got = door(server, model, files)
    assert got.is_refused
    assert sentence in got.error


def test_a_file_cannot_travel_in_kserves_json(server: ServerProcess) -> None:
    """Strings of JSON are text: what comes as one is told as no image."""
    inputs = [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]
    with closing(HttpDoor(server.rest_address)) as door:
        got = door.infer("sum", {"inputs": inputs})
    assert got.status == 400
    assert "input 'x': image 0 is neither JPEG nor PNG" in got.error
