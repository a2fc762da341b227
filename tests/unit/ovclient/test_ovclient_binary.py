"""Commands that send picture files as they are."""

import json
import re
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest

from encoded_pictures import png
from fake_classifier import CLASSES, brightnesses, data_files, scores
from ovclient import Client
from ovclient.testing import FakeServer
from ovclient_command import Run


def classify(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Decode as a server does, then tell pictures apart by how bright they are."""
    files = [np.frombuffer(file, np.uint8) for file in inputs["0"].tolist()]
    return {"1463": scores(np.stack([cv2.resize(cv2.imdecode(file, cv2.IMREAD_COLOR), (4, 4)) for file in files]))}


@pytest.fixture(autouse=True)
def model(server: FakeServer) -> None:
    server.add_model("resnet", classify, inputs={"0": ("FP32", (-1, 3, 4, 4))}, outputs={"1463": ("FP32", (-1, 1000))})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten pictures from black to white, and a list of them with their classes."""
    for number, level in enumerate(brightnesses()):
        (tmp_path / f"{number} x.png").write_bytes(png(np.full((9, 9, 3), level, np.uint8)))
    lines = [f"{number} x.png {label}" for number, label in enumerate(CLASSES)]
    (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_files_are_sent_as_they_are(run: Run, server: FakeServer, photos: Path) -> None:
    done = run("resnet", "--binary", "--images", str(photos), "--batchsize", "5")
    assert (done.code, done.err) == (0, f"skipped {photos}/list.txt: no JPEG or PNG\n")
    assert server.inputs(0)["0"].tolist() == [(photos / f"{number} x.png").read_bytes() for number in range(5)]
    assert done.out.startswith(f"Start processing:\n\tModel name: resnet\n\tIterations: 2\n\tImages: {photos}\n")
    assert "\t 1 Arctic fox, white fox, Alopex lagopus 279 ; score 0.7500 ; 1 x.png\n" in done.out


@pytest.mark.parametrize("flags", [[], ["--binary"]])
def test_a_list_of_files_and_classes(
    run: Run, server: FakeServer, photos: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    if not flags:
        server.add_model(
            "resnet",
            lambda inputs: {"1463": scores(inputs["0"])},
            inputs={"0": ("FP32", (-1, 3, 4, 4))},
            outputs={"1463": ("FP32", (-1, 1000))},
        )
    done = run("resnet", "--images_list", str(photos / "list.txt"), *flags)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("Classification accuracy: 100.00\n")
    monkeypatch.chdir(photos)
    assert run("resnet", "--images_list", "list.txt", *flags).code == 0


def test_packaged_photographs(run: Run, server: FakeServer) -> None:
    done = run("resnet", "--binary", "--batchsize", "6")
    assert (done.code, done.err) == (0, "")
    assert "\tImages: packaged samples\n\tImages shape: (6,)\n" in done.out
    assert all(file.startswith(b"\xff\xd8") for file in server.inputs()["0"].tolist())


def test_behind_a_demultiplexer_files_are_sent_the_same_way(run: Run, server: FakeServer, photos: Path) -> None:
    server.add_model(
        "dag", classify, inputs={"0": ("FP32", (-1, 1, 3, 4, 4))}, outputs={"1463": ("FP32", (-1, 1, 1000))}
    )
    for flags in ([], ["--dag-batch-size-auto"]):
        done = run(
            "resnet",
            "--model_name",
            "dag",
            "--binary",
            "--images_list",
            str(photos / "list.txt"),
            "--batchsize=8",
            *flags,
        )
        assert (done.code, server.inputs()["0"].shape) == (0, (8,))


def test_json(run: Run, photos: Path) -> None:
    document = json.loads(run("resnet", "--binary", "--images_list", str(photos / "list.txt"), "--json").out)
    assert (document["accuracy"], document["shape"]) == (100, [10])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("a.png 1\nb.png\n", "expected lines with a path and a class number, 1 of 2 are such"),
        ("", "expected lines with a path and a class number, 0 of 0 are such"),
        ("0 x.png 1\nlist.txt 2\n", "2 lines name 1 pictures"),
        ("nope.png 1\n", "cannot read .*nope.png: No such file or directory"),
    ],
)
def test_a_list_that_cannot_be_used(run: Run, photos: Path, lines: str, why: str) -> None:
    (photos / "list.txt").write_text(lines)
    done = run("resnet", "--binary", "--images_list", str(photos / "list.txt"))
    assert done.code == 1
    assert re.search(f"^ovclient: .*{why}", done.err, re.MULTILINE)


@pytest.mark.parametrize(
    ("sentence", "hint"),
    [
        (
            "Received binary image input but resource not configured to accept NHWC layout",
            "start the server with --layout NHWC:NCHW",
        ),
        ("inference input '0' data-type is 'BYTES', but model 'resnet' expects 'FP32'", "leave out --binary"),
    ],
)
def test_a_refusal_says_what_to_do(run: Run, server: FakeServer, sentence: str, hint: str) -> None:
    server.fail("ModelInfer", grpc.StatusCode.INVALID_ARGUMENT, sentence)
    done = run("resnet", "--binary")
    assert done.code == 1
    assert done.err.startswith(f"ovclient: {sentence} (")
    assert done.err.endswith(f"{hint})\n")


def test_arrays_are_no_files(run: Run, tmp_path: Path) -> None:
    done = run("resnet", "--binary", *data_files(tmp_path))
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_a_client_takes_a_list_of_files(server: FakeServer, client: Client, photos: Path) -> None:
    files = [(photos / f"{number} x.png").read_bytes() for number in range(3)]
    assert client.infer("resnet", files)["1463"].argmax(1).tolist() == list(CLASSES[:3])


def test_faces_are_drawn_on_the_whole_pictures(run: Run, server: FakeServer, photos: Path, tmp_path: Path) -> None:
    row = np.array([[[[0, 1, 0.9, 0, 0, 1, 1]]]], np.float32)
    server.add_model(
        "face-detection",
        lambda _: {"detection_out": row},
        inputs={"data": ("FP32", (1, 3, 300, 300))},
        outputs={"detection_out": ("FP32", (1, 1, 1, 7))},
    )
    done = run("face-detection", "--binary", "--input_images_dir", str(photos), "--output_dir", f"{tmp_path}/out")
    assert (done.code, done.err) == (0, f"skipped {photos}/list.txt: no JPEG or PNG\n")
    assert "Request shape (1,)\n" in done.out
    assert "image in batch item 0 , output shape (9, 9, 3)\n" in done.out
    assert cv2.imread(f"{tmp_path}/out/1_0.jpg").shape == (9, 9, 3)
    assert run("face-detection", "--binary", "--width", "30").code == 2
