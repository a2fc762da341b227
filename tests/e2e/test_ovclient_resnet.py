"""`ovclient resnet` against the real server and real models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client_process import ovclient, ovclient_rest
from ovclient import Client
from seed_run import assert_as_shown
from server_process import ServerProcess, repository

Serve = Callable[..., ServerProcess]
pytestmark = pytest.mark.shared


@pytest.fixture
def resnet(serve_once: Serve, shared: Path) -> ServerProcess:
    return serve_once("--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"))


def test_every_line_of_the_seeds_two_runs(resnet: ServerProcess, shared: Path, tmp_path: Path) -> None:
    assert_as_shown(resnet, shared, tmp_path, "002", "--model_name", "resnet")


def test_no_other_flag_than_the_batch_size_is_needed(resnet: ServerProcess) -> None:
    done = ovclient(resnet, "resnet", "--batchsize", "8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\t 0 Egyptian cat 285 ; score 0." in done.stdout
    assert "\t 1 espresso 967 ; score 0." in done.stdout
    assert "accuracy" not in done.stdout


def test_pictures_in_the_other_layout_are_transposed_by_themselves(resnet: ServerProcess, shared: Path) -> None:
    data = shared / "data"
    flags = ["--images_numpy_path", str(data / "imgs_nhwc.npy"), "--labels_numpy_path", str(data / "lbs.npy")]
    assert ovclient(resnet, "resnet", *flags).stdout.endswith("\nClassification accuracy: 100.00\n")


def test_picture_files(resnet: ServerProcess, shared: Path) -> None:
    done = ovclient(resnet, "resnet", "--images", str(shared / "images/imagenet"), "--batchsize", "10")
    assert "\t 0 airliner 404 ; score 0." in done.stdout
    assert done.stdout.count("\t ") == 10


def test_other_models_need_only_their_name(serve: Serve, shared: Path, tmp_path: Path) -> None:
    names = {"mobilenet": "mobilenet-v2-quant", "squeezenet": "squeezenet1.1", "echo": "string-echo"}
    models = {name: shared / "models" / folder / "1" for name, folder in names.items()}
    server = serve("--model_repository", str(repository(tmp_path, **models)))

    quantised = ovclient(server, "resnet", "--model_name", "mobilenet")
    assert (quantised.returncode, quantised.stderr) == (0, "")
    assert "\t 0 Egyptian cat 285 ; score 2" in quantised.stdout

    squeezenet = ovclient(server, "resnet", "--model_name", "squeezenet")
    assert (squeezenet.returncode, squeezenet.stderr) == (0, "")
    assert "\t 0 espresso 967 ; score 0." in squeezenet.stdout

    echo = ovclient(server, "resnet", "--model_name", "echo")
    sentence = "ovclient: model 'echo' has no 4-D image input; its inputs: 'text' BYTES[-1]\n"
    assert (echo.returncode, echo.stdout, echo.stderr) == (1, "", sentence)

    with Client(server.address) as client:
        texts = np.array([b"a\0", "ä".encode()], object)
        assert client.infer("echo", texts)["echo"].tolist() == texts.tolist()


def test_a_wrong_output_name_and_a_wrong_batch_are_the_users_to_mend(resnet: ServerProcess, shared: Path) -> None:
    wrong = ovclient(resnet, "resnet", "--output_name", "nope")
    assert (wrong.returncode, wrong.stderr) == (1, "Invalid output name nope\nAvailable outputs:\n1463\n")
    flat = ovclient(resnet, "resnet", "--images_numpy_path", str(shared / "data/lbs.npy"))
    assert (flat.returncode, flat.stderr.count("\n")) == (1, 1)


def test_metadata_status_and_probes(resnet: ServerProcess) -> None:
    assert (
        "\tInput name: 0; shape: [-1, 3, 224, 224]; dtype: DT_FLOAT\n" in ovclient(resnet, "metadata", "resnet").stdout
    )
    assert "\nModel version: 1\nState AVAILABLE\nError code:  0\n" in ovclient(resnet, "status", "resnet").stdout
    assert ovclient(resnet, "live").stdout == "Server Live: True\n"
    assert ovclient(resnet, "ready", "resnet").stdout == "Model Ready: True\n"
    assert ovclient(resnet, "ready", "nope").returncode == 1


def test_picture_files_as_they_are(serve: Serve, resnet: ServerProcess, shared: Path, tmp_path: Path) -> None:
    files = sorted((shared / "images/imagenet").iterdir())
    lines = zip(files, np.load(shared / "data/lbs.npy"), strict=True)
    (tmp_path / "list.txt").write_text("".join(f"{file} {label}\n" for file, label in lines))
    flags = ["resnet", "--binary", "--images_list", str(tmp_path / "list.txt"), "--batchsize", "10"]
    model = str(shared / "models/efficientnet-lite0")
    as_in_ovms = serve("--model_name", "resnet", "--model_path", model, "--layout", "NHWC:NCHW", rest=True)
    for done in (ovclient(resnet, *flags), ovclient(as_in_ovms, *flags), ovclient_rest(as_in_ovms, *flags)):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("\nClassification accuracy: 100.00\n")


def test_a_server_that_does_not_know_the_layout_is_helped(serve: Serve, shared: Path) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(shared / "models/resnet50-light"))
    done = ovclient(server, "resnet", "--binary", "--images", str(shared / "images/imagenet"))
    assert done.returncode == 1
    assert done.stderr.endswith("started with --layout NCHW the server would resize images\n")
