"""The command `ovserve bench`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token
from cyclopts.validators import Number
from pydantic import ValidationError
from rich.console import Console

from ovserve.bench.load import BenchFailed
from ovserve.bench.measure import run
from ovserve.bench.records import Run
from ovserve.bench.subject import find_subject
from ovserve.bench.summary import summarize
from ovserve.bench.tables import markdown, text

_STDOUT = Path("-")


def _counts(_type: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    """Read `1,4`; raises `ValueError`."""
    parts = [part.strip() for token in tokens for part in token.value.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError("expected numbers of clients such as 1,4")
    return tuple(sorted(set(map(int, parts))))


def bench(
    model: str | None = None,
    /,
    *,
    model_repository: Path | None = None,
    clients: Annotated[tuple[int, ...], Parameter(converter=_counts, n_tokens=1)] = (1, 4),
    slices: Annotated[int, Parameter(validator=Number(gte=1))] = 5,
    seconds: Annotated[float, Parameter(validator=Number(gt=0))] = 3,
    shape: tuple[str, ...] = (),
    plugin_config: str = "{}",
    nireq: int = 0,
    target_device: str = "CPU",
    json: Path | None = None,
    render: tuple[Path, ...] = (),
) -> int:
    """Measure what serving a model costs: OpenVINO alone, the messages alone, and the model served.

    In alternating slices of one run. Exit code 0 only if every request was answered.

    Args:
        model: The model: its folder with or without version folders, its file, or its name in --model_repository.
        model_repository: Folder of models, each NAME/VERSION/model.xml.
        clients: How many clients ask at once; several numbers, separated by commas, are measured one after the other.
        slices: How often each of the three is measured.
        seconds: How long each slice takes.
        shape: Shape of a dynamic input, as ovclient bench takes it; may be given several times.
        plugin_config: OpenVINO properties as JSON, for instance {"PERFORMANCE_HINT": "LATENCY"}.
        nireq: Requests the served model runs at once; 0: what the device finds optimal.
        target_device: OpenVINO device: CPU, GPU, NPU, AUTO, ...
        json: File for every slice's figures as JSON; - prints them in place of the table.
        render: Measure nothing: print results kept with --json as a Markdown table; may be given several times.
    """
    if render:
        print(markdown(_read(path) for path in render))
        return 0
    if model is None:
        raise BenchFailed("which model? Give its folder, its file, or its name in --model_repository")
    subject = find_subject(
        model, model_repository, plugin_config=plugin_config, nireq=nireq, target_device=target_device, shape=shape
    )
    with Console(stderr=True).status("") as status:  # shown to people only
        found = run(subject, clients, slices=slices, seconds=seconds, tell=status.update)
    if json is not None and json != _STDOUT:
        json.write_text(found.model_dump_json(indent=1) + "\n")
    print(found.model_dump_json(indent=1) if json == _STDOUT else text(found))
    return _exit_code(found)


def _exit_code(found: Run) -> int:
    errors = {error: count for one in summarize(found) for error, count in one.errors.items()}
    if errors:
        print(f"ovserve bench: {sum(errors.values())} requests failed", file=sys.stderr)
    return 1 if errors else 0


def _read(path: Path) -> Run:
    try:
        return Run.model_validate_json(path.read_text())
    except OSError as error:
        raise BenchFailed(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise BenchFailed(f"{path} is not what ovserve bench --json writes: {error.errors()[0]['msg']}") from error
