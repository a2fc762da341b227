"""`ovclient bench` with real client processes against the fake server."""

import io
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme
from rich.console import Console

from ovclient import _calls
from ovclient.bench import crew
from ovclient.bench.level import Level
from ovclient.bench.loop import Failures, Tally
from ovclient.bench.orders import Outcome, Setup
from ovclient.cli import run as run_command
from ovclient.cli.bench_report import Header
from ovclient.cli.bench_terminal import TerminalReport
from ovclient.testing import FakeServer
from ovclient_command import Run

SHORT = ("--duration", "0.2", "--warm_up", "0.05")


def request_bytes() -> bytes:
    inputs = {"x": np.zeros(1, np.float32)}
    call = _calls.infer("echo", inputs, version="", outputs=None, request_id="", parameters=None)
    return call.request.SerializeToString()


def test_json_is_the_interface_that_other_programs_read(run: Run, server: FakeServer) -> None:
    done = run("bench", "echo", *SHORT, "--concurrency", "1:3:2", "--batchsize", "5", "--json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out, parse_constant=pytest.fail)
    levels = document.pop("levels")
    size = server.requests()[-1].ByteSize()
    assert document == {
        "model": "echo",
        "version": "1",
        "address": server.address,
        "inputs": {"x": {"datatype": "FP32", "shape": [5]}},
        "message_bytes": size,
    }
    assert [level["concurrency"] for level in levels] == [1, 3]
    for level in levels:
        assert list(level) == [
            "concurrency",
            "seconds",
            "requests",
            "errors",
            "requests_per_s",
            "mean_ms",
            "p50_ms",
            "p90_ms",
            "p99_ms",
            "client_cpu_us_per_request",
            "processes",
        ]
        assert level["errors"] == {}
        assert level["seconds"] >= 0.2
        assert level["requests_per_s"] == pytest.approx(level["requests"] / level["seconds"])
        assert 0 < level["p50_ms"] <= level["p90_ms"] <= level["p99_ms"]
        assert level["client_cpu_us_per_request"] > 0
    assert sum(level["requests"] for level in levels) < len(server.requests())


def test_every_request_is_the_same_bytes(run: Run, server: FakeServer) -> None:
    assert run("bench", "-m", "echo", *SHORT, "--concurrency-range", "2", "--processes", "2").code == 0
    assert len({request.SerializeToString(deterministic=True) for request in server.requests()}) == 1


def test_processes_are_added_while_one_is_busy_and_kept(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outcome, "busy", 1.0)
    setup = Setup({"address": server.address}, (request_bytes(),))
    with crew.Crew(setup, None, cores=3) as workers:
        assert workers.measure(2, 0.0, 0.05, lambda: None).processes == 1  # nothing is known without a warm-up
        assert workers.measure(8, 0.1, 0.05, lambda: None).processes == 3
        assert workers.measure(2, 0.1, 0.05, lambda: None).processes == 2


def test_text_is_aligned_columns(run: Run) -> None:
    lines = run("bench", "echo", *SHORT, "--concurrency", "1:2").out.splitlines()
    assert lines[0].startswith("Model echo version 1 at localhost:")
    assert lines[1].startswith("Request: x FP32[1]; ")
    assert lines[2] == "Each level: 0.2 s measured after 0.05 s of warm-up"
    assert lines[4].split("  ")[0] == "concurrency"
    assert [line.split()[0] for line in lines[5:]] == ["1", "2"]
    assert len({len(line) for line in lines[4:]}) == 1


def test_values_from_files(run: Run, server: FakeServer, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1, 2, 3], np.float32))
    np.save(tmp_path / "words.npy", np.array(["a", "bc"]))
    assert run("bench", "echo", *SHORT, "--input", str(tmp_path / "x.npy")).code == 0
    assert server.inputs()["x"].tolist() == [1, 2, 3]

    server.add_model("two", lambda inputs: inputs, inputs={"x": ("FP32", [-1]), "words": ("BYTES", [-1])})
    files = ["--input", f"words={tmp_path / 'words.npy'}", "--input", f"x={tmp_path / 'x.npy'}"]
    assert run("bench", "two", *SHORT, *files).code == 0
    assert server.inputs()["words"].tolist() == [b"a", b"bc"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nope"], 1, "ovclient: Request for unknown model: 'nope' is not found\n"),
        (["echo", "--model_version", "7"], 1, "unknown model: 'echo' version 7"),
        (["echo", "--shape", "y:1"], 1, "no input 'y'"),
        (["echo", "--shape", "1,x"], 2, "--shape: '1,x' is no shape"),
        (["echo", "--concurrency", "8:1"], 2, "--concurrency: '8:1'"),
        (["echo", "--concurrency", "0"], 2, "--concurrency: '0'"),
        (["echo", "--duration", "0"], 2, "--duration"),
        (["echo", "--duration", "nan"], 2, "--duration"),
        (["echo", "--warm_up", "-1"], 2, "--warm_up"),
        (["echo", "--batchsize", "0"], 2, "--batchsize"),
        (["echo", "--processes", "0"], 2, "--processes"),
        (["echo", "--input", "absent.npy"], 1, "cannot read absent.npy: No such file"),
        (["echo", "--input", f"x={__file__}"], 1, "is no .npy file"),
        ([], 2, "--model_name"),
    ],
)
def test_bad_input_is_one_line(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run("bench", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert message in done.err


def test_a_server_that_refuses_the_first_request_is_told_before_any_level(run: Run, server: FakeServer) -> None:
    server.fail("ModelInfer", grpc.StatusCode.INVALID_ARGUMENT, "wrong\nshape")
    done = run("bench", "echo")
    assert (done.code, done.out, done.err) == (1, "", "ovclient: wrong shape\n")


def test_some_failures_are_counted_with_the_first_message(run: Run, server: FakeServer) -> None:
    def count_anew() -> None:
        counts = iter(range(10**9))

        def sometimes(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            if next(counts) % 3 == 2:
                raise ValueError("third")
            return inputs

        server.add_model("echo", sometimes, inputs={"x": ("FP32", [1])})

    count_anew()
    (level,) = json.loads(run("bench", "echo", *SHORT, "--json").out)["levels"]
    assert level["requests"] > 0
    assert level["errors"]["INTERNAL"]["count"] > 0
    assert level["errors"]["INTERNAL"]["message"] == "model 'echo': ValueError: third"
    count_anew()  # or the request before the first level may be a third one
    assert "INTERNAL: model 'echo': ValueError: third" in run("bench", "echo", *SHORT).out


def test_a_level_of_failures_only_ends_the_benchmark_with_exit_1(run: Run, server: FakeServer) -> None:
    counts = iter(range(10**9))

    def once(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if next(counts):
            raise ValueError("no more")
        return inputs

    server.add_model("echo", once, inputs={"x": ("FP32", [1])})
    done = run("bench", "echo", *SHORT, "--concurrency", "2:9", "--json")
    sentence = "every request failed at concurrency 2: INTERNAL: model 'echo': ValueError: no more"
    assert (done.code, done.err) == (1, f"ovclient: {sentence}\n")
    (level,) = json.loads(done.out)["levels"]
    assert (level["requests"], level["mean_ms"]) == (0, None)


class Interrupted:
    """`ovclient bench` of a server that answers `answers` requests and then none, interrupted while it waits."""

    def __init__(self, server: FakeServer, answers: int, *flags: str) -> None:
        stuck, release, counts = threading.Event(), threading.Event(), iter(range(10**9))

        def answer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            if next(counts) >= answers:
                stuck.set()
                release.wait(60)
            return inputs

        server.add_model("echo", answer, inputs={"x": ("FP32", [1])})
        command = [sys.executable, "-m", "ovclient", "bench", "echo", "--grpc_port", str(server.port), "--json"]
        process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert stuck.wait(60)
        process.send_signal(signal.SIGINT)
        self.out, self.err = process.communicate(timeout=30)
        self.code = process.returncode
        release.set()


def test_ctrl_c_prints_what_was_measured_so_far_and_exits_with_130(server: FakeServer) -> None:
    done = Interrupted(server, 100, "--warm_up", "0", "--duration", "600", "--concurrency", "2:3")
    assert (done.code, done.err) == (130, "")
    (level,) = json.loads(done.out)["levels"]
    assert level["concurrency"] == 2
    assert 0 < level["requests"] < 100
    assert level["errors"] == {}


def test_ctrl_c_before_anything_is_measured_prints_nothing(server: FakeServer) -> None:
    done = Interrupted(server, 5, "--warm_up", "600", "--processes", "1")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_a_client_process_that_dies_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_COMMAND", [sys.executable, "-c", ""])
    done = run("bench", "echo", *SHORT, "--json")
    assert (done.code, done.out) == (1, "")
    assert done.err == "ovclient: a client process ended before its work was done\n"


def test_every_client_speaks_tls(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair = ca.issue_cert("localhost")
    keys = [(pair.private_key_pem.bytes(), pair.cert_chain_pems[0].bytes())]
    with FakeServer(grpc.ssl_server_credentials(keys)) as server:
        server.add_model("echo", lambda inputs: inputs, inputs={"x": ("FP32", [1])})
        flags = ["--tls", "--server_cert", str(tmp_path / "ca.pem"), "--grpc_port", str(server.port), "--json"]
        assert run_command(["bench", "echo", *SHORT, "--concurrency", "2", *flags]) == 0
    (level,) = json.loads(capfd.readouterr().out)["levels"]
    assert (level["requests"] > 0, level["errors"]) == (True, {})


def test_help_teaches_by_example(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "--help"]) == 0
    out = capfd.readouterr().out
    assert "ovclient bench" in out.partition("Examples:")[2]
    assert "one request before the first level is parsed in full" in out


def test_the_terminal_shows_a_table_and_the_errors() -> None:
    out = io.StringIO()
    report = TerminalReport(Console(file=out, width=80, highlight=False, force_terminal=False))
    report.start(Header("m", "1", "localhost:9000", {"x": ("FP32", (1, 3))}, 99, (4,), 1.0, 5.0))
    report.begin(4)
    report.tick()
    tally = Tally(errors={"UNAVAILABLE": Failures(2, "queue [full]")}, end_ns=10**9)
    tally.latencies_ns.extend([1_000_000, 3_000_000])
    report.level(Level.of(4, [Outcome(tally, 0, 0.001)]))
    report.end()
    report.close()
    text = out.getvalue()
    assert "Request: x FP32[1, 3]; 99 bytes" in text
    assert "us/request" in text
    assert " 2.000 " in text
    assert max(map(len, text.splitlines())) <= 80
    assert "concurrency 4: 2 x UNAVAILABLE: queue [full]" in text
