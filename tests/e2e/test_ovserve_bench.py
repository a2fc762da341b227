"""`ovserve bench` as a user runs it, on a tiny model and for a moment: what it reports, not how fast it is."""

import subprocess
import sys
from pathlib import Path

import pytest

import small_models
from ovserve.bench.records import Run

TIMEOUT_S = 200


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ovserve", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    small_models.save(small_models.add_sub([-1, 4]), folder / "tiny" / "1")
    return folder


@pytest.fixture(scope="module")
def result(models: Path) -> tuple[str, Run, Path]:
    """What a run printed, and the JSON it kept."""
    kept = models / "run.json"
    done = bench(
        str(models / "tiny"),
        *("--clients", "1,2", "--slices", "2", "--seconds", "0.2", "--shape", "a:3,4", "--shape", "b:3,4"),
        *("--json", str(kept)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, Run.model_validate_json(kept.read_text()), kept


def test_every_kind_is_measured_in_every_slice(result: tuple[str, Run, Path]) -> None:
    _, run, _ = result
    seen = {(row.index, row.clients, row.kind) for row in run.measured}
    kinds = ("limit", "echo", "served")
    assert seen >= {(index, clients, kind) for index in (0, 1) for clients in (1, 2) for kind in kinds}


def test_each_slice_answered_requests_without_errors_and_cost_something(result: tuple[str, Run, Path]) -> None:
    _, run, _ = result
    for row in run.measured:
        assert row.requests > 0
        assert row.errors == {}
        assert row.cpu_us > 0
        assert row.requests_per_s == pytest.approx(row.requests / row.seconds)
        assert (row.client_cpu_us > 0) == (row.kind in {"echo", "served"})


def test_both_hints_are_looked_at_with_as_many_in_flight_as_they_may_have(result: tuple[str, Run, Path]) -> None:
    _, run, _ = result
    assert {probe.setup.config for probe in run.probes} == {"LATENCY", "THROUGHPUT"}
    assert all(len(probe.requests_per_s) > 1 for probe in run.probes)


def test_the_run_says_what_was_sent_and_names_no_place_on_this_machine(result: tuple[str, Run, Path]) -> None:
    printed, run, kept = result
    assert {name: tensor.shape for name, tensor in run.subject.inputs.items()} == {"a": [3, 4], "b": [3, 4]}
    assert str(kept.parent) not in kept.read_text()
    assert str(kept.parent) not in printed


def test_the_table_is_plain_text_with_a_column_per_number_of_clients(result: tuple[str, Run, Path]) -> None:
    printed, _, _ = result
    assert "\x1b" not in printed
    (clients,) = (line for line in printed.splitlines() if line.startswith("clients"))
    assert clients.split() == ["clients", "1", "2"]


def test_kept_results_become_a_table_for_documents(result: tuple[str, Run, Path]) -> None:
    _, _, kept = result
    done = bench("--render", str(kept), "--render", str(kept))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| tiny | 1 |") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 1, "which model"),
        (["tiny", "--clients", "0"], 2, "numbers of clients such as 1,4"),
        (["tiny", "--clients", "some"], 2, "numbers of clients such as 1,4"),
        (["tiny", "--plugin_config", "{"], 2, "--plugin_config"),
        (["tiny", "--seconds", "0"], 2, "seconds"),
        (["nowhere/tiny"], 1, "no model can be served"),
        (["--render", "nowhere.json"], 1, "nowhere.json: No such file"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(arguments: list[str], code: int, sentence: str) -> None:
    done = bench(*arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
