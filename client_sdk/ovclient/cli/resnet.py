import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovclient import labels
from ovclient._client import Client
from ovclient._errors import InvalidRequest
from ovclient._types import InferResult
from ovclient.classification import Iteration, NotScores, interpret
from ovclient.cli.connection import DEFAULT, Connection
from ovclient.cli.failure import CommandFailed
from ovclient.cli.resnet_data import check, load
from ovclient.cli.resnet_flags import ResnetFlags
from ovclient.cli.resnet_report import Header, JsonReport, Report, TextReport
from ovclient.cli.server_decodes import refused
from ovclient.cli.targets import InputTarget, pick_input, pick_output
from ovclient.datasets import Dataset
from ovclient.image_input import cast

_DEFAULT_FLAGS = ResnetFlags()


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything a request needs that no request changes."""

    client: Client
    flags: ResnetFlags
    target: InputTarget
    output: str
    names: tuple[str, ...] | None
    dataset: Dataset


def resnet(*, flags: ResnetFlags = _DEFAULT_FLAGS, server: Connection = DEFAULT) -> int:
    """Classify pictures with a model such as ResNet, and measure how fast that is.

    Pictures are sent as BGR, 0..255, in the model's layout and datatype;
    those of a .npy file are stretched to that range first. With --binary
    files are sent as they are, and the server does all that. Where no flag
    says otherwise, the server's metadata decides names, layout and size.
    """
    check(flags)
    with server.client() as client:
        model = client.metadata(flags.model)
        target = pick_input(model, flags.input_name, demultiplexed=flags.dag_batch_size_auto or flags.binary)
        output = pick_output(model, flags.output_name)
        dataset = load(flags, target, model)
        run = _Run(client, flags, target, output, _read_labels(flags.labels_file) or dataset.classes, dataset)
        header = _header(flags, dataset)
        with closing(_report(flags)) as report:
            report.start(header)
            for number in range(1, header.iterations + 1):
                report.iteration(_ask(run, number))
            report.end()
    return 0


def _header(flags: ResnetFlags, dataset: Dataset) -> Header:
    return Header(
        flags.model,
        flags.iterations or _whole_batches(flags, dataset),
        flags.batchsize,
        dataset.source,
        flags.images_numpy_path is not None,
        dataset.pixels.shape,
        dataset.range(),
    )


def _ask(run: _Run, number: int) -> Iteration:
    """Send the batch of iteration `number`; an incomplete last batch of the data is not sent, as in OVMS's clients."""
    flags, size = run.flags, run.flags.batchsize
    first = (number - 1) % _whole_batches(flags, run.dataset) * size
    pictures = list(range(first, first + size))
    batch = _batch(run, pictures)
    start = time.perf_counter()
    result = _infer(run, batch)
    time_ms = 1000 * (time.perf_counter() - start)
    answer = result[run.output]
    try:
        imagenet, found = interpret(answer, pictures, run.dataset, run.names, class_numbers=bool(flags.pipeline_name))
    except NotScores as error:
        raise CommandFailed(f"output '{run.output}' of model '{flags.model}': {error}") from error
    return Iteration(number, time_ms, answer.shape, imagenet, found)


def _batch(run: _Run, pictures: list[int]) -> np.ndarray:
    taken = run.dataset.take(pictures)
    if run.dataset.encoded:  # the server gives it the dimension that a demultiplexer wants
        return taken
    batch = cast(taken, run.target.datatype)
    return batch[:, np.newaxis] if run.flags.dag_batch_size_auto else batch


def _infer(run: _Run, batch: np.ndarray) -> InferResult:
    try:
        return run.client.infer(run.flags.model, {run.target.name: batch}, outputs=[run.output])
    except InvalidRequest as error:
        if run.dataset.encoded:
            raise refused(error) from error
        raise


def _whole_batches(flags: ResnetFlags, dataset: Dataset) -> int:
    return max(1, len(dataset) // flags.batchsize)


def _report(flags: ResnetFlags) -> Report:
    if flags.json:
        return JsonReport()
    if sys.stdout.isatty():
        from ovclient.cli.resnet_terminal import TerminalReport  # noqa: PLC0415 - rich is for terminals only

        return TerminalReport()
    return TextReport(show_shape=bool(flags.pipeline_name))


def _read_labels(path: Path | None) -> tuple[str, ...] | None:
    try:
        return None if path is None else labels.read(path)
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is no text in UTF-8: {error}") from error
