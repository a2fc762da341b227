import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from fake_classifier import data_files, serve
from ovclient.cli import run as run_command
from ovclient.cli.connection import Connection
from ovclient.testing import FakeServer
from ovclient_command import Run

OVCLIENT = [sys.executable, "-m", "ovclient"]


def test_metadata_prints_the_lines_of_seed_003(run: Run, server: FakeServer) -> None:
    server.add_model(
        "resnet50DAG", dict, inputs={"0": ("FP32", (-1, 1, 3, 224, 224))}, outputs={"1463": ("FP32", (-1, 1, 1000))}
    )
    expected = (
        "Getting model metadata for model: resnet50DAG\n"
        "Inputs metadata:\n"
        "\tInput name: 0; shape: [-1, 1, 3, 224, 224]; dtype: DT_FLOAT\n"
        "Outputs metadata:\n"
        "\tOutput name: 1463; shape: [-1, 1, 1000]; dtype: DT_FLOAT\n"
    )
    assert run("metadata", "resnet50DAG").out == expected
    assert run("metadata", "--model_name", "resnet50DAG").out == expected


@pytest.mark.parametrize(("datatype", "name"), [("BYTES", "DT_STRING"), ("FP16", "DT_HALF"), ("INVALID", "INVALID")])
def test_metadata_names_datatypes_as_tensorflow_does(run: Run, server: FakeServer, datatype: str, name: str) -> None:
    server.add_model("m", dict, inputs={"x": (datatype, [])})
    assert f"\tInput name: x; shape: []; dtype: {name}\n" in run("metadata", "m").out


def test_metadata_as_json(run: Run, server: FakeServer) -> None:
    server.add_model("m", dict, inputs={"x": ("FP32", [1])}, version="3")
    document = json.loads(run("metadata", "m", "--model_version", "3", "--json").out)
    assert document["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [1]}]
    assert document["versions"] == ["3"]


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        (["live"], 0, "Server Live: True\n"),
        (["ready"], 0, "Server Ready: True\n"),
        (["ready", "echo"], 0, "Model Ready: True\n"),
        (["ready", "--model_name", "late"], 1, "Model Ready: False\n"),
        (["live", "--json"], 0, '{\n  "live": true\n}\n'),
        (["ready", "late", "--json"], 1, '{\n  "ready": false\n}\n'),
    ],
)
def test_probes_answer_with_their_exit_code(
    run: Run, server: FakeServer, command: list[str], code: int, out: str
) -> None:
    server.add_model("late", dict, state="LOADING")
    done = run(*command)
    assert (done.code, done.out) == (code, out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["resnet", "--nope"], "Unknown option: --nope"),
        (["resnet", "--batchsize", "x"], "--batchsize"),
        (["resnet", "--batchsize", "0"], "--batchsize"),
        (["resnet", "--iterations", "-1"], "--iterations"),
        (["resnet", "--transpose_input", "maybe"], "--transpose_input"),
        (["resnet", "--grpc_port", "70000"], "--grpc_port"),
        (["resnet", "--http_port", "0"], "--http_port"),
        (["bench", "resnet", "--http_port", "8000", "--shared_memory", "system"], "measured over gRPC only"),
        (["face-detection", "--confidence", "2"], "--confidence"),
        (["face-detection", "--width", "0"], "--width"),
        (["metadata"], "model_name"),
        (["live", "extra"], "extra"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it_and_exit_2(
    capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run_command(arguments) == 2
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1), err
    assert message in err


COMMANDS = [
    [],
    ["resnet"],
    ["face-detection"],
    ["bench"],
    ["metadata"],
    ["status"],
    ["live"],
    ["ready"],
    ["models"],
    ["models", "list"],
    ["models", "load"],
    ["models", "unload"],
    ["models", "watch"],
    ["pipeline"],
    ["pipeline", "show"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_by_example(capfd: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert run_command([*command, "--help"]) == 0
    out = capfd.readouterr().out
    assert "Examples:" in out
    assert f"ovclient {' '.join(command)}".rstrip() in out.partition("Examples:")[2]


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capfd.readouterr().out.startswith("ovclient ")


def test_no_server_is_one_line_and_exit_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody answers here
        command = [*OVCLIENT, "resnet", "--grpc_address", "127.0.0.1", "--grpc_port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("ovclient: could not connect to 127.0.0.1:")


def test_ipv6_addresses_need_no_brackets(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["live", "--grpc_address", "::1", "--grpc_port", "1"]) == 1
    assert "could not connect to [::1]:1: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        (["--http_port", "1"], "http://localhost:1"),
        (["--http_address", "::1", "--http_port", "1"], "http://[::1]:1"),
        (["--http_address", "127.0.0.1", "--http_port", "1", "--tls"], "https://127.0.0.1:1"),
    ],
)
def test_http_flags_ask_over_rest(capfd: pytest.CaptureFixture[str], flags: list[str], address: str) -> None:
    assert run_command(["live", *flags]) == 1
    assert f"could not connect to {address}: " in capfd.readouterr().err


def test_the_rest_port_is_that_of_ovmss_clients() -> None:
    assert Connection(http_address="example.org").settings()["address"] == "http://example.org:8000"


def test_a_servers_long_message_is_one_line(run: Run, server: FakeServer) -> None:
    server.fail("ServerLive", grpc.StatusCode.INTERNAL, "one\ntwo")
    assert run("live").err == "ovclient: one two\n"


def test_ctrl_c_ends_quietly_with_130(server: FakeServer) -> None:
    asked, release = threading.Event(), threading.Event()
    server.add_model(
        "resnet",
        lambda _: {"y": [asked.set(), release.wait(30)]},
        inputs={"x": ("FP32", (1, 3, 4, 4))},
        outputs={"y": ("FP32", (1,))},
    )
    command = [*OVCLIENT, "resnet", "--grpc_port", str(server.port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert asked.wait(60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    release.set()
    assert (process.returncode, err) == (130, "")


def test_a_closed_pipe_ends_quietly(server: FakeServer, tmp_path: Path) -> None:
    serve(server)
    reader, writer = os.pipe()
    os.close(reader)
    command = [*OVCLIENT, "resnet", *data_files(tmp_path), "--grpc_port", str(server.port)]
    with os.fdopen(writer, "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_metadata_needs_no_opencv(server: FakeServer) -> None:
    code = f"import sys; from ovclient.cli import run; run(['metadata', 'echo', '--grpc_port', '{server.port}']); print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")
