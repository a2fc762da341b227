"""Seeds 000, 001, 002 and 004 with the real models: shapes, batch sizes and layouts from the command line."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton

import seed_output
import small_models
from client_process import ovclient
from ovclient import Client, InvalidRequest
from server_process import ServerProcess, run_ovserve

Serve = Callable[..., ServerProcess]
COUNTS = {"people1.jpeg": "10", "people2.jpeg": "2", "people3.jpeg": "3", "people4.jpeg": "2"}


def faces(serve: Serve, shared: Path, *arguments: str) -> ServerProcess:
    path = str(shared / "models/face-detection-retail-0004")
    return serve("--model_name", "face-detection", "--model_path", path, *arguments)


def resnet(serve: Serve, shared: Path, *arguments: str) -> ServerProcess:
    return serve("--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"), *arguments)


def detect(
    server: ServerProcess, shared: Path, folder: Path, width: int, height: int
) -> subprocess.CompletedProcess[str]:
    """The seeds' command."""
    folder.mkdir()
    size = ["--width", str(width), "--height", str(height)]
    people = ["--input_images_dir", str(shared / "images/people"), "--output_dir", str(folder)]
    return ovclient(server, "face-detection", *size, *people)


def counts(output: str) -> dict[str, str]:
    lines = (line.split(": ") for line in output.splitlines() if line.endswith((" face", " faces")))
    return {name: count.split()[0] for name, count in lines}


def classify(
    server: ServerProcess, shared: Path, batch: str, images: str = "imgs.npy"
) -> subprocess.CompletedProcess[str]:
    """The seeds' command, in the folder of the data."""
    command = f"resnet --images_numpy_path {images} --labels_numpy_path lbs.npy --input_name 0 --output_name 1463"
    command += f" --model_name resnet --transpose_input False --batchsize {batch}"
    return ovclient(server, *command.split(), folder=shared / "data")


def shape_of(server: ServerProcess, name: str) -> tuple[list[int], str]:
    """An input's shape and the model's status message."""
    with Client(server.address) as client:
        (row,) = client.repository_index()
        assert row.state == "READY"
        return list(client.metadata(name).inputs[0].shape), row.reason


@pytest.mark.shared
@pytest.mark.parametrize(
    ("shape", "served"), [("auto", [-1, 3, -1, -1]), ("(1,3,-1,-1)", [1, 3, -1, -1])], ids=["000", "001"]
)
def test_seeds_000_and_001_find_the_faces_at_both_sizes(
    serve: Serve, shared: Path, tmp_path: Path, shape: str, served: list[int]
) -> None:
    server = faces(serve, shared, "--shape", shape)
    assert shape_of(server, "face-detection") == (served, "")
    for width, height in ((500, 500), (600, 400)):
        folder = tmp_path / f"results_{width}x{height}"
        done = detect(server, shared, folder, width, height)
        assert (done.returncode, done.stderr, counts(done.stdout)) == (0, "", COUNTS)
        pictures = [cv2.imread(str(picture)) for picture in folder.glob("*.jpg")]
        assert [picture.shape for picture in pictures] == [(height, width, 3)] * 4


@pytest.mark.shared
def test_seed_001_with_ranges_refuses_a_size_outside_and_shows_them(serve: Serve, shared: Path, tmp_path: Path) -> None:
    server = faces(serve, shared, "--shape", "(1,3,200:500,200:500)")
    assert counts(detect(server, shared, tmp_path / "results_500x500", 500, 500).stdout) == COUNTS
    refused = detect(server, shared, tmp_path / "results_600x400", 600, 400)
    assert refused.returncode == 1
    assert refused.stderr == (
        "ovclient: model 'face-detection' version 1: Invalid input shape - "
        "Expected: (1,3,[200~500],[200~500]); Actual: (1,3,400,600); input name: data\n"
    )


@pytest.mark.shared
def test_seed_002_takes_both_batch_sizes(serve: Serve, shared: Path) -> None:
    server = resnet(serve, shared, "--batch_size", "auto")
    for batch in ("1", "8"):
        done = classify(server, shared, batch)
        assert (done.returncode, done.stderr) == (0, "")
        expected = seed_output.block(shared, "002", f"b{batch}.txt")
        assert [line for line in seed_output.masked(done.stdout) if "path" not in line] == [
            line for line in expected if "path" not in line
        ]


@pytest.mark.shared
def test_seed_004_a_batch_size_is_taken_and_no_other(serve: Serve, shared: Path) -> None:
    server = resnet(serve, shared, "--batch_size", "8")
    assert classify(server, shared, "8").stdout.endswith("\nClassification accuracy: 100.00\n")
    refused = classify(server, shared, "1")
    assert "Invalid input batch size - Expected: 8; Actual: 1; input name: 0" in refused.stderr


@pytest.mark.shared
def test_seed_004_a_tuple_is_the_shape_of_the_only_input(serve: Serve, shared: Path) -> None:
    server = resnet(serve, shared, "--shape", "(1,3,224,224)", "--batch_size", "8")
    assert shape_of(server, "resnet") == ([1, 3, 224, 224], "")
    assert classify(server, shared, "1").stdout.endswith("\nClassification accuracy: 100.00\n")
    assert classify(server, shared, "8").returncode == 1
    server.stop()
    assert "Both shape and batch size have been defined. Batch size parameter will be ignored." in server.log


@pytest.mark.parametrize(
    "shape",
    ["{a:(1,3,224,224),b:(1,3,1,1)}", '{"a": "(1,3,224,224)", "b": "auto"}', '{"a":"(1,3,224,224)","b":"(1,3,1,1)"}'],
)
def test_seed_004_a_dictionary_is_the_shape_of_each_input(serve: Serve, tmp_path: Path, shape: str) -> None:
    small_models.save(small_models.add_sub([1, 3, 2, 2]), tmp_path / "1")
    server = serve("--model_name", "two", "--model_path", str(tmp_path), "--shape", shape)
    a, b = np.full((1, 3, 224, 224), 5, np.float32), np.full((1, 3, 1, 1), 3, np.float32)
    with Client(server.address) as client:
        assert (client.infer("two", {"a": a, "b": b})["difference"] == 2).all()
        with pytest.raises(InvalidRequest, match=r"Expected: \(1,3,224,224\); Actual: \(1,3,50,50\); input name: a"):
            client.infer("two", {"a": a[:, :, :50, :50], "b": b})


@pytest.mark.shared
@pytest.mark.parametrize("layout", ["NHWC", "{0:NHWC:NCHW}"])
def test_seed_004_pictures_in_the_other_layout_need_no_transposition(serve: Serve, shared: Path, layout: str) -> None:
    server = resnet(serve, shared, "--layout", layout)
    assert shape_of(server, "resnet") == ([-1, 224, 224, 3], "")
    for batch in ("1", "10"):
        done = classify(server, shared, batch, "imgs_nhwc.npy")
        assert done.stdout.endswith("\nClassification accuracy: 100.00\n"), done.stderr
    with triton.InferenceServerClient(server.address) as client:
        config = client.get_model_config("resnet", as_json=True)["config"]
        assert config["parameters"]["LAYOUT"] == {"string_value": '{"0": "NHWC"}'}
        assert config["input"][0]["dims"] == ["-1", "224", "224", "3"]


@pytest.mark.shared
def test_seed_004_a_detection_models_batch_is_changed_through_its_shape(serve: Serve, shared: Path) -> None:
    server = faces(serve, shared, "--shape", "(2,3,300,300)")
    pictures = [
        cv2.resize(cv2.imread(str(shared / f"images/people/people{n}.jpeg")), (300, 300)).transpose(2, 0, 1)
        for n in (2, 3)
    ]
    with Client(server.address) as client:
        metadata = client.metadata("face-detection")
        assert [list(tensor.shape) for tensor in (*metadata.inputs, *metadata.outputs)] == [
            [2, 3, 300, 300],
            [1, 1, 400, 7],
        ]
        found = client.infer("face-detection", np.stack(pictures).astype(np.float32))["detection_out"]
    assert found.shape == (1, 1, 400, 7)
    sure = found[found[..., 2] > 0.5]
    assert [int((sure[:, 0] == index).sum()) for index in (0, 1)] == [2, 3]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("batch", "refusal"),
    [
        ("8", "Invalid input batch size - Expected: 1; Actual: 8; input name: input"),
        ("auto", "Model could not be reshaped with requested shape - (8,224,224,3): "),
    ],
)
def test_a_model_that_cannot_be_batched_keeps_its_shape_and_says_so(
    serve: Serve, shared: Path, batch: str, refusal: str
) -> None:
    path = str(shared / "models/mobilenet-v2-quant")
    server = serve("--model_name", "mobilenet", "--model_path", path, "--batch_size", batch)
    shape, message = shape_of(server, "mobilenet")
    assert shape == [1, 224, 224, 3]
    said = f"Model could not be reshaped with requested shape, it keeps its own: batch_size {batch}: "
    assert message.startswith(said)
    with Client(server.address) as client:
        assert client.infer("mobilenet", np.zeros((1, 224, 224, 3), np.uint8))
        with pytest.raises(InvalidRequest, match=re.escape(refusal)) as refused:
            client.infer("mobilenet", np.zeros((8, 224, 224, 3), np.uint8))
        code = grpc.StatusCode.FAILED_PRECONDITION if batch == "auto" else grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.code is code
    assert f"Error message:  {said}" in ovclient(server, "status", "mobilenet").stdout
    server.stop()
    (line,) = [line for line in server.log.splitlines() if said in line]
    assert "warning" in line


@pytest.mark.shared
def test_strict_shape_refuses_a_model_that_cannot_be_batched(shared: Path) -> None:
    path = str(shared / "models/mobilenet-v2-quant")
    settings = ("--model_name", "mobilenet", "--model_path", path, "--batch_size", "8", "--strict_shape")
    ended = run_ovserve(*settings, "--port", "auto")
    assert ended.returncode == 1
    assert (
        "no model can be served: mobilenet version 1: Model could not be reshaped with requested shape: batch_size 8: "
        in ended.stderr
    )
    checked = run_ovserve("check", *settings)
    assert (checked.returncode, checked.stderr) == (1, "")
    assert checked.stdout.startswith("mobilenet version 1 cannot be served: Model could not be reshaped")
