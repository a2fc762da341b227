"""What flags of OVMS and Triton do to a running server."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import small_models
from ovclient import Client, NotFound, OVClientError
from server_process import ServerProcess, run_ovserve
from watched import Watched, adding

Serve = Callable[..., ServerProcess]

CANNOT_SERVE = 1
X = np.zeros((1, 2), np.float32)


def fails(*arguments: str) -> str:
    """The complaint of a start that fails."""
    ended = run_ovserve(*arguments, "--port", "auto")
    assert (ended.returncode, ended.stdout) == (CANNOT_SERVE, "")
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("ovserve: ")]
    return line.removeprefix("ovserve: ")


# Without effect


def test_each_flag_without_effect_is_one_warning(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    ovms = ("--rest_workers", "4", "--grpc_max_threads", "8", "--metrics_list", "", "--rest_port", "auto")
    triton = ("--backend-directory=/nowhere", "--model-load-retry-count=3", "--log-warning=true")
    server = serve("--model-repository", str(repository), *ovms, *triton, env={"OVSERVE_GRPC_MEMORY_QUOTA": "1"})
    server.stop()
    warned = re.findall(r"\[warning *\] --(\w+) has no effect: \S+", server.log)
    expected = ["backend_directory", "grpc_max_threads", "grpc_memory_quota", "model_load_retry_count"]
    assert sorted(warned) == [*expected, "rest_workers"]


def test_check_takes_them_too(repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    ended = run_ovserve("check", "--model-repository", str(repository), "--grpc-port=1", "--log-error=false")
    assert ended.returncode == 0
    assert ended.stdout.startswith("m version 1")


# --log_path, --log-verbose


def test_the_log_goes_to_a_file_as_well(serve: Serve, repository: Path, tmp_path: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    path = tmp_path / "log"
    path.write_text("what was there before\n")
    server = serve("--model_repository", str(repository), "--log-file", str(path))
    moved = path.rename(tmp_path / "log.1")  # as logrotate does
    assert server.stop() == 0
    assert "version available" in moved.read_text()
    assert moved.read_text().startswith("what was there before\n")
    assert "stopped" in path.read_text()
    assert moved.read_text().removeprefix("what was there before\n") + path.read_text() == server.log


def test_a_log_that_cannot_be_written_ends_the_start(repository: Path) -> None:
    assert fails("--model_repository", str(repository), "--log_path", "/nonexistent/log") == (
        "--log_path /nonexistent/log: No such file or directory"
    )


def test_the_log_has_tritons_levels(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    server = serve("--model-repository", str(repository), "--log-info=false", "--log_format", "json")
    assert server.stop() == 0
    assert [line for line in server.log.splitlines() if json.loads(line)["level"] == "info"] == []


# --exit_on_error


@pytest.fixture
def half_broken(repository: Path) -> Path:
    small_models.save(adding(1), repository / "good/1")
    small_models.save(adding(1), repository / "bad/1")
    (repository / "bad/1/model.xml").write_text("<net>")
    return repository


def test_if_asked_for_one_broken_model_ends_the_start(half_broken: Path) -> None:
    complaint = fails("--model_repository", str(half_broken), "--exit-on-error", "true")
    assert complaint.startswith(
        "not every model can be served, which --exit_on_error asks for: "
        "bad version 1: OpenVINO IR file 'model.xml' cannot be read"
    )
    assert "good" not in complaint


def test_if_asked_for_one_that_is_not_there_ends_the_start(half_broken: Path) -> None:
    explicit = ("--model-control-mode=explicit", "--load-model=good")
    complaint = fails("--model-repository", str(half_broken), *explicit, "--load-model=nope", "--exit-on-error=true")
    assert complaint.endswith("nope: it is not in the repository")


@pytest.mark.parametrize(
    "flags",
    [(), ("--exit-on-error=true", "--model-control-mode=explicit", "--load-model=good")],
)
def test_otherwise_the_others_are_served(serve: Serve, half_broken: Path, flags: tuple[str, ...]) -> None:
    with Client(serve("--model-repository", str(half_broken), *flags).address) as client:
        assert client.infer("good", X)["y"].tolist() == [[1, 1]]


# --cpu_extension


@pytest.fixture(scope="module")
def plus_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with the operation PlusOne."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is absent")
    home = Path(ov.__file__).parent
    (library,) = home.glob("libs/libopenvino.so.*")
    built = tmp_path_factory.mktemp("extension") / "libplus_one.so"
    source = Path(__file__).parent.parent / "plus_one.cpp"
    flags = ("-shared", "-fPIC", "-std=c++17", "-w", f"-I{home / 'include'}")
    subprocess.run([compiler, *flags, str(source), "-o", str(built), str(library)], check=True)
    return built


@pytest.fixture
def extended(repository: Path) -> Path:
    x = small_models.parameter("x", [1, 2])
    folder = small_models.save(ov.Model([small_models.named(ops.relu(x), "y")], [x], "extended"), repository / "m/1")
    text = (folder / "model.xml").read_text()
    assert 'type="ReLU" version="opset1"' in text
    (folder / "model.xml").write_text(text.replace('type="ReLU" version="opset1"', 'type="PlusOne" version="tests"'))
    return repository


def test_operations_of_ones_own_are_there_with_the_extension_only(serve: Serve, extended: Path, plus_one: Path) -> None:
    with Client(serve("--model_repository", str(extended), "--cpu_extension", str(plus_one)).address) as client:
        assert client.infer("m", X)["y"].tolist() == [[1, 1]]
    complaint = fails("--model_repository", str(extended), "--model_control_mode", "none")
    assert "PlusOne" in complaint


def test_an_extension_that_cannot_be_loaded_ends_the_start(extended: Path) -> None:
    complaint = fails("--model_repository", str(extended), "--cpu_extension", __file__)
    assert complaint.startswith(f"--cpu_extension {__file__}: the library cannot be loaded: ")


# --grpc_channel_arguments, --target_device


def test_channel_arguments_reach_grpc(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    arguments = "grpc.max_receive_message_length=16,grpc.max_concurrent_streams=8"
    server = serve("--model_repository", str(repository), "--grpc_channel_arguments", arguments)
    with Client(server.address) as client:
        assert client.ready()
        with pytest.raises(OVClientError) as refused:
            client.infer("m", {"x": X})
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_no_device_is_the_best_one(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    with Client(serve("--model_repository", str(repository), "--target_device", "").address) as client:
        assert client.infer("m", X)["y"].tolist() == [[1, 1]]


# --model-config-name, --disable-auto-complete-config

WHOLE = """
max_batch_size: 0
input { name: "x" data_type: TYPE_FP32 dims: [1, 2] }
output { name: "y" data_type: TYPE_FP32 dims: [1, 2] }
"""


def test_another_config_pbtxt_counts_where_it_is_there(watched: Callable[..., Watched], repository: Path) -> None:
    for name in ("one", "two"):
        small_models.save(adding(1), repository / name / "1")
        small_models.save(adding(2), repository / name / "2")
        (repository / name / "config.pbtxt").write_text("version_policy { specific { versions: 1 } }")
    (repository / "two/configs").mkdir()
    other = repository / "two/configs/fast.pbtxt"
    other.write_text("version_policy { specific { versions: 2 } }")
    server = watched("--model-config-name=fast")
    assert server.answer("one") == 1
    assert server.answer("two") == 2
    other.write_text("nonsense")
    server.wait(lambda: "fast.pbtxt: line 1" in server.server.log, "waiting for the change to be refused")
    assert server.answer("two") == 2
    other.unlink()
    server.wait_answer(1, "two")


PARTS = {
    "bare": (None, "config.pbtxt is missing, and nothing completes it"),
    "no_input": ("max_batch_size: 0", "config.pbtxt declares no input, and nothing completes it"),
    "no_output": (WHOLE.partition("output")[0], "config.pbtxt declares no output, and nothing completes it"),
    "no_dims": (WHOLE.replace("dims: [1, 2]", "", 1), "leaves out data_type or dims of input 'x'"),
}


@pytest.fixture(scope="module")
def not_completed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with one model that is configured whole, and one for each part."""
    root = tmp_path_factory.mktemp("parts")
    for name, text in {"whole": WHOLE, **{name: text for name, (text, _) in PARTS.items()}}.items():
        small_models.save(adding(1), root / name / "1")
        if text is not None:
            (root / name / "config.pbtxt").write_text(text)
    server = ServerProcess("--model-repository", str(root), "--disable-auto-complete-config")
    with Client(server.address) as client:
        yield client
    assert server.stop() == 0


def test_what_is_configured_whole_needs_no_completing(not_completed: Client) -> None:
    assert not_completed.infer("whole", X)["y"].tolist() == [[1, 1]]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_not_completed_must_be_whole(not_completed: Client, name: str) -> None:
    with pytest.raises(NotFound, match=PARTS[name][1]):
        not_completed.infer(name, {"x": X})


def test_a_configuration_that_comes_with_a_load_must_be_whole_too(
    watched: Callable[..., Watched], repository: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    (repository / "m/config.pbtxt").write_text(WHOLE)
    one = watched("--disable-auto-complete-config", "--model-control-mode=explicit", "--load-model=m")
    with pytest.raises(OVClientError, match=r"load failed for model 'm': config.pbtxt declares no input"):
        one.client.load_model("m", config={"max_batch_size": 0})
    assert one.answer() == 1


# --model-load-thread-count


def test_models_load_one_after_the_other_if_asked_to(serve: Serve, repository: Path) -> None:
    for name in "abc":
        small_models.save(adding(1), repository / name / "1")
    with Client(serve("--model-repository", str(repository), "--model-load-thread-count=1").address) as client:
        assert [client.infer(name, X)["y"].tolist() for name in "abc"] == [[[1, 1]]] * 3
