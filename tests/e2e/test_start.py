"""What stops a start, and what does not: one line that says what and where, and the right exit code."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tritonclient.grpc import service_pb2 as pb

import foreign_models
import small_models
from ovserve import cli
from ovserve.config.settings import Settings
from permissions import keep_out, let_in, mind_permissions
from server_process import ServerProcess
from wire_server import Wire, request

CANNOT_SERVE, WRONG_USAGE = 1, 2
UNCHANGING = ("--model_control_mode", "none")  # else a server waits for what may come into its repository
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT")


def complaint(code: int, stdout: str, stderr: str) -> tuple[int, str]:
    """The exit code and the one line on stderr that is no log line."""
    assert stdout == ""
    assert "Traceback" not in stderr, stderr
    (line,) = [line for line in stderr.splitlines() if not LOG_LINE.match(line)]
    assert line.startswith("ovserve: ")
    return code, line.removeprefix("ovserve: ")


def start_fails(
    *arguments: str, env: dict[str, str] | None = None, prepare: Callable[[], None] | None = None
) -> tuple[int, str]:
    port = () if any(argument.startswith("--port") for argument in arguments) else ("--port", "auto")
    ended = subprocess.run(
        [sys.executable, "-m", "ovserve", *arguments, *port],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(env or {})},
        preexec_fn=prepare,
        check=False,
    )
    return complaint(ended.returncode, ended.stdout, ended.stderr)


def weighted() -> ov.Model:
    """A model whose .bin holds something: `x` -> `y` = x times a matrix."""
    x = small_models.parameter("x", [2, 100])
    product = ops.matmul(x, ops.constant(np.ones((100, 100), np.float32)), transpose_a=False, transpose_b=False)
    return ov.Model([small_models.named(product, "y")], [x], "weighted")


def cut(folder: Path) -> None:
    os.truncate(folder / "model.bin", 1000)


# One model, and it cannot be served


def one_model(path: Path, **options: object) -> tuple[int, str]:
    return start_fails("--model_name", "m", "--model_path", str(path), **options)


def test_a_broken_xml_is_named_with_the_place_in_it(tmp_path: Path) -> None:
    folder = small_models.save(small_models.add_one([2]), tmp_path / "1")
    (folder / "model.xml").write_text("<net>\n<layers>")
    code, line = one_model(tmp_path)
    assert code == CANNOT_SERVE
    assert line == (
        "no model can be served: m version 1: OpenVINO IR file 'model.xml' cannot be read: "
        "it is not well-formed XML (no element found: line 2, column 8)"
    )


def test_a_missing_bin_is_named(tmp_path: Path) -> None:
    (small_models.save(small_models.add_one([2]), tmp_path / "1") / "model.bin").unlink()
    assert one_model(tmp_path) == (
        CANNOT_SERVE,
        "no model can be served: m version 1: model.xml needs model.bin beside it, which is missing",
    )


def test_a_truncated_bin_is_named(tmp_path: Path) -> None:
    cut(small_models.save(weighted(), tmp_path / "1"))
    code, line = one_model(tmp_path)
    assert code == CANNOT_SERVE
    assert line == (
        "no model can be served: m version 1: OpenVINO IR file 'model.xml' cannot be read: "
        "Incorrect weights in bin file!"
    )


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A repository of one good model, in a folder that is another user's own."""
    root = tmp_path / "theirs"
    small_models.save(small_models.add_one([2]), root / "m/1")
    keep_out(root)
    yield root
    let_in(root)


def test_a_repository_that_may_not_be_read_is_named(forbidden: Path) -> None:
    assert start_fails("--model_repository", str(forbidden), prepare=mind_permissions) == (
        CANNOT_SERVE,
        f"model repository {forbidden}: the folder cannot be read by the server's user: permission denied",
    )


def test_a_model_inside_a_folder_that_may_not_be_read_is_named(forbidden: Path) -> None:
    code, line = one_model(forbidden / "m", prepare=mind_permissions)
    assert code == CANNOT_SERVE
    assert line.startswith("no model can be served: m: the folder cannot be read by the server's user")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere", "the folder does not exist"),
        ("file", "it is not a folder"),
        ("n" * 5000, "the folder cannot be read"),
    ],
    ids=["missing", "file", "absurd"],
)
def test_a_repository_that_is_none_is_named(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    code, line = start_fails("--model_repository", str(tmp_path / name))
    assert code == CANNOT_SERVE
    assert line.startswith(f"model repository {tmp_path / name}: {sentence}")


@pytest.mark.parametrize("content", ["nothing", "files", "hidden"])
def test_a_repository_without_models_says_what_it_should_hold(tmp_path: Path, content: str) -> None:
    if content == "files":
        foreign_models.onnx(tmp_path / "loose.onnx")
    if content == "hidden":
        foreign_models.onnx(tmp_path / ".git/1/model.onnx")
    assert start_fails("--model_repository", str(tmp_path), *UNCHANGING) == (
        CANNOT_SERVE,
        f"model repository {tmp_path} holds no model: expected folders like {tmp_path}/NAME/1/model.xml",
    )


def test_every_model_that_failed_is_in_the_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    small_models.save(small_models.add_one([2]), tmp_path / "b/01")
    code, line = start_fails("--model_repository", str(tmp_path), *UNCHANGING)
    assert code == CANNOT_SERVE
    assert re.match(r"no model can be served: a: no version found: .*; b: no version found: ", line)


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("--target_device", "NOPE", 'cannot be compiled for device NOPE: Device with "NOPE" name is not registered'),
        ("--plugin_config", '{"NOPE": 1}', "Unsupported property NOPE by CPU plugin"),
    ],
)
def test_what_openvino_does_not_know_is_named(tmp_path: Path, flag: str, value: str, reason: str) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    code, line = start_fails("--model_name", "m", "--model_path", str(tmp_path / "m"), flag, value)
    assert code == CANNOT_SERVE
    assert line.startswith("no model can be served: m version 1: the model cannot be compiled for device")
    assert reason in line


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = tmp_path / "file/cache"
    assert start_fails("--model_repository", str(tmp_path), "--cache_dir", str(cache)) == (
        CANNOT_SERVE,
        f"--cache_dir {cache}: Not a directory",
    )


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("192.0.2.1", "Cannot assign requested address"), ("nosuch.invalid", "")],
)
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, address: str, sentence: str) -> None:
    code, line = start_fails("--model_repository", str(tmp_path), "--grpc_bind_address", address)
    assert code == CANNOT_SERVE
    assert line.startswith(f"cannot listen on {address}:")
    assert line.endswith(sentence)


# Among good models, broken ones stop nobody


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that minds permissions, on a repository in which much is broken and much is not."""
    root = tmp_path_factory.mktemp("mixed")
    add_one = small_models.add_one([2])
    for place in ("good/1", "two/1", "two/2", "ten/9", "ten/10", "fallback/1", "fallback/2", "zeros/01", "zeros/3"):
        small_models.save(add_one, root / place)
    for place in ("direct", "words/v1", "words/1", "named/1", "bad_mapping/1", "odd_mapping/1", "strange[1]/1"):
        small_models.save(add_one, root / place)
    (root / "fallback/2/model.xml").write_text("<net>")
    (root / "named/1/mapping_config.json").write_text('{"inputs": {"x": "image"}, "outputs": {"y": "score"}}')
    (root / "bad_mapping/1/mapping_config.json").write_text('{"inputs": {"x": 1}}')
    (root / "odd_mapping/1/mapping_config.json").write_text('{"inputs": {"nope": "image"}}')
    cut(small_models.save(weighted(), root / "cut/1"))
    foreign_models.onnx(root / "onnx/1/model.onnx")
    foreign_models.frozen_graph(root / "frozen/1/graph.pb")
    foreign_models.saved_model(root / "saved/1")
    for kind, files in {"onnx": ["m.onnx"], "tflite": ["m.tflite"], "paddle": ["m.pdmodel", "m.pdiparams"]}.items():
        (root / f"bad_{kind}/1").mkdir(parents=True)
        for file in files:
            (root / f"bad_{kind}/1" / file).write_bytes(b"nonsense" * 9)
    (root / "half_paddle/1").mkdir(parents=True)
    (root / "half_paddle/1/m.pdmodel").touch()
    (root / "void").mkdir()
    (root / "readme.txt").touch()
    for name in ("their_model", "their_version", "their_file"):
        small_models.save(add_one, root / name / "1")
    theirs = [root / "their_model", root / "their_version/1", root / "their_file/1/model.bin"]
    for path in theirs:
        keep_out(path)
    server = ServerProcess("--model_repository", str(root), prepare=mind_permissions)
    yield server
    let_in(*theirs)
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def wire(mixed: ServerProcess) -> Iterator[Wire]:
    wire = Wire(mixed.address)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def index(wire: Wire) -> dict[tuple[str, str], tuple[str, str]]:
    models = pb.RepositoryIndexResponse.FromString(wire.call("RepositoryIndex", b"").data).models
    return {(row.name, row.version): (row.state, row.reason) for row in models}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("good", "1"),
        ("two", "2"),
        ("ten", "10"),
        ("fallback", "1"),
        ("zeros", "3"),
        ("direct", "1"),
        ("words", "1"),
        ("strange[1]", "1"),
    ],
)
def test_the_highest_sound_version_is_served(wire: Wire, name: str, version: str) -> None:
    answer = wire.infer(request(name, {"x": np.float32([1, 2])}))
    assert answer.outputs["y"].tolist() == [2, 3]
    assert pb.ModelInferResponse.FromString(answer.data).model_version == version


@pytest.mark.parametrize(("name", "x", "y"), [("onnx", "x", "y"), ("frozen", "x:0", "y:0"), ("saved", "x", "y")])
def test_other_formats_are_found_and_served(wire: Wire, name: str, x: str, y: str) -> None:
    array = np.float32([[-1, 0, 1], [2, -3, 4]])
    assert (wire.infer(request(name, {x: array})).outputs[y] == np.maximum(array, 0)).all()


def test_a_mapping_gives_tensors_their_public_names(wire: Wire) -> None:
    assert wire.infer(request("named", {"image": np.float32([1, 2])})).outputs["score"].tolist() == [2, 3]
    refusal = wire.infer(request("named", {"x": np.float32([1, 2])}))
    assert "expects 1 inputs 'image', got 1: missing 'image', unexpected 'x'" in refusal.details


BROKEN = [
    ("fallback", "2", "OpenVINO IR file 'model.xml' cannot be read: it is not well-formed XML"),
    ("cut", "1", "OpenVINO IR file 'model.xml' cannot be read: Incorrect weights in bin file"),
    ("bad_mapping", "1", "mapping_config.json: inputs.x: Input should be a valid string"),
    ("odd_mapping", "1", "mapping_config.json renames input 'nope'; the model has ['x']"),
    ("bad_onnx", "1", "ONNX file 'm.onnx' cannot be read: "),
    ("bad_tflite", "1", "TensorFlow Lite file 'm.tflite' cannot be read: "),
    ("bad_paddle", "1", "PaddlePaddle file 'm.pdmodel' cannot be read: "),
    ("half_paddle", "1", "m.pdmodel needs m.pdiparams beside it, which is missing"),
    ("void", "", "no version found: expected a folder named by a number"),
    ("their_model", "", "the folder cannot be read by the server's user: permission denied"),
    ("their_version", "1", "the folder cannot be read by the server's user: permission denied"),
    ("their_file", "1", "OpenVINO IR file 'model.xml' cannot be read: model.bin: Permission denied"),
]


@pytest.mark.parametrize(("name", "version", "reason"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_is_broken_is_in_the_index_with_its_reason(
    mixed: ServerProcess, index: dict[tuple[str, str], tuple[str, str]], name: str, version: str, reason: str
) -> None:
    state, found = index[name, version]
    assert state == "UNAVAILABLE"
    assert found.startswith(reason)


@pytest.mark.parametrize(("name", "version", "reason"), BROKEN, ids=[row[0] for row in BROKEN])
def test_to_infer_on_what_is_broken_is_not_found_with_its_reason(
    wire: Wire, name: str, version: str, reason: str
) -> None:
    refusal = wire.infer(request(name, {}, model_version=version))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert f"model '{name}'" in refusal.details
    assert reason in refusal.details


@pytest.mark.parametrize(("name", "version", "reason"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_is_broken_is_one_line_of_the_log_with_its_path(
    mixed: ServerProcess, wire: Wire, name: str, version: str, reason: str
) -> None:
    lines = [line for line in mixed.log.splitlines() if re.search(rf"failed .*model={name}\b", line)]
    assert len(lines) == 1
    assert reason[:40] in lines[0].replace("\\'", "'")
    assert f"/{name}" in lines[0].partition(" path=")[2]


def test_a_version_folder_with_leading_zeros_is_passed_over_with_a_warning(mixed: ServerProcess, wire: Wire) -> None:
    (line,) = [line for line in mixed.log.splitlines() if "model=zeros" in line and "warning" in line]
    assert "folder '01' is ignored: a version is a positive number without leading zeros" in line


def test_files_beside_the_models_are_no_models(index: dict[tuple[str, str], tuple[str, str]]) -> None:
    assert not any(name == "readme.txt" for name, _ in index)


def test_a_single_file_is_version_1(serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    file = small_models.save(small_models.add_one([2]), tmp_path / "a[b]") / "model.xml"
    wire = Wire(serve("--model_name", "one", "--model_path", str(file)).address)
    assert wire.infer(request("one", {"x": np.float32([1, 2])}, model_version="1")).outputs["y"].tolist() == [2, 3]
    wire.close()


def test_a_tflite_file_is_served(shared: Path, serve: Callable[..., ServerProcess]) -> None:
    wire = Wire(serve("--model_name", "t", "--model_path", str(shared / "models/mobilenet-v2-quant")).address)
    data = wire.call("ModelMetadata", pb.ModelMetadataRequest(name="t")).data
    assert [len(tensor.shape) for tensor in pb.ModelMetadataResponse.FromString(data).inputs] == [4]
    wire.close()


# The port


def test_a_second_server_on_the_port_ends_at_once(mixed: ServerProcess, wire: Wire, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    code, line = start_fails("--model_repository", str(tmp_path), "--port", str(mixed.port))
    assert code == CANNOT_SERVE
    assert line == f"cannot listen on 127.0.0.1:{mixed.port} for gRPC: Address already in use"
    assert wire.infer(request("good", {"x": np.float32([1, 2])})).outputs["y"].tolist() == [2, 3]


# Usage. The command line is called in this process, where a start costs nothing.

NOWHERE = "/nonexistent/ovserve"
COUNTS = (
    "grpc_max_threads",
    "grpc_memory_quota",
    "custom_node_resources_cleaner_interval_seconds",
    "model_load_retry_count",
)
WRONG = {
    "model_name": [""],
    "port": ["x", "-1", "65536", "1.5", "", "Auto"],
    "grpc_bind_address": ["300.1.1.1", "a b", "", "1.2.3.4,", "a_b", "1:2:3", "h" * 256],
    "plugin_config": ["x", "[1]", '"text"', '{"A": [1]}', '{"A": null}', ""],
    "nireq": ["-1", "100001", "x", "1.5", "", "1e3"],
    "model_version_policy": ["", "latest", "{}", '{"latest": 2}', '{"specific": {"versions": [0]}}'],
    "auto_shape_cache": ["0", "10001", "x", ""],
    "max_queue": ["-1", "x", ""],
    "max_image_pixels": ["0", "x", ""],
    "queue_timeout": ["-1", "x", "nan", ""],
    "grpc_channel_arguments": ["x", "a=", "=1", "a=1,", "a=1,b", "a=1=2", "a=2147483648", "a=-2147483649"],
    "grpc_max_message_bytes": ["1023", "2147483648", "x", "1GiB"],
    "grpc_max_connections": ["0", "-1", "1000001", "x", ""],
    "grpc_max_concurrent_streams": ["0", "-1", "1000001", "x", ""],
    "cores": ["0", "-1", "x", "1.5", ""],
    "exit_timeout_secs": ["-1", "x", "nan"],
    "shape": ["", "word", "(1,3", "(1,,3)", "[1,3]", "{a:(1,3)", "{}", '{"a": 1}', "{a:(1,3),a:auto}", "{a}"],
    "batch_size": ["", "x", "1.5", "-2", "9:8", "0:3"],
    "layout": ["", "NCHWN", "NHWC:NCHW:NC", "{}", "{a:NX}"],
    "mean": ["", "x", "[1;2]", "1,2", "nan"],
    "scale": ["", "x", "[1;2]", "0", "[1,0]"],
    "color_format": ["", "RGB", "RGB:XYZ"],
    "precision": ["", "FP32", "FP32:FLOAT"],
    "model_control_mode": ["", "x", "Watch", "EXPLICIT"],
    "file_system_poll_wait_seconds": ["-1", "x", "nan", ""],
    "load_wait_seconds": ["-1", "x", "nan", "inf", ""],
    "model_load_thread_count": ["0", "-1", "x", "1.5", "129", ""],
    "sequence_cleaner_poll_wait_minutes": ["-1", "4294967296", "x", "1.5", ""],
    "max_sequence_number": ["0", "-1", "4294967296", "x", "1.5", ""],
    "python_model_isolation": ["", "x", "PROCESS"],
    "python_model_stuck_seconds": ["-1", "x", "nan", "inf", ""],
    "model_config_name": ["", "a/b", "../x"],
    "cpu_extension": [NOWHERE, ""],
    "log_verbose": ["-1", "x", "1.5", ""],
    "log_level": ["info", "x", ""],
    "log_format": ["xml", "JSON", ""],
    "metrics_list": ["nope", "ovms_streams,nope"],
    "otlp_endpoint": ["", "x y", "ftp://127.0.0.1:4317", "http://127.0.0.1:4318/v1/traces"],
    "rest_port": ["-1", "65536", "x", ""],
    "rest_max_body_bytes": ["1023", "2147483648", "x", ""],
    "rest_max_connections": ["0", "-1", "1000001", "x", ""],
    "rest_bind_address": ["300.1.1.1", "a b", ""],
    "rest_workers": ["1", "10001", "x", ""],
    "grpc_workers": ["0", "100000", "x", ""],
    **{name: ["-1", "x", "1.5", ""] for name in COUNTS},
}
ANYTHING_GOES = {
    "model_repository",
    "model_path",
    "config_path",
    "cache_dir",
    "load_model",
    "target_device",
}  # any text
ANYTHING_GOES |= {"log_path", "api_key_file", "backend_directory"}
ANYTHING_GOES |= {"tls_cert", "tls_key", "tls_client_ca"}
ANYTHING_GOES |= {"allowed_origins", "allowed_methods", "allowed_headers"}
SWITCHES = {"strict_shape", "allow_symlinks", "allow_remote_management", "allow_code_upload", "exit_on_error"}
SWITCHES |= {"strict_readiness", "disable_auto_complete_config", "log_info", "log_warning", "log_error"}
SWITCHES |= {"grpc_use_ssl", "grpc_use_ssl_mutual"}
SWITCHES |= {"metrics_enable", "triton_metrics", "log_requests", "tracing"}
SWITCHES |= {"allow_credentials", "stateful", "idle_sequence_cleanup", "low_latency_transformation"}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Call the command line where nothing can be served, so that what is wrongly accepted ends too."""

    def run(*arguments: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        captured = capsys.readouterr()
        return complaint(ended.value.code, captured.out, captured.err)

    return run


def test_the_table_of_wrong_values_covers_every_flag() -> None:
    assert WRONG.keys() | ANYTHING_GOES | SWITCHES == Settings.model_fields.keys()


PLAIN, DASHED = "--{flag}={value}", "--{dashed}={value}"


@pytest.mark.parametrize(
    ("flag", "value", "form"),
    [(flag, value, form) for flag, values in WRONG.items() for value in values for form in (PLAIN, "environment")]
    + [(flag, values[0], DASHED) for flag, values in WRONG.items()],
)
def test_a_wrong_value_is_told_with_its_flag(
    call: Callable[..., tuple[int, str]], flag: str, value: str, form: str
) -> None:
    where = ("--model_repository", NOWHERE)
    if form == "environment":
        code, line = call(*where, **{f"OVSERVE_{flag.upper()}": value})
    else:
        code, line = call(*where, form.format(flag=flag, dashed=flag.replace("_", "-"), value=value))
    assert code == WRONG_USAGE
    assert line.startswith(f"--{flag} (or OVSERVE_{flag.upper()}): ")
    assert ", got '" in line


@pytest.mark.parametrize("flag", sorted(SWITCHES))
def test_a_wrong_value_of_a_switch_is_told_with_its_flag(call: Callable[..., tuple[int, str]], flag: str) -> None:
    code, line = call("--model_repository", NOWHERE, f"--{flag}=x")
    assert (code, line) == (WRONG_USAGE, f'Invalid value for --{flag}: unable to convert "x" into bool.')
    code, line = call("--model_repository", NOWHERE, **{f"OVSERVE_{flag.upper()}": "x"})
    assert code == WRONG_USAGE
    assert line.startswith(f"--{flag} (or OVSERVE_{flag.upper()}): ")


@pytest.mark.parametrize("flag", ["mean", "scale", "color_format", "precision"])
def test_preprocessing_needs_a_layout(call: Callable[..., tuple[int, str]], flag: str) -> None:
    value = {"color_format": "RGB:BGR", "precision": "FP32:FP16"}.get(flag, "1.0")
    code, line = call("--model_repository", NOWHERE, f"--{flag}", value)
    assert (code, line) == (WRONG_USAGE, f"--{flag} requires --layout to be set")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "use one of: --model_repository, --config_path, or --model_name with --model_path"),
        (("--model_name", "m"), "use one of: --model_repository, --config_path, or --model_name with --model_path"),
        (("--model_path", "p"), "use one of: --model_repository, --config_path, or --model_name with --model_path"),
        (
            ("--model_repository", NOWHERE, "--model_name", "m", "--model_path", "p"),
            "use one of: --model_repository, --config_path, or --model_name with --model_path",
        ),
        (
            ("--model_repository", NOWHERE, "--config_path", "c"),
            "use one of: --model_repository, --config_path, or --model_name with --model_path",
        ),
        (("--config_path", "c", "--model_name", "m"), "use one of: --model_repository, --config_path, or --model_name"),
        (
            ("--config_path", "c", "--layout", "NHWC"),
            "--layout cannot be used with --config_path: set layout in that file, model by model",
        ),
        (("--config_path", "c", "--strict_shape"), "--strict_shape cannot be used with --config_path: set"),
        (
            ("--model_repository", NOWHERE, "--plugin_config", '{"CPU_THREADS_NUM": "x"}'),
            "--plugin_config (or OVSERVE_PLUGIN_CONFIG): INFERENCE_NUM_THREADS must be a whole number, got 'x', got",
        ),
        (("--model_repository", NOWHERE, "--nope", "1"), "Unknown option: --nope."),
        (("--model_repository", NOWHERE, "--nope=1"), "Unknown option: --nope."),
        (("--model_repository", NOWHERE, "stray"), "Unused Tokens: ['stray']."),
        (("--model_repository", NOWHERE, "--nireq"), "Parameter --nireq requires an argument."),
        (("--model_repository",), "Parameter --model_repository requires an argument."),
        (("--model_repository", NOWHERE, "--nireq", "1", "--nireq", "2"), "--nireq specified multiple times."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line(
    call: Callable[..., tuple[int, str]], arguments: tuple[str, ...], sentence: str
) -> None:
    code, line = call(*arguments)
    assert code == WRONG_USAGE
    assert sentence in line


@pytest.mark.parametrize("form", ["--plugin_config={", "--plugin-config={"])
def test_json_that_is_not_whole_is_told_with_its_flag(call: Callable[..., tuple[int, str]], form: str) -> None:
    code, line = call("--model_repository", NOWHERE, form)
    assert code == WRONG_USAGE
    assert re.search(r"--plugin[_-]config\b.*JSON.*line 1 column 2", line)


def test_a_wrong_value_ends_the_process_with_2_before_anything_is_served(tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    code, line = start_fails("--model_repository", str(tmp_path), "--nireq", "many")
    assert code == WRONG_USAGE
    assert line.startswith("--nireq (or OVSERVE_NIREQ): ")
    assert line.endswith(", got 'many'")


@pytest.mark.parametrize("form", [("--port", "0x1"), ("--port=0x1",), ("--grpc-bind-address=a b",)])
def test_flags_take_both_spellings_and_both_forms(call: Callable[..., tuple[int, str]], form: tuple[str, ...]) -> None:
    code, line = call("--model-repository", NOWHERE, *form)
    assert code == WRONG_USAGE
    assert line.startswith(f"{form[0].partition('=')[0].replace('-', '_').replace('__', '--')} (or OVSERVE_")


@pytest.mark.parametrize(
    "value",
    ["http://user:hunter2@host:4317", "http://hunter2@host", "http://u:hun/hunter2@ter@host/x", "user:hunter2@host"],
)
def test_a_password_in_an_address_is_not_repeated(call: Callable[..., tuple[int, str]], value: str) -> None:
    where = ("--model_repository", NOWHERE)
    for code, line in (call(*where, "--otlp_endpoint", value), call(*where, OVSERVE_OTLP_ENDPOINT=value)):
        assert code == WRONG_USAGE
        assert line.startswith("--otlp_endpoint (or OVSERVE_OTLP_ENDPOINT): expected http://HOST:PORT")
        assert "hunter2" not in line
        assert "...@host" in line


def test_a_stray_address_is_shown_without_its_password(call: Callable[..., tuple[int, str]]) -> None:
    code, line = call("--model_repository", NOWHERE, "http://user:hunter2@host")
    assert (code, line) == (WRONG_USAGE, "Unused Tokens: ['http://...@host'].")


def test_a_private_key_in_place_of_its_file_is_not_repeated(tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
    pair = {"OVSERVE_TLS_CERT": "cert.pem", "OVSERVE_TLS_KEY": pem}
    code, line = start_fails("--model_repository", str(tmp_path), env=pair)
    assert code == CANNOT_SERVE
    assert line.startswith("--tls_")
    assert "hunter2" not in line


def test_a_flag_beats_its_environment_variable() -> None:
    environment = {"OVSERVE_MODEL_REPOSITORY": f"{NOWHERE}/environment", "OVSERVE_NIREQ": "many"}
    assert start_fails("--model_repository", f"{NOWHERE}/flag", "--nireq", "1", env=environment) == (
        CANNOT_SERVE,
        f"model repository {NOWHERE}/flag: the folder does not exist",
    )


def test_the_environment_alone_is_enough() -> None:
    assert start_fails(env={"OVSERVE_MODEL_REPOSITORY": f"{NOWHERE}/environment"}) == (
        CANNOT_SERVE,
        f"model repository {NOWHERE}/environment: the folder does not exist",
    )
