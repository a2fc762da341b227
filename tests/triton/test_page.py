"""The page on Triton says what is so; its first commands have set up the Triton of all these tests."""

from collections.abc import Callable
from pathlib import Path

import tritonclient.grpc as triton

import small_models
from ovserve.config.model import ModelConfig
from readme import blocks
from triton_page import PAGE, Home, page, run
from triton_server import TritonProcess

ROLES = {("bash", "install"), ("bash", "serve"), ("bash", "ask"), ("protobuf", "config")}


def test_every_block_is_run() -> None:
    assert {(block.language, block.role) for block in blocks(PAGE)} == ROLES


def test_every_parameter_stands_in_the_page() -> None:
    text = PAGE.read_text()
    ours = ModelConfig.model_fields.keys() - {"name", "base_path", "declared", "pipeline", "model_version_policy"}
    ours -= {"max_image_pixels"}  # Triton lets no BYTES through to an input of numbers
    assert [name for name in ours if f"`{name}`" not in text] == []


def test_the_installer_says_that_all_is_in_place(home: Home) -> None:
    python = home.folder / "triton-env/bin/python3"
    assert f"{python}: Python 3." in home.printed
    assert ", numpy 1.26." in home.printed
    assert 'for models with backend: "openvino_py" in config.pbtxt' in home.printed
    assert "and for models with a model.xml and no config.pbtxt" in home.printed
    assert "missing" not in home.printed


def test_our_models_are_served_and_answer_right(home: Home, start: Callable[..., TritonProcess]) -> None:
    server = start(home.folder / "model_repository")
    printed = run(page("ask").replace("--grpc_port 8001", f"--grpc_port {server.port}"), home.folder)
    assert "Classification accuracy: 100.00" in printed
    assert len(list((home.folder / "faces").glob("*.jpg"))) == 3


def test_the_configuration_shown_is_taken(start: Callable[..., TritonProcess], tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1, 3]), tmp_path / "shown/1")
    (tmp_path / "shown/config.pbtxt").write_text(page("config"))
    server = start(tmp_path)
    with triton.InferenceServerClient(server.address) as client:
        assert list(client.get_model_metadata("shown").inputs[0].shape) == [-1, -1]
    assert "has no effect" not in server.log
