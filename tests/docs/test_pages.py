"""The other pages say what is so."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ovserve
from ovserve.config.declared import TritonConfig
from ovserve.config.ovms_json import read_config
from ovserve.config.ovms_schema import File, ModelEntry
from ovserve.config.pbtxt import parse_pbtxt
from ovserve.config.settings import Settings
from ovserve.config.triton import DONE_BY_SERVER, read_triton
from ovserve.config.without_effect import WithoutEffect
from ovserve.core import compose
from ovserve.engine.python_backend.load_python import load_python
from ovserve.errors import InvalidInput, OVServeError
from ovserve.requests import InferRequest, InferResponse, Patient
from ovserve.tensors import DType, Tensor
from python_models import run
from readme import CHECKOUT, Block, blocks

PAGES = sorted((CHECKOUT / "backend/docs").rglob("*.md"))
OWN_TESTS = {
    "triton.md",
    "pipelines.md",
    "security.md",
}  # in tests/triton, test_pipelines_page.py, test_security_page.py
BLOCKS = [block for page in PAGES for block in blocks(page) if page.name not in OWN_TESTS]


def test_every_flag_stands_in_the_page_on_serving() -> None:
    text = (CHECKOUT / "backend/docs/serving.md").read_text()
    ours = [name for name in Settings.model_fields if name not in WithoutEffect.model_fields]
    assert [name for name in ours if f"`--{name}`" not in text] == []


def test_every_flag_without_effect_stands_with_its_reason_in_the_page_on_configuration() -> None:
    _, _, table = (CHECKOUT / "backend/docs/configuration.md").read_text().partition("| flag | why |\n|---|---|\n")
    rows = [f"| `--{name}` | {field.description} |" for name, field in WithoutEffect.model_fields.items()]
    assert table.splitlines() == rows


PYTHON = [block for block in BLOCKS if block.language == "python" and not block.role]
CONFIGURATION = {block.language: block.code for block in BLOCKS if block.page == "configuration.md"}


def test_a_block_of_another_language_has_a_test_of_its_own() -> None:
    others = [(block.page, block.language) for block in BLOCKS if block not in PYTHON]
    assert others == [
        ("batching.md", "protobuf"),
        ("configuration.md", "json"),
        ("configuration.md", "bash"),
        ("custom_nodes.md", "python"),
        ("python_models.md", "protobuf"),
        ("python_models.md", "python"),
        ("python_models.md", "protobuf"),
    ]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.page)
def test_a_python_block_runs(block: Block) -> None:
    done = subprocess.run([sys.executable, "-c", block.code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_custom_node_shown_runs(tmp_path: Path) -> None:
    file = tmp_path / "scale.py"
    file.write_text(next(block.code for block in BLOCKS if block.role == "node"))
    document = {"parameters": {"factor": {"string_value": "2.5"}}}
    node = load_python(file, TritonConfig("scale", document=document), name="scale", version=1)
    x = Tensor(DType.FP32, np.array([[2, 1000]], np.float32))
    assert run(node, {"x": x})["y"].data.tolist() == [[5, 2500]]
    with pytest.raises(InvalidInput, match="x must be at most 1000"):
        run(node, {"x": Tensor(DType.FP32, x.data + 1)})


def test_the_batching_shown_is_read_whole() -> None:
    (text,) = (block.code for block in BLOCKS if block.page == "batching.md")
    declared = read_triton(parse_pbtxt(text), DONE_BY_SERVER)
    assert declared.dynamic_batching is not None
    assert (declared.dynamic_batching.levels, declared.dynamic_batching.policy.max_queue_size) == (2, 64)
    assert declared.warnings == ()


def test_the_isolation_shown_is_read() -> None:
    (text,) = (block.code for block in BLOCKS if block.page == "python_models.md" and not block.role)
    declared = read_triton(parse_pbtxt(f'backend: "python" {text}'), DONE_BY_SERVER)
    assert declared.settings["python_model_isolation"] == "process"


def test_the_decoupled_model_shown_answers_so_often(tmp_path: Path) -> None:
    config, model = (block.code for block in BLOCKS if block.role == "repeat")
    (tmp_path / "repeat/1").mkdir(parents=True)
    (tmp_path / "repeat/config.pbtxt").write_text(config)
    (tmp_path / "repeat/1/model.py").write_text(model)
    core = compose(Settings(model_repository=[tmp_path]))
    core.load()
    got: list[object] = []

    def send(response: InferResponse | OVServeError | None, *, final: bool) -> None:
        assert not isinstance(response, OVServeError)
        got.append(final if response is None else response.outputs["text"].data.tolist())

    text, times = np.array([b"again"], object), np.array([2], np.int32)
    inputs = {"text": Tensor(DType.BYTES, text), "times": Tensor(DType.INT32, times)}
    core.dataplane.infer_stream(InferRequest("repeat", inputs), Patient(), send)
    assert got == [[b"again"], [b"again"], True]


def test_the_config_file_shown_serves_our_own_models(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(CONFIGURATION["json"])
    for model in ("resnet", "face-detection"):
        (tmp_path / model).symlink_to(CHECKOUT / "model_repository" / model)
    with ovserve.load(config_path=tmp_path) as loaded:
        assert loaded.metadata("digits").inputs[0].wire_shape[0] == -1
        assert loaded.metadata("face-detection").inputs[0].wire_shape == [1, 3, -1, -1]


def test_the_commands_shown_edit_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for model in ("resnet", "face-detection"):
        (tmp_path / "models" / model).symlink_to(CHECKOUT / "model_repository" / model)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", CONFIGURATION["bash"]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["face-detection", "resnet"]
    (model,) = read_config(tmp_path / "models").models
    assert (model.name, model.base_path) == ("face-detection", tmp_path / "models/face-detection")


def test_every_key_of_a_model_stands_in_the_page_on_the_config_file() -> None:
    text = (CHECKOUT / "backend/docs/configuration.md").read_text()
    assert [key for key in (*File.model_fields, *ModelEntry.model_fields) if f"`{key}`" not in text] == []


def test_every_decision_is_listed_and_every_link_leads_somewhere() -> None:
    folder = CHECKOUT / "backend/docs/adr"
    listed = (folder / "README.md").read_text()
    assert [page.name for page in sorted(folder.glob("0*.md")) if f"({page.name})" not in listed] == []
    assert [
        line for line in listed.splitlines() if "](" in line and not (folder / line.split("](")[1][:-1]).is_file()
    ] == []


def test_readmes_table_is_what_the_raw_slices_give() -> None:
    results = CHECKOUT / "tests/perf/results"
    renders = [f"--render={results / name}" for name in ("face-detection-retail-0004.json", "tiny.json")]
    done = subprocess.run(
        [sys.executable, "-m", "ovserve", "bench", *renders], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in (CHECKOUT / "README.md").read_text()
