"""`ovserve check`."""

import json
from collections.abc import Callable
from pathlib import Path

import openvino as ov
import pytest

import small_models
from ovserve import cli

Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the command; its exit code, what it printed, and its complaints."""

    def check(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["check", *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return check


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    small_models.save(small_models.add_sub(ov.PartialShape([-1, 3])), tmp_path / "good/1")
    small_models.save(small_models.flat(), tmp_path / "stubborn/2")
    (tmp_path / "void").mkdir()
    return tmp_path


def test_what_would_be_served_is_listed(check: Check, tmp_path: Path) -> None:
    small_models.save(small_models.channel_sum(), tmp_path / "1")
    settings = ("--model_name", "m", "--model_path", str(tmp_path), "--layout", "NHWC", "--shape", "(1,4:9,-1,3)")
    assert check(*settings) == (
        0,
        "m version 1\n  input  x FP32   (1,[4~9],-1,3) NHWC\n  output y FP32   (1,1,[4~9],[1~])\n",
        "",
    )


def test_what_is_wrong_is_told_with_the_reason(check: Check, repository: Path) -> None:
    code, out, err = check("--model_repository", str(repository), "--batch_size", "8")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[:6] == [
        "good version 1",
        "  input  a          FP32   (8,3)",
        "  input  b          FP32   (8,3)",
        "  output sum        FP32   (8,3)",
        "  output difference FP32   (8,3)",
        "stubborn version 2",
    ]
    assert lines[8].startswith(
        "  warning: Model could not be reshaped with requested shape, it keeps its own: batch_size"
    )
    assert lines[9].startswith("void cannot be served: no version found")
    assert len(lines) == 10


def test_it_can_be_read_by_programs(check: Check, repository: Path) -> None:
    code, out, _ = check("--json", "--model_repository", str(repository), "--strict_shape", "--batch_size", "1:8")
    document = json.loads(out)
    assert (code, document["ok"]) == (1, False)
    good, stubborn, void = document["models"]
    assert [model["state"] for model in document["models"]] == ["READY", "UNAVAILABLE", "UNAVAILABLE"]
    assert good["inputs"][0] == {
        "name": "a",
        "datatype": "FP32",
        "shape": [-1, 3],
        "bounds": [[1, 8], [3, 3]],
        "layout": None,
    }
    assert stubborn["reason"].startswith("Model could not be reshaped with requested shape: batch_size 1:8: ")
    assert void["version"] is None


def test_a_config_file_is_checked_with_the_reason_of_each_entry(check: Check, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    configs = [{"name": "good", "base_path": "m"}, {"name": "wrong", "base_path": "m", "batch_size": "x"}]
    document = {"model_config_list": [{"config": config} for config in configs]}
    (tmp_path / "config.json").write_text(json.dumps(document))
    code, out, _ = check("--config_path", str(tmp_path))
    assert code == 1
    assert out.splitlines()[0] == "good version 1"
    assert out.splitlines()[-1].startswith(
        "wrong cannot be served: config.json: model_config_list[1].config.batch_size: 'x' is not a batch size: "
    )


def test_a_warning_alone_is_nothing_wrong(check: Check, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "1")
    settings = ("--model_name", "m", "--model_path", str(tmp_path), "--shape", "(3)", "--batch_size", "4")
    code, out, _ = check(*settings)
    assert code == 0
    assert out.endswith(
        "  warning: Both shape and batch size have been defined. Batch size parameter will be ignored.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--model_repository", "/nonexistent"), 1, "model repository /nonexistent: the folder does not exist"),
        ((), 2, "use one of: --model_repository, --config_path, or --model_name with --model_path"),
        (("--model_repository", "m", "--shape", "x"), 2, "--shape (or OVSERVE_SHAPE): 'x' is not a shape"),
    ],
)
def test_without_anything_to_check_it_is_one_line(
    check: Check, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    ended, out, err = check(*arguments)
    assert (ended, out) == (code, "")
    assert err.startswith(f"ovserve: {sentence}")
