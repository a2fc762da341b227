"""The page on pipelines: its config.json serves what it says, and its picture of the graph is what is printed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import ovserve.custom_nodes
from client_process import ovclient
from ovclient import Client, samples
from readme import CHECKOUT, blocks
from server_process import ServerProcess

BLOCKS = {block.language: block.code for block in blocks(CHECKOUT / "backend/docs/pipelines.md")}


@pytest.fixture
def server(serve: Callable[..., ServerProcess], tmp_path: Path) -> ServerProcess:
    for model in ("resnet", "face-detection"):
        (tmp_path / model).symlink_to(CHECKOUT / "model_repository" / model)
    shutil.copy(Path(ovserve.custom_nodes.__path__[0]) / "crop.py", tmp_path)
    (tmp_path / "config.json").write_text(BLOCKS["json"])
    return serve("--config_path", str(tmp_path))


def test_its_pipelines_answer(server: ServerProcess) -> None:
    with Client(server.address) as client:
        assert client.infer("digits", np.zeros((5, 1, 1, 8, 8), np.float32))["scores"].shape == (5, 1, 10)
        portrait = Path(samples.__path__[0]) / "portraits/camera.jpg"
        picture = cv2.resize(cv2.imread(str(portrait)), (300, 300)).astype(np.float32).transpose(2, 0, 1)
        assert client.infer("faces", picture[np.newaxis])["images"].shape == (1, 1, 3, 64, 64)
        assert client.infer("faces", np.zeros((1, 3, 300, 300), np.float32))["images"].shape == (0, 1, 3, 64, 64)


def test_its_graph_is_what_the_command_prints(server: ServerProcess) -> None:
    done = ovclient(server, "pipeline", "show", "faces")
    assert (done.returncode, done.stdout) == (0, BLOCKS["text"])
