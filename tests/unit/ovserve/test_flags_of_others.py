"""Every flag of OVMS and of Triton (spec A.1, A.2, K.2): it works, or it is taken with one warning that says why not."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ovserve import app, cli
from ovserve.command_line import OTHER_NAMES
from ovserve.config.cors import Cors
from ovserve.config.settings import Settings
from ovserve.config.without_effect import WithoutEffect
from ovserve.cores import usable_cores

Run = Callable[..., tuple[int, Settings | None, str]]

CORES = usable_cores()
BY_LEVEL = "--log_level alone chooses the lines"

# What is written -> what it sets, or the reason why it has no effect.
ONE_MODEL = "--model_name m --model_path p"
REPOSITORY = "--model-repository r"
OVMS: list[tuple[str, dict[str, Any] | str]] = [
    ("--port 8001", {"port": 8001}),
    ("--rest_port 0", {"rest_port": 0}),
    ("--grpc_bind_address 127.0.0.1,::1", {"grpc_addresses": ("127.0.0.1", "::1")}),
    ("--rest_bind_address 192.0.2.1", {"rest_addresses": ("192.0.2.1",)}),
    ("--grpc_workers 1", {"grpc_workers": 1}),
    (f"--grpc_workers {CORES}", {"grpc_workers": CORES}),
    ("--grpc_max_threads 16", "--nireq and --max_queue"),
    ("--grpc_memory_quota 2147483648", "--grpc_max_message_bytes"),
    (
        "--grpc_channel_arguments grpc.max_concurrent_streams=8,grpc.name=x",
        {"channel_arguments": {"grpc.max_concurrent_streams": 8, "grpc.name": "x"}},
    ),
    ("--rest_workers 4 --rest_port 8000", "one REST server has the threads of all"),
    ("--log_level DEBUG", {"least_level": "DEBUG"}),
    ("--log_path l", {"log_path": Path("l")}),
    ("--file_system_poll_wait_seconds 0", {"control_mode": "none"}),
    (
        "--custom_node_resources_cleaner_interval_seconds 300",
        "custom nodes are Python files and keep no resources of a library",
    ),
    ("--cache_dir c", {"cache_dir": Path("c")}),
    ("--metrics_enable false", {"metrics_enable": False}),
    ("--metrics_list ''", {"metrics_list": ""}),
    (f"--cpu_extension {__file__}", {"cpu_extension": Path(__file__)}),
    ("--allow_credentials", {"cors": Cors(("*",), ("*",), ("*",), credentials=True)}),
    ("--allow_credentials true", {"allow_credentials": True}),
    ("--allow_credentials false", {"cors": None}),
    ("--allowed_origins '*'", {"cors": Cors(("*",), ("*",), ("*",), credentials=False)}),
    ("--allowed_methods 'GET, POST'", {"cors": Cors(("*",), ("GET", "POST"), ("*",), credentials=False)}),
    ("--allowed_headers x", {"cors": Cors(("*",), ("*",), ("x",), credentials=False)}),
    ("--api_key_file k", {"api_key_file": Path("k")}),
    ("--sequence_cleaner_poll_wait_minutes 7", {"sequence_cleaner_poll_wait_minutes": 7}),
    ("--stateful false", {"stateful": False}),
    ("--stateful", {"stateful": True, "max_sequence_number": 500, "sequence_cleaner_poll_wait_minutes": 5}),
    ("--stateful --idle_sequence_cleanup false", {"idle_sequence_cleanup": False}),
    ("--stateful --idle_sequence_cleanup", {"idle_sequence_cleanup": True}),
    ("--stateful --max_sequence_number 4", {"max_sequence_number": 4}),
    ("--stateful --low_latency_transformation", {"low_latency_transformation": True}),
    ("--model_name n --model_path q", {"model_name": "n", "model_path": Path("q")}),
    ("--batch_size auto", {"batch_size": "auto"}),
    ("--batch_size 1:8", {"batch_size": "1:8"}),
    ("--shape '(1,3,-1,-1)'", {"shape": "(1,3,-1,-1)"}),
    ("--layout NHWC:NCHW", {"layout": "NHWC:NCHW"}),
    ("--layout NHWC --mean [1,2,3] --scale 2", {"mean": "[1,2,3]", "scale": "2"}),
    ("--layout NHWC --color_format BGR:RGB", {"color_format": "BGR:RGB"}),
    ("--layout NHWC --precision UINT8:FP32", {"precision": "UINT8:FP32"}),
    ("--model_version_policy '{\"all\": {}}'", {"model_version_policy": '{"all": {}}'}),
    ("--nireq 4", {"nireq": 4}),
    ("--target_device GPU.1", {"target_device": "GPU.1"}),
    ("--target_device ''", {"target_device": ""}),
    ('--plugin_config \'{"NUM_STREAMS": "1"}\'', {"plugin_config": {"NUM_STREAMS": "1"}}),
    ("--config_path c", {"config_path": Path("c")}),
    ("--model_repository_path r", {"model_repository": (Path("r"),)}),
]
TRITON: list[tuple[str, dict[str, Any] | str]] = [
    ("--model-repository=r --model-repository=s", {"model_repository": (Path("r"), Path("s"))}),
    ("--model-control-mode=explicit", {"control_mode": "explicit"}),
    ("--model-control-mode=poll --repository-poll-secs=15", {"file_system_poll_wait_seconds": 15}),
    ("--model-control-mode=explicit --load-model=a --load-model=b", {"load_model": ("a", "b")}),
    ("--grpc-port=8001 --grpc-address=::1", {"port": 8001, "grpc_addresses": ("::1",)}),
    ("--http-port=8000", {"rest_port": 8000}),
    ("--http-address=127.0.0.1,::1", {"rest_addresses": ("127.0.0.1", "::1")}),
    ("--exit-on-error=false", {"exit_on_error": False}),
    ("--exit-on-error true", {"exit_on_error": True}),
    ("--strict-readiness=false", {"strict_readiness": False}),
    ("--strict-readiness true", {"strict_readiness": True}),
    ("--disable-auto-complete-config", {"disable_auto_complete_config": True}),
    ("--model-config-name=fast", {"model_config_name": "fast"}),
    ("--model-load-thread-count=2", {"model_load_thread_count": 2}),
    ("--model-load-retry-count=3", "a failed load is tried again"),
    ("--exit-timeout-secs=5", {"exit_timeout_secs": 5}),
    ("--backend-directory=/opt/tritonserver/backends", "OpenVINO is built in"),
    ("--log-verbose=0", {"least_level": "INFO"}),
    ("--log-verbose=1", {"least_level": "DEBUG"}),
    ("--log-info=true", {"least_level": "INFO"}),
    ("--log-info=false", {"least_level": "WARNING"}),
    ("--log-warning=true --log-error=true", {}),
    ("--log-warning=false", BY_LEVEL),
    ("--log-error=false", BY_LEVEL),
    ("--log-file=l", {"log_path": Path("l")}),
    (
        "--grpc-use-ssl=true --grpc-server-cert=c --grpc-server-key=k",
        {"tls_cert": Path("c"), "tls_key": Path("k"), "tls_client_ca": None},
    ),
    (
        "--grpc-use-ssl-mutual 1 --grpc-server-cert=c --grpc-server-key=k --grpc-root-cert=a",
        {"tls_cert": Path("c"), "tls_key": Path("k"), "tls_client_ca": Path("a")},
    ),
]


def _with_models(written: str) -> list[str]:
    """Say what to serve, where the flags themselves do not."""
    words = shlex.split(written)
    says = any(re.match(r"--(model[-_](name|path|repository(_path)?)|config_path)\b", word) for word in words)
    is_triton = any(written == row for row, _ in TRITON)
    return words if says else [*shlex.split(REPOSITORY if is_triton else ONE_MODEL), *words]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call the command line up to where it would serve: the exit code, the settings, and the complaint."""
    served: list[Settings] = []
    monkeypatch.setattr(app, "run", lambda settings: served.append(settings) or 0)
    monkeypatch.setattr(cli, "_configure_logs", lambda settings: None)

    def run(*arguments: str) -> tuple[int, Settings | None, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        return ended.value.code, served.pop() if served else None, capsys.readouterr().err.strip()

    return run


@pytest.mark.parametrize(("written", "expected"), [*OVMS, *TRITON], ids=[row[0] for row in (*OVMS, *TRITON)])
def test_a_flag_of_theirs_works_or_says_why_not(run: Run, written: str, expected: dict[str, Any] | str) -> None:
    code, settings, complaint = run(*_with_models(written))
    assert (code, complaint) == (0, "")
    warnings = list(settings.without_effect)
    if isinstance(expected, str):
        (warning,) = warnings
        assert re.match(r"--(\w+) has no effect: ", warning)[1] in settings.model_fields_set
        assert expected in warning
    else:
        assert warnings == []
        assert {name: getattr(settings, name) for name in expected} == expected


FLAG = re.compile(r"--([a-z][a-z_-]+)")


def _named(rows: list[tuple[str, Any]]) -> set[str]:
    return {name.replace("-", "_") for written, _ in rows for name in FLAG.findall(written)}


def test_both_tables_of_the_specification_are_walked(shared: Path) -> None:
    text = (shared / "spec/behaviour.md").read_text()
    parts = {name: text.partition(f"### {name} ")[2].partition("\n### ")[0] for name in ("A.1", "A.2", "K.2")}
    first_cells = re.findall(r"^\| ([a-z_, /]+?) (?:\(env|\|)", parts["A.1"] + parts["A.2"], re.MULTILINE)
    cells = [
        re.sub(r"allowed_origins/methods/headers", "allowed_origins, allowed_methods, allowed_headers", cell)
        for cell in first_cells
    ]
    ovms = {name for cell in cells for name in cell.split(", ")} - {"flag", "message sizes"}
    ovms |= {
        "sequence_cleaner_poll_wait_minutes",
        "stateful",
        "idle_sequence_cleanup",
        "max_sequence_number",
        "low_latency_transformation",
    }
    triton = {
        name.replace("-", "_")
        for name in FLAG.findall(parts["K.2"] + (shared / "spec/triton-reference.md").read_text())
    }
    assert len(ovms) > 35
    assert ovms - _named(OVMS) == set()
    assert triton - _named(TRITON) == set()


def test_every_flag_without_effect_is_walked() -> None:
    canonical = {OTHER_NAMES.get(name, name) for name in _named([*OVMS, *TRITON])}
    assert WithoutEffect.model_fields.keys() - canonical == set()
    assert set(OTHER_NAMES) - _named([*OVMS, *TRITON]) == set()


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("--port 65536", "port number out of range from 0 to 65535"),
        ("--port 0", "there is no other way in"),
        ("--rest_port 65536", "port number out of range from 0 to 65535"),
        ("--port 8000 --rest_port 8000", "port and rest_port cannot have the same values"),
        ("--rest_workers 4", "rest_workers is set but rest_port is not set"),
        ("--rest_max_body_bytes 1", "Input should be greater than or equal to 1024"),
        ("--grpc_bind_address 1.2.3", "does not appear to be an IPv4 or IPv6 address"),
        ("--rest_bind_address a_b", "'a_b' is neither a host name nor an IP address"),
        ("--grpc_workers 0", f"grpc_workers count should be from 1 to CPU core count : {CORES}"),
        ("--grpc_workers 10000", f"grpc_workers count should be from 1 to CPU core count : {CORES}"),
        ("--grpc_channel_arguments a", "Grpc channel arguments passed in wrong format - a"),
        ("--rest_workers 1", "rest_workers count should be from 2 to 10000"),
        ("--log_level info", "Input should be 'TRACE', 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("--metrics_enable", "rest_port setting is missing, metrics are enabled on rest port"),
        ("--metrics_enable --rest_port auto --metrics_list nope", "Invalid name in metrics_list: 'nope' is none of"),
        ("--metrics_list ovms_streams", "metrics_enable setting is missing, required when metrics_list is provided"),
        (
            "--cpu_extension /nonexistent.so",
            "File path provided as an --cpu_extension parameter does not exist in the filesystem: /nonexistent.so",
        ),
        ("--stateful --max_sequence_number 0", "Input should be greater than or equal to 1"),
        ("--nireq 100001", "Input should be less than or equal to 100000"),
        ("--log_level INFO --log-verbose=1", "--log_level INFO and --log_verbose 1 contradict each other"),
        ("--log_level INFO --log-info=false", "--log_level INFO and --log_info false contradict each other"),
        ("--model-config-name fast", "--model_config_name is for --model_repository"),
        ("--disable-auto-complete-config", "--disable_auto_complete_config is for --model_repository"),
    ],
)
def test_a_wrong_value_gets_its_sentence(run: Run, written: str, sentence: str) -> None:
    code, settings, complaint = run(*shlex.split(ONE_MODEL), *shlex.split(written))
    assert (code, settings) == (2, None)
    assert sentence in complaint


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("--port 1 --grpc-port 2", "--port 1 and --grpc-port 2 are the same setting: give one of them"),
        ("--grpc_port=2 --port=1", "--grpc_port 2 and --port 1 are the same setting: give one of them"),
        (
            "--file_system_poll_wait_seconds 1 --repository-poll-secs=15",
            "--file_system_poll_wait_seconds 1 and --repository-poll-secs 15 are the same setting: give one of them",
        ),
        ("--log_path a --log-file b", "--log_path a and --log-file b are the same setting"),
        ("--port 1 --port 2", "Parameter --port specified multiple times."),
    ],
)
def test_two_names_of_one_setting_that_differ_are_named(run: Run, written: str, sentence: str) -> None:
    code, settings, complaint = run(*shlex.split(ONE_MODEL), *shlex.split(written))
    assert (code, settings) == (2, None)
    assert complaint.startswith(f"ovserve: {sentence}")


@pytest.mark.parametrize("written", ["--port 1 --grpc-port 1", "--port=1 --grpc-port 1", "--grpc-port 1 --port=1"])
def test_two_names_that_agree_are_one(run: Run, written: str) -> None:
    code, settings, _ = run(*shlex.split(ONE_MODEL), *shlex.split(written))
    assert (code, settings.port) == (0, 1)


def test_two_variables_of_one_setting_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSERVE_PORT", "1")
    monkeypatch.setenv("OVSERVE_GRPC_PORT", "2")
    assert run(*shlex.split(ONE_MODEL)) == (
        2,
        None,
        "ovserve: OVSERVE_PORT and OVSERVE_GRPC_PORT are the same setting: set one of them",
    )
    assert run(*shlex.split(ONE_MODEL), "--port", "3")[1].port == 3


def test_a_variable_may_have_another_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSERVE_GRPC_PORT", "7")
    assert run(*shlex.split(ONE_MODEL))[1].port == 7


# OVMS_MODEL_REPOSITORY_PATH


def test_the_repository_of_the_environment_is_served_where_nothing_else_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OVMS_MODEL_REPOSITORY_PATH", str(tmp_path))
    assert run()[1].model_repository == (tmp_path,)
    assert run("--port", "1")[1].model_repository == (tmp_path,)
    (tmp_path / "config.json").touch()
    assert run()[1].config_path == tmp_path / "config.json"


@pytest.mark.parametrize("written", [ONE_MODEL, REPOSITORY, "--config_path c", "--model_repository_path r"])
def test_a_flag_beats_the_repository_of_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    monkeypatch.setenv("OVMS_MODEL_REPOSITORY_PATH", str(tmp_path))
    code, settings, _ = run(*shlex.split(written))
    assert code == 0
    assert settings.model_repository != (tmp_path,)


def test_a_variable_of_ours_beats_the_repository_of_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OVMS_MODEL_REPOSITORY_PATH", str(tmp_path))
    monkeypatch.setenv("OVSERVE_CONFIG_PATH", "c")
    assert run()[1].config_path == Path("c")


# --help


def test_help_is_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    ours, _, theirs = text.partition("Accepted without effect")
    assert "--port --grpc-port" in ours
    assert "env var" not in text
    for name in WithoutEffect.model_fields:
        assert f"--{name[:20]}" not in ours
        assert f"--{name[:20]}" in theirs


def test_help_waits_for_no_engine() -> None:
    code = """
import sys
from ovserve import cli
try:
    cli.main(["--help"])
except SystemExit:
    print({"openvino", "grpc", "tritonclient", "cv2", "fastapi", "uvicorn"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
