"""`ovserve --list_models`, `--add_to_config` and `--remove_from_config`: spec A.3 and the vectors N.11."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ovserve import cli
from ovserve.config.atomic_file import replace_text
from ovserve.config.config_edit import with_model, without_model
from ovserve.config.ovms_json import read_config

Run = Callable[..., tuple[int, str, str]]

DONE, FAILED, WRONG_USAGE = 0, 1, 2

TWO_MODELS = """\
{
    "model_config_list": [
        {
            "config": {
                "name": "b",
                "base_path": "b"
            }
        },
        {
            "config": {
                "name": "a",
                "base_path": "/opt/ä"
            }
        }
    ]
}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; its exit code, what it printed, and its complaints."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def add(run: Run, file: Path, name: str, *flags: str) -> tuple[int, str, str]:
    return run("--add_to_config", "--model_name", name, "--config_path", str(file), *flags)


def remove(run: Run, file: Path, name: str, *flags: str) -> tuple[int, str, str]:
    return run("--remove_from_config", "--model_name", name, "--config_path", str(file), *flags)


def configs(file: Path) -> list[dict[str, Any]]:
    return [entry["config"] for entry in json.loads(file.read_text())["model_config_list"]]


# --add_to_config


def test_models_are_added_at_the_end_of_a_file_that_is_made(run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert add(run, file, "b", "--model_path", "b") == (DONE, f"Added model 'b' at {tmp_path}/b to {file}\n", "")
    code, _, complaint = add(run, file, "a", "--model_path", "/opt/ä")
    assert (code, complaint) == (DONE, "ovserve: warning: there is nothing at /opt/ä yet\n")
    assert file.read_text() == TWO_MODELS


def test_a_folder_stands_for_its_config_json(run: Run, file: Path) -> None:
    assert add(run, file.parent, "a", "--model_path", "a")[0] == DONE
    assert configs(file) == [{"name": "a", "base_path": "a"}]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model_name", "a", "--model_path", "a", "--add_to_config", "--config_path", "{file}"),
        ("--model-name=a", "--model-path=a", "--config-path={file}", "--add-to-config"),
    ],
)
def test_the_command_stands_anywhere_and_in_either_spelling(run: Run, file: Path, arguments: tuple[str, ...]) -> None:
    assert run(*(argument.format(file=file) for argument in arguments))[0] == DONE
    assert configs(file) == [{"name": "a", "base_path": "a"}]


def test_every_flag_of_a_model_is_kept_and_reads_the_same(run: Run, file: Path) -> None:
    flags = {
        "batch_size": "1:8",
        "shape": "{x:(1,2),y:auto}",
        "layout": "NHWC:NCHW",
        "mean": "[1,2]",
        "scale": "(1,2)",
        "color_format": "RGB:BGR",
        "precision": "UINT8:FP32",
        "model_version_policy": '{"specific": {"versions": [1, 3]}}',
        "nireq": "3",
        "target_device": "GPU",
        "plugin_config": '{"NUM_STREAMS": "1", "ENABLE_CPU_PINNING": true}',
        "max_queue": "4",
        "queue_timeout": "0.5",
        "auto_shape_cache": "2",
    }
    given = [text for name, value in flags.items() for text in (f"--{name}", value)]
    assert add(run, file, "m", "--model_path", "m", *given, "--strict_shape")[0] == DONE
    (config,) = configs(file)
    assert config == {
        **flags,
        "name": "m",
        "base_path": "m",
        "shape": {"x": "(1,2)", "y": "auto"},
        "mean": [1, 2],
        "model_version_policy": {"specific": {"versions": [1, 3]}},
        "nireq": 3,
        "plugin_config": {"NUM_STREAMS": "1", "ENABLE_CPU_PINNING": True},
        "max_queue": 4,
        "queue_timeout": 0.5,
        "auto_shape_cache": 2,
        "strict_shape": True,
    }
    read = read_config(file)
    assert (len(read.models), read.errors) == (1, ())
    assert read.models[0].base_path == file.parent / "m"


def test_a_list_that_is_no_json_stays_text(run: Run, file: Path) -> None:
    assert add(run, file, "m", "--model_path", "m", "--layout", "{x:NHWC}", "--mean", "[.5]")[0] == DONE
    assert configs(file) == [{"name": "m", "base_path": "m", "layout": {"x": "NHWC"}, "mean": "[.5]"}]
    assert read_config(file).errors == ()


def test_a_model_of_a_repository_beside_the_file_is_written_relative(run: Run, file: Path, tmp_path: Path) -> None:
    add(run, file, "meta/llama", "--model_repository_path", str(tmp_path / "models"))
    add(run, file, "far", "--model_repository_path", "/opt/models")
    assert [config["base_path"] for config in configs(file)] == ["models/meta/llama", "/opt/models/far"]


def test_a_repository_from_the_environment_is_where_file_and_model_lie(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVMS_MODEL_REPOSITORY_PATH", str(tmp_path))
    assert run("--add_to_config", "--model_name", "m")[0] == DONE
    assert configs(file) == [{"name": "m", "base_path": "m"}]
    assert run("--remove_from_config", "--model_name", "m")[0] == DONE
    assert file.read_text() == '{\n    "model_config_list": []\n}\n'
    assert run("--list_models") == (DONE, "", "")


def test_a_name_that_is_there_is_refused(run: Run, file: Path) -> None:
    file.write_text(TWO_MODELS)
    assert add(run, file, "a", "--model_path", "x") == (
        FAILED,
        "",
        f"ovserve: Could not add model to configuration file: {file}. Model with the same name already exists.\n",
    )
    assert file.read_text() == TWO_MODELS


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model_name", "m", "--model_path", "m"), "Set config_path with add_to_config/remove_from_config"),
        (("--config_path", "c", "--model_path", "m"), "Set model_name with add_to_config/remove_from_config"),
        (
            ("--config_path", "c", "--model_name", "m"),
            "Set model_name either with model_path or model_repository_path with add_to_config",
        ),
        (
            ("--config_path", "c", "--model_name", "m", "--model_path", "../m"),
            "--model_path: Path ../m escape with .. is forbidden.",
        ),
        (
            ("--config_path", "c", "--model_name", "m", "--model_path", "s3://b/m"),
            "--model_path: paths that begin with s3:// are not supported: expected a local folder or file",
        ),
        (("--config_path", "c", "--model_name", "m", "--model_path", "m", "--mean", "1"), "--mean requires --layout"),
        (
            ("--config_path", "c", "--model_name", "m", "--model_path", "m", "--shape", "x"),
            "--shape (or OVSERVE_SHAPE)",
        ),
        (("--config_path", "c", "--model_name", "m", "--model_path", "m", "--port", "1"), "Unknown option: --port"),
        (("--list_models",), "Unknown option: --list_models"),
    ],
)
def test_wrong_usage_of_add_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, complaint = run("--add_to_config", *arguments)
    assert (code, out) == (WRONG_USAGE, "")
    assert complaint.startswith(f"ovserve: {sentence}")
    assert list(tmp_path.iterdir()) == []


# --remove_from_config


def test_models_are_removed_and_the_others_stay_as_they_are(run: Run, file: Path) -> None:
    others = {"pipeline_config_list": [{"name": "p"}], "custom_loader_config_list": [], "monitoring": {"x": 1.50}}
    file.write_text(json.dumps({"custom_loader_config_list": [], **json.loads(TWO_MODELS), **others}))
    assert remove(run, file, "b") == (DONE, f"Removed model 'b' from {file}\n", "")
    document = json.loads(file.read_text())
    assert list(document) == ["custom_loader_config_list", "model_config_list", "pipeline_config_list", "monitoring"]
    assert {name: document[name] for name in others} == others
    assert configs(file) == [{"name": "a", "base_path": "/opt/ä"}]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("c",), FAILED, "Configuration file doesn't have model with name: c."),
        (("a", "--model_path", "a"), WRONG_USAGE, "--model_path cannot be used with --remove_from_config"),
        (("",), WRONG_USAGE, "Set model_name with add_to_config/remove_from_config"),
    ],
)
def test_what_cannot_be_removed_is_told(
    run: Run, file: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    file.write_text(TWO_MODELS)
    assert remove(run, file, *arguments) == (code, "", f"ovserve: {sentence}\n")
    assert file.read_text() == TWO_MODELS


def test_nothing_is_removed_from_a_file_that_is_not_there(run: Run, file: Path) -> None:
    assert remove(run, file, "a") == (FAILED, "", f"ovserve: Config path does not exist: {file}\n")
    assert not file.exists()


@pytest.mark.parametrize("command", [add, remove])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"model_config_list": [\n', "it is not JSON: line 2, column 1: Expecting value"),
        ("[]", "it is not a configuration file: expected an object with a list model_config_list"),
        ('{"model_config_list": {}}', "it is not a configuration file: expected an object with a list"),
        ('{"model_config_list": [], "model_config_list": []}', "model_config_list: the key stands twice"),
    ],
)
def test_a_broken_file_is_told_and_left_alone(
    run: Run, file: Path, command: Callable[..., tuple[int, str, str]], text: str, sentence: str
) -> None:
    file.write_text(text)
    code, out, complaint = command(run, file, "a", *(("--model_path", "a") if command is add else ()))
    assert (code, out) == (FAILED, "")
    assert complaint.startswith(f"ovserve: config.json: {sentence}")
    assert complaint.endswith(f" ({file})\n")
    assert file.read_text() == text


def test_an_entry_that_somebody_has_to_mend_is_no_hindrance() -> None:
    text = '{"model_config_list": [3, {"config": []}, {"config": {"name": "a"}}]}'
    edited = without_model(text, "a")
    assert edited is not None
    assert json.loads(edited) == {"model_config_list": [3, {"config": []}]}
    assert without_model("{}", "a") is None
    added = with_model("{}", {"name": "a"})
    assert added is not None
    assert json.loads(added) == {"model_config_list": [{"config": {"name": "a"}}]}


# The file


def test_a_file_keeps_its_permissions_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real.json")
    replace_text(link, "new")
    assert (link.is_symlink(), real.read_text(), real.stat().st_mode & 0o777) == (True, "new", 0o640)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_who_has_the_old_file_open_reads_the_old_text(file: Path) -> None:
    file.write_text("old")
    with file.open() as reader:
        replace_text(file, "new")
        assert (reader.read(), file.read_text()) == ("old", "new")


def test_a_file_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "absent/config.json"
    assert add(run, file, "a", "--model_path", "a") == (
        FAILED,
        "",
        f"ovserve: config.json: the file cannot be written: No such file or directory ({file})\n",
    )


# --list_models


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_every_folder_with_a_version_is_listed(run: Run, tmp_path: Path) -> None:
    put(tmp_path, "resnet/1/model.xml", "resnet/1/model.bin", "meta/llama4/2/m.onnx", "meta/llama3.1/10/saved_model.pb")
    put(tmp_path, "zero/01/model.onnx", "void/1/readme", "half/1/model.xml", ".hidden/1/model.onnx", "3/model.onnx")
    (tmp_path / "meta/loop").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to("resnet")
    code, out, complaint = run("--model_repository_path", str(tmp_path), "--list_models")
    assert (code, complaint) == (DONE, "")
    assert out.splitlines() == ["alias", "meta/llama3.1", "meta/llama4", "resnet"]


def test_a_repository_that_is_missing_is_told(run: Run) -> None:
    assert run("--list_models") == (
        WRONG_USAGE,
        "",
        "ovserve: Use --list_models with --model_repository_path\n",
    )
    assert run("--list_models", "--model_repository_path", "/nonexistent") == (
        FAILED,
        "",
        "ovserve: /nonexistent: the folder does not exist\n",
    )


def test_the_help_names_the_commands(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == DONE
    assert all(f"--{name} " in out for name in ("list_models", "add_to_config", "remove_from_config"))
