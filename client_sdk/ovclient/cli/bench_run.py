import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from ovclient import _calls
from ovclient._calls import Call
from ovclient._encode import encode
from ovclient._types import InferResult
from ovclient.bench.crew import Crew, WorkerLost
from ovclient.bench.inputs import BadInputs, compose
from ovclient.bench.level import Level
from ovclient.bench.orders import Setup
from ovclient.bench.raw_client import Finished, RawGrpcClient, raw_client, size_bytes
from ovclient.bench.shared_memory import in_shared_memory
from ovclient.cli.bench_flags import BenchFlags
from ovclient.cli.bench_inputs import read_file
from ovclient.cli.bench_report import Header, Report
from ovclient.cli.connection import Connection
from ovclient.cli.failure import CommandFailed, WrongUsage


def run(model: str, version: str, flags: BenchFlags, server: Connection, report: Report) -> None:
    """Measure each level and report; after Ctrl-C what was measured so far is reported."""
    if server.is_rest and flags.shared_memory != "none":
        raise WrongUsage("--shared_memory is measured over gRPC only: leave out --http_address and --http_port.")
    if server.is_rest and flags.streaming:
        raise WrongUsage("--streaming is measured over gRPC only: leave out --http_address and --http_port.")
    flags.check_times()
    levels, shapes, files = flags.levels(), flags.shapes(), [read_file(text) for text in flags.input]
    with server.client() as client:
        metadata = client.metadata(model, version)
        try:
            inputs = compose(metadata, files, shapes, flags.batchsize)
        except BadInputs as error:
            raise CommandFailed(str(error)) from error
        answer = client.infer(model, inputs, version=version)  # the one that is read
    call = _calls.infer(model, inputs, version=version, outputs=None, request_id="", parameters=None)
    tensors = {name: _tensor(name, array) for name, array in inputs.items()}
    address = server.settings()["address"]
    times_s = flags.warm_up, flags.duration
    with _requests(call.request, flags, server, answer) as requests:
        size = size_bytes(requests[0])
        report.start(Header(model, answer.version or version, address, tensors, size, levels, *times_s))
        _measure(levels, flags, Setup(server.settings(), requests, flags.streaming), report)


@contextmanager
def _requests(
    message: Any, flags: BenchFlags, server: Connection, outputs: InferResult
) -> Iterator[tuple[Finished, ...]]:
    """What the clients send in turn."""
    if flags.shared_memory == "none":
        with closing(raw_client(server.settings())) as client:
            finished = client.finish(message)
        yield (finished,)
        return
    clients = max(flags.levels())
    try:
        with (
            RawGrpcClient(**server.settings()) as client,
            in_shared_memory(client.run, message, outputs, clients) as moved,
        ):
            client.run(Call("ModelInfer", moved[0], lambda _answer: None))
            yield tuple(map(client.finish, moved))
    except OSError as error:
        raise CommandFailed(f"--shared_memory: {error.strerror or error}") from error


def _measure(levels: tuple[int, ...], flags: BenchFlags, setup: Setup, report: Report) -> None:
    measured: list[Level] = []
    try:
        with Crew(setup, flags.processes, _cores()) as crew:
            for clients in levels:
                report.begin(clients)
                level = crew.measure(clients, flags.warm_up, flags.duration, report.tick)
                if level.requests or level.errors:  # none where Ctrl-C came at once
                    measured.append(level)
                    report.level(level)
                _check(level, interrupted=crew.interrupted)
    except WorkerLost as error:
        raise CommandFailed("a client process ended before its work was done") from error
    finally:
        if measured:
            report.end()


def _check(level: Level, *, interrupted: bool) -> None:
    if interrupted:
        raise KeyboardInterrupt
    if not level.requests:
        status, failures = max(level.errors.items(), key=lambda item: item[1].count)
        raise CommandFailed(f"every request failed at concurrency {level.concurrency}: {status}: {failures.message}")


def _tensor(name: str, array: np.ndarray) -> tuple[str, tuple[int, ...]]:
    datatype, shape, _ = encode(name, array)
    return datatype, tuple(shape)


def _cores() -> int:
    """The cores this process may use, where the system can say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
