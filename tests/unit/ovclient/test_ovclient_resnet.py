import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import seed_output
from fake_classifier import CLASSES, data_files, pictures, scores, serve
from ovclient.testing import FakeServer
from ovclient_command import Run


@pytest.mark.shared
@pytest.mark.parametrize(
    ("seed", "model", "flags"), [("002", "resnet", []), ("003", "resnet50DAG", ["--dag-batch-size-auto"])]
)
@pytest.mark.parametrize(("batch", "name"), [("1", "b1.txt"), ("8", "b8.txt")])
def test_every_line_is_the_seeds_but_for_measured_figures(
    *,
    run: Run,
    server: FakeServer,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: str,
    model: str,
    flags: list[str],
    batch: str,
    name: str,
) -> None:
    serve(server, model, shape=(-1, 3, 224, 224) if not flags else (-1, 1, 3, 224, 224))
    data_files(tmp_path, (10, 3, 224, 224))
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    command = [
        "resnet",
        "--images_numpy_path",
        "../../imgs.npy",
        "--labels_numpy_path",
        "../../lbs.npy",
        "--input_name",
        "0",
    ]
    command += f"--output_name 1463 --model_name {model} --transpose_input False --batchsize {batch}".split()
    done = run(*command, *flags)
    assert seed_output.masked(done.out) == seed_output.block(shared, seed, name)
    assert (done.code, done.err) == (0, "")


def test_the_header_and_a_wrong_label(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    flags = data_files(tmp_path)
    np.save(tmp_path / "lbs.npy", np.array([404] * 10))
    lines = run("resnet", *flags, "--batchsize", "5").out.splitlines()
    assert lines[:6] == [
        "Image data range: 0.0 : 255.0",
        "Start processing:",
        "\tModel name: resnet",
        "\tIterations: 2",
        f"\tImages numpy path: {tmp_path}/imgs.npy",
        "\tNumpy file shape: (10, 3, 4, 4)",
    ]
    assert "\t 0 airliner 404 ; Correct match." in lines
    assert "\t 1 Arctic fox, white fox, Alopex lagopus 279 ; Incorrect match. Should be 404 airliner" in lines
    assert lines[-1] == "Classification accuracy: 10.00"


def test_without_labels_the_line_ends_after_the_number(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    done = run("resnet", *data_files(tmp_path)[:2])
    assert "\t 0 airliner 404\n" in done.out
    assert "accuracy" not in done.out


@pytest.mark.parametrize(
    ("batch", "iterations", "sent"),
    [
        (4, 0, [[0, 1, 2, 3], [4, 5, 6, 7]]),  # the rest is dropped
        (4, 3, [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]),  # the file is looped
        (10, 0, [list(range(10))]),
        (12, 0, [[*range(10), 0, 1]]),  # too few pictures are repeated
    ],
)
def test_iterations_are_the_whole_batches_unless_told(
    *, run: Run, server: FakeServer, tmp_path: Path, batch: int, iterations: int, sent: Any
) -> None:
    serve(server)
    assert run("resnet", *data_files(tmp_path), "--batchsize", str(batch), "--iterations", str(iterations)).code == 0
    order = [[CLASSES.index(row.argmax()) for row in scores(server.inputs(i)["0"])] for i in range(len(sent))]
    assert order == sent
    assert len(server.requests()) == len(sent)


@pytest.mark.parametrize("shape", [(-1, 1, 3, 4, 5), (8, 1, 3, 4, 5), (-1, 1, 4, 5, 3)])
def test_a_demultiplexer_gets_its_dimension_and_every_answer_finds_its_picture(
    run: Run, server: FakeServer, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    serve(server, shape=shape)
    done = run("resnet", *data_files(tmp_path, (10, 3, 4, 5)), "--dag_batch_size_auto", "--batchsize=8")
    assert server.inputs()["0"].shape == (8, *shape[1:])
    assert done.out.count("Correct match.") == 8
    assert done.out.endswith("Classification accuracy: 100.00\n")


@pytest.mark.parametrize(
    ("flags", "sent"),
    [
        (["--transpose_input", "False"], (1, 1, 4, 5, 3)),
        (["--transpose_input", "True"], (1, 1, 3, 4, 5)),
        (["--transpose_input", "True", "--transpose_method", "nchw2nhwc"], (1, 1, 5, 3, 4)),
    ],
)
def test_a_demultiplexers_pictures_are_transposed_as_any_others(
    run: Run, server: FakeServer, tmp_path: Path, flags: list[str], sent: tuple[int, ...]
) -> None:
    serve(server, shape=(-1, 1, 3, 4, 5))
    assert run("resnet", *data_files(tmp_path, (10, 4, 5, 3)), "--dag-batch-size-auto", *flags).code == 0
    assert server.inputs()["0"].shape == sent


@pytest.mark.parametrize("stored", ["uint8", "float64", "float32"])
@pytest.mark.parametrize(("datatype", "sent"), [("UINT8", "uint8"), ("FP32", "float32"), ("FP16", "float16")])
def test_pictures_are_cast_to_the_models_datatype(
    *, run: Run, server: FakeServer, tmp_path: Path, stored: Any, datatype: str, sent: Any
) -> None:
    serve(server, datatype=datatype)
    done = run("resnet", *data_files(tmp_path, dtype=stored))
    assert done.out.endswith("Classification accuracy: 100.00\n")
    assert server.inputs()["0"].dtype == sent


@pytest.mark.parametrize(
    ("stored", "model", "flags", "sent"),
    [
        ((10, 4, 5, 3), (-1, 3, 4, 5), [], (1, 3, 4, 5)),
        ((10, 3, 4, 5), (-1, 4, 5, 3), [], (1, 4, 5, 3)),
        ((10, 4, 5, 3), (-1, 3, 4, 5), ["--transpose_input", "False"], (1, 4, 5, 3)),
        ((10, 4, 5, 3), (-1, 4, 5, 3), ["--transpose_input=True"], (1, 3, 4, 5)),
        ((10, 3, 4, 5), (-1, 3, 4, 5), ["--transpose_input", "True", "--transpose_method", "nchw2nhwc"], (1, 4, 5, 3)),
        ((10, 3, 4, 5), (-1, 3, 4, 5), ["--transpose-method", "nchw2nhwc"], (1, 4, 5, 3)),
    ],
)
def test_the_layout_follows_the_model_unless_told(
    *, run: Run, server: FakeServer, tmp_path: Path, stored: Any, model: tuple[int, ...], flags: list[str], sent: Any
) -> None:
    serve(server, shape=model)
    run("resnet", *data_files(tmp_path, stored), *flags)
    assert server.inputs()["0"].shape == sent


@pytest.mark.parametrize(("width", "tail"), [(1000, (1, 1)), (1001, ()), (1000, (1,))])
def test_outputs_of_other_shapes_are_understood(
    run: Run, server: FakeServer, tmp_path: Path, width: int, tail: tuple[int, ...]
) -> None:
    serve(server, width=width, tail=tail)
    assert run("resnet", *data_files(tmp_path), "--batchsize", "5").out.endswith("accuracy: 100.00\n")


def test_a_pipelines_answer_is_a_class_number_from_1(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.add_model(
        "chain",
        lambda inputs: {"label": scores(inputs["0"]).argmax(1).astype(np.int64)[:, None] + 1},
        inputs={"0": ("FP32", (1, 3, 4, 4))},
        outputs={"label": ("INT64", (1, 1))},
    )
    done = run("resnet", "--pipeline_name", "chain", *data_files(tmp_path))
    assert "\tModel name: chain\n" in done.out
    assert "fps\nresponse shape (1, 1)\nimagenet top results in a single batch:\n\t 0 airliner 404 ; Cor" in done.out
    assert done.out.endswith("Classification accuracy: 100.00\n")


def test_without_pictures_it_takes_packaged_ones_of_the_models_size(run: Run, server: FakeServer) -> None:
    serve(server, shape=(-1, 32, 48, 3), datatype="UINT8")
    done = run("resnet", "--batchsize", "6")
    assert server.inputs()["0"].shape == (6, 32, 48, 3)
    assert "\tImages: packaged samples\n\tImages shape: (6, 32, 48, 3)\n" in done.out
    assert "; score 0.7500 ; chelsea.jpg\n" in done.out
    assert "accuracy" not in done.out


def test_a_model_of_any_size_gets_224(run: Run, server: FakeServer) -> None:
    serve(server, shape=(-1, 3, -1, -1))
    run("resnet")
    assert server.inputs()["0"].shape == (1, 3, 224, 224)


def test_a_grey_model_gets_grey_pictures(run: Run, server: FakeServer) -> None:
    serve(server, shape=(-1, 1, 8, 8))
    assert run("resnet").code == 0
    assert server.inputs()["0"].shape == (1, 1, 8, 8)


def test_picture_files_and_folders(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    for name, level in (("b.png", 255), ("a.jpg", 0)):
        cv2.imwrite(str(tmp_path / name), np.full((9, 9, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    done = run("resnet", "--images", str(tmp_path), str(tmp_path / "b.png"), "--batchsize", "3")
    assert "\t 0 airliner 404 ; score 0.7500 ; a.jpg\n\t 1 zebra 340 ; score 0.7500 ; b.png\n\t 2 zebra" in done.out
    assert done.err == f"skipped {tmp_path}/notes.txt: no picture that OpenCV can read\n"


def test_labels_file_names_the_classes(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.add_model(
        "resnet", lambda _: {"y": [[0.0, 1.0]]}, inputs={"x": ("FP32", (1, 3, 4, 4))}, outputs={"y": ("FP64", (1, 2))}
    )
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    assert (
        "\ntop results in a single batch:\n\t 0 dog 1 ; " in run("resnet", "--labels_file", f"{tmp_path}/names.txt").out
    )
    assert "\ntop results in a single batch:\n\t 0 1 ; " in run("resnet").out


def test_json_is_one_strict_document(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    document = json.loads(run("resnet", *data_files(tmp_path), "--batchsize", "5", "--json").out)
    assert document["accuracy"] == 100
    assert len(document["iterations"]) == 2
    assert document["iterations"][1]["time_ms"] > 0
    assert document["statistics"]["max_ms"] == max(one["time_ms"] for one in document["iterations"])
    assert document["iterations"][0]["results"][1] == {
        "class": 279,
        "name": "Arctic fox, white fox, Alopex lagopus",
        "score": 0.75,
        "picture": None,
        "label": 279,
        "label_name": "Arctic fox, white fox, Alopex lagopus",
        "correct": True,
    }


def test_a_score_that_is_no_number_is_null_in_json(run: Run, server: FakeServer) -> None:
    shape = ("FP32", (1, 3, 4, 4))
    server.add_model("resnet", lambda _: {"y": [[np.nan, 1.0]]}, inputs={"x": shape}, outputs={"y": ("FP64", (1, 2))})
    assert json.loads(run("resnet", "--json").out)["iterations"][0]["results"][0]["score"] is None


def test_a_wrong_output_name_lists_the_right_ones(run: Run, server: FakeServer) -> None:
    serve(server)
    done = run("resnet", "--output_name", "nope")
    assert (done.code, done.out, done.err) == (1, "", "Invalid output name nope\nAvailable outputs:\n1463\n")


def test_a_wrong_input_name_lists_the_right_ones(run: Run, server: FakeServer) -> None:
    serve(server)
    done = run("resnet", "--input_name", "nope")
    assert (done.code, done.err) == (1, "Invalid input name nope\nAvailable inputs:\n0\n")


def test_a_model_without_image_input_is_one_sentence(run: Run, server: FakeServer) -> None:
    server.add_model("resnet", dict, inputs={"text": ("BYTES", [-1])}, outputs={"echo": ("BYTES", [-1])})
    done = run("resnet")
    assert (done.code, done.out) == (1, "")
    assert done.err == "ovclient: model 'resnet' has no 4-D image input; its inputs: 'text' BYTES[-1]\n"


def test_a_demultiplexer_without_its_flag_is_hinted_at(run: Run, server: FakeServer) -> None:
    serve(server, shape=(-1, 1, 3, 4, 4))
    assert "(try --dag-batch-size-auto)" in run("resnet").err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--images_numpy_path", "/no/such.npy"], "cannot read /no/such.npy: No such file or directory"),
        (["--images", "/no/such.jpg"], "cannot read /no/such.jpg: No such file or directory"),
        (["--labels_file", "/no/such.txt"], "cannot read /no/such.txt: No such file or directory"),
        (["--images", __file__], f"no picture in {__file__}"),
        (["--model_name", "nope"], "Request for unknown model: 'nope' is not found"),
        (["--server_cert", "ca.pem"], "certificates were given, but tls is off: add tls=True"),
        (["--tls", "--server_cert", "/no/ca.pem"], "server_cert: cannot read /no/ca.pem: No such file or directory"),
    ],
)
def test_what_fails_is_one_line_on_stderr_and_exit_1(
    run: Run, server: FakeServer, flags: list[str], message: str
) -> None:
    serve(server)
    done = run("resnet", *flags)
    assert (done.code, done.err.splitlines()[-1]) == (1, f"ovclient: {message}")


def test_an_answer_that_is_no_scores_is_one_sentence(run: Run, server: FakeServer) -> None:
    server.add_model(
        "resnet", lambda _: {"y": np.float32(1)}, inputs={"x": ("FP32", (1, 3, 4, 4))}, outputs={"y": ("FP32", ())}
    )
    done = run("resnet")
    assert done.code == 1
    assert "output 'y' of model 'resnet': expected numbers of shape [1, classes], got float32[]" in done.err


def test_two_sources_of_pictures_are_wrong_usage(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    done = run("resnet", *data_files(tmp_path), "--images", str(tmp_path))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--images and --images_numpy_path exclude each other" in done.err


def test_the_stretch_is_that_of_the_whole_file_not_of_a_batch(run: Run, server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    run("resnet", *data_files(tmp_path))
    assert server.inputs(3)["0"].mean() == pytest.approx(pictures()[3].mean(), rel=1e-5)
