"""`ovclient models` against the fake server."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import grpc
import pytest
from rich.console import Console

from ovclient import ModelIndex
from ovclient.cli import run as run_command
from ovclient.cli.models_changes import changes
from ovclient.cli.models_terminal import TerminalReport, print_table
from ovclient.testing import FakeServer
from ovclient_command import Run

Watch = Callable[..., "subprocess.Popen[str]"]


def loaded(server: FakeServer) -> dict[str, str | bytes]:
    """The parameters of the last load."""
    parameters = server.requests("RepositoryModelLoad")[-1].parameters
    return {key: value.bytes_param or value.string_param for key, value in parameters.items()}


def test_list_prints_an_aligned_table(run: Run, server: FakeServer) -> None:
    server.add_model("broken", dict, version="12", state="UNAVAILABLE", reason="no weights")
    done = run("models", "list")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "name    version  state        reason",
        "echo    1        READY",
        "broken  12       UNAVAILABLE  no weights",
    ]


def test_list_shows_only_what_is_ready_when_asked(run: Run, server: FakeServer) -> None:
    server.add_model("broken", dict, state="UNAVAILABLE")
    assert run("models", "list", "--ready").out.splitlines() == ["name  version  state  reason", "echo  1        READY"]


def test_list_as_json_has_the_protocols_words(run: Run, server: FakeServer) -> None:
    server.add_model("late", dict, state="")
    assert json.loads(run("models", "list", "--json").out) == [
        {"name": "echo", "version": "1", "state": "READY", "reason": ""},
        {"name": "late", "version": "", "state": "", "reason": ""},
    ]


def test_load_and_unload_say_what_is_so_now(run: Run, server: FakeServer) -> None:
    server.add_model("late", dict, state="")
    done = run("models", "load", "late")
    assert (done.code, done.out, done.err) == (0, "Model 'late' is loaded.\n", "")
    assert loaded(server) == {}
    done = run("models", "unload", "--model_name", "late", "--unload_dependents")
    assert (done.code, done.out, done.err) == (0, "Model 'late' takes no more requests.\n", "")
    assert server.requests("RepositoryModelUnload")[-1].parameters["unload_dependents"].bool_param
    assert json.loads(run("models", "load", "late", "--json").out) == {"name": "late", "loaded": True}
    assert json.loads(run("models", "unload", "late", "--json").out) == {"name": "late", "loaded": False}


def test_load_waits_for_minutes_or_as_long_as_told(run: Run, server: FakeServer) -> None:
    run("models", "load", "echo")
    run("models", "load", "echo", "--timeout", "30")
    run("models", "unload", "echo")
    long_s, short_s, unload_s = (call.time_remaining_s for call in server.received)
    assert 500 < long_s < 602
    assert 20 < short_s < 32
    assert 500 < unload_s < 602


def test_load_sends_configuration_and_files(run: Run, server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('\ufeff{"backend": "openvino"}')
    (tmp_path / "a=b.onnx").write_bytes(b"onnx")
    (tmp_path / "data").write_bytes(b"\0\1")
    files = ("--file", f"1/model.onnx={tmp_path}/a=b.onnx", "--file", f"file:1/data={tmp_path}/data")
    assert run("models", "load", "echo", "--config", str(tmp_path / "config.json"), *files).code == 0
    assert loaded(server) == {
        "config": '{"backend": "openvino"}',
        "file:1/model.onnx": b"onnx",
        "file:1/data": b"\0\1",
    }
    assert run("models", "load", "echo", "--config", ' {"a": 1}').code == 0
    assert loaded(server) == {"config": ' {"a": 1}'}


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not what the flags want, in the current folder."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "model.bin").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["load"], 2, "model_name"),
        (["load", "m", "--config", "{nope}"], 2, "--config: this is no JSON: "),
        (["load", "m", "--config", "missing.json"], 1, "--config: cannot read missing.json: No such file"),
        (["load", "m", "--config", "list.json"], 1, "--config: list.json: this is no JSON object"),
        (["load", "m", "--config", "model.bin"], 1, "--config: model.bin is no text in UTF-8"),
        (["load", "m", "--file", "1/model.bin"], 2, "--file must be like 1/model.onnx=PATH, got 1/model.bin"),
        (["load", "m", "--file", "=model.bin"], 2, "--file must be like"),
        (["load", "m", "--file", "a=model.bin", "--file", "a=list.json"], 2, "--file: a is given twice"),
        (["load", "m", "--file", "a=list.json", "--file", "file:a=list.json"], 1, "file 'a' is given twice"),
        (["load", "m", "--file", "a=missing.bin"], 1, "--file: cannot read missing.bin: No such file"),
        (["load", "m", "--timeout", "0"], 2, "--timeout"),
        (["unload"], 2, "model_name"),
        (["watch", "--interval", "0"], 2, "--interval"),
        (["watch", "--interval", "nan"], 2, "--interval"),
        (["nope"], 2, "nope"),
    ],
)
def test_what_is_wrong_with_the_flags_is_said_in_one_line(
    run: Run,
    server: FakeServer,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    done = run("models", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert message in done.err
    assert server.received == []


def test_the_servers_refusal_is_one_line_and_exit_1(run: Run, server: FakeServer) -> None:
    done = run("models", "load", "nope")
    assert (done.code, done.out) == (1, "")
    assert done.err == "ovclient: failed to load 'nope', failed to poll from model repository\n"
    server.fail("RepositoryModelUnload", grpc.StatusCode.UNAVAILABLE, "only in mode explicit")
    done = run("models", "unload", "echo")
    assert (done.code, done.out, done.err) == (1, "", "ovclient: only in mode explicit\n")


def test_models_alone_shows_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models"]) == 0
    assert "ovclient models load resnet" in capfd.readouterr().out


@pytest.fixture
def watch(server: FakeServer) -> Iterator[Watch]:
    """Start `ovclient models watch`; each one started is ended at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "ovclient", "models", "watch", "--interval", "0.01", *flags]
        command += ["--grpc_port", str(server.port)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_watch_prints_a_line_for_each_change_and_ends_with_ctrl_c(server: FakeServer, watch: Watch) -> None:
    def line() -> str:
        time, _, rest = process.stdout.readline().partition(" ")
        assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
        return rest

    process = watch()
    assert line() == "echo version 1 READY\n"
    server.add_model("new", dict, version="2", state="LOADING")
    assert line() == "new version 2 LOADING\n"
    server.add_model("new", dict, version="2")
    assert line() == "new version 2 LOADING -> READY\n"
    server.add_model("echo", dict, state="UNAVAILABLE", reason="no weights")
    assert line() == "echo version 1 READY -> UNAVAILABLE: no weights\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130


def test_watch_as_json_is_one_document_a_line(server: FakeServer, watch: Watch) -> None:
    process = watch("--json")
    first = json.loads(process.stdout.readline())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {"name": "echo", "version": "1", "before": None, "state": "READY", "reason": ""}
    server.add_model("echo", dict, version="2")
    new, gone = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (new["version"], new["before"], new["state"]) == ("2", None, "READY")
    assert (gone["version"], gone["before"], gone["state"]) == ("1", "READY", None)


def test_watch_ends_with_a_sentence_when_the_server_goes_away(server: FakeServer, watch: Watch) -> None:
    process = watch()
    process.stdout.readline()
    server.stop()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    sentence = err.splitlines()[-1]  # gRPC is loaded before the command silences it, and may log first
    assert sentence.startswith("ovclient: ")
    assert server.address in sentence


def test_watch_ends_quietly_when_nobody_reads_on(server: FakeServer, watch: Watch) -> None:
    process = watch()
    process.stdout.readline()
    process.stdout.close()
    server.add_model("echo", dict, state="LOADING")
    assert process.wait(60) == 1
    assert process.stderr.read() == ""
    process.stdout = None


def terminal() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=100, highlight=False, force_terminal=True, color_system="standard"), out


INDEX = (ModelIndex("[bold]m[/bold]", "1", "READY", ""), ModelIndex("n", "2", "UNAVAILABLE", "no [weights]"))


def test_a_person_sees_states_in_colours_and_names_as_they_are() -> None:
    console, out = terminal()
    print_table(INDEX, console)
    assert "[bold]m[/bold]" in out.getvalue()
    assert "no [weights]" in out.getvalue()
    assert "\x1b[32mREADY" in out.getvalue()
    assert "\x1b[31mUNAVAILABLE" in out.getvalue()


def test_a_person_watches_a_table_and_the_changes_above_it() -> None:
    console, out = terminal()
    report, noon = TerminalReport(console), datetime.fromisoformat("2026-01-02T12:00:01+00:00")
    old = (ModelIndex("m", "2", "LOADING", ""),)
    new = (ModelIndex("m", "2", "READY", ""),)
    report.look(noon, old, changes((), old))
    assert "12:00:01" not in out.getvalue()
    drawn = out.getvalue()
    report.look(noon, old, ())
    assert out.getvalue() == drawn  # the same table drawn again would flicker
    report.look(noon, new, changes(old, new))
    report.close()
    above, _, below = out.getvalue().partition("12:00:01 m version 2 LOADING -> READY")
    assert "\x1b[33mLOADING" in above
    assert "\x1b[32mREADY" in below


def test_a_watch_that_failed_at_once_leaves_the_terminal_alone() -> None:
    console, out = terminal()
    TerminalReport(console).close()
    assert out.getvalue() == ""
